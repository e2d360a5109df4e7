/** Metrics of a replica: what happens to its sessions, what it holds, and what passes through it. */
import type { Replica } from '@sojourn/replica'
import type { Instruments } from './instruments.js'

export const countEvents = (instruments: Instruments, replica: Replica): void => {
  const created = instruments.counter('sojourn_sessions_created_total', 'Sessions created, by origin', 'origin')
  const updated = instruments.counter(
    'sojourn_sessions_updated_total',
    'Commits that changed session data, by origin',
    'origin',
  )
  const elevated = instruments.counter(
    'sojourn_sessions_elevated_total',
    'Logins, which give a session a subject and a new id, by origin',
    'origin',
  )
  const rotated = instruments.counter(
    'sojourn_sessions_rotated_total',
    'Sessions that were given a new id, by origin',
    'origin',
  )
  const ended = instruments.counter(
    'sojourn_sessions_ended_total',
    'Sessions ended, by reason and origin',
    'reason',
    'origin',
  )
  const expired = instruments.counter('sojourn_sessions_expired_total', 'Sessions expired, by cause', 'cause')
  const origin = (from: string) => (from === 'local' ? 'local' : 'remote')
  replica.on('created', (event) => created.inc({ origin: origin(event.origin) }))
  replica.on('updated', (event) => updated.inc({ origin: origin(event.origin) }))
  replica.on('elevated', (event) => elevated.inc({ origin: origin(event.origin) }))
  replica.on('rotated', (event) => rotated.inc({ origin: origin(event.origin) }))
  replica.on('ended', (event) => ended.inc({ reason: event.reason, origin: origin(event.origin) }))
  replica.on('expired', (event) => expired.inc({ cause: event.cause }))
}

/** Records, memory, and what waits. */
export const readHoldings = (instruments: Instruments, replica: Replica): void => {
  const status = () => replica.status()
  instruments.gauge(
    'sojourn_sessions',
    'Records held, by state: live, expired (not yet purged), ended',
    ['state'],
    (gauge) => {
      const { sessions, expired, tombstones } = status()
      gauge.set({ state: 'live' }, sessions)
      gauge.set({ state: 'expired' }, expired)
      gauge.set({ state: 'ended' }, tombstones)
    },
  )
  instruments.gauge('sojourn_tombstones', 'Tombstones of ended sessions', [], (gauge) => gauge.set(status().tombstones))
  instruments.gauge('sojourn_cutoffs', 'Subjects of whom an end of all sessions is remembered', [], (gauge) =>
    gauge.set(status().cutoffs ?? 0),
  )
  instruments.gauge('sojourn_cache_entries', 'Sessions kept in memory', [], (gauge) =>
    gauge.set(status().cache.entries),
  )
  instruments.gauge('sojourn_memory_bytes', 'Encoded bytes kept in memory, by purpose', ['what'], (gauge) => {
    const { cache, recentBytes, store } = status()
    gauge.set({ what: 'cache' }, cache.bytes)
    gauge.set({ what: 'recent' }, recentBytes)
    gauge.set({ what: 'index' }, store.indexBytes)
    gauge.set({ what: 'uncheckpointed' }, store.uncheckpointed.bytes)
  })
  instruments.total(
    'sojourn_cache_requests_total',
    'Calls that found their record in memory (hit) or not (miss)',
    ['result'],
    (set) => {
      const { hits, misses } = status().cache
      set({ result: 'hit' }, hits)
      set({ result: 'miss' }, misses)
    },
  )
  instruments.gauge(
    'sojourn_pending',
    'Pending commits, quorum writes and quorum reads, by what',
    ['what'],
    (gauge) => {
      for (const [what, count] of Object.entries(status().pending)) gauge.set({ what }, count)
    },
  )
}

/** Commits, what was refused of peers, repairs and catch-ups. */
export const readTraffic = (instruments: Instruments, replica: Replica): void => {
  const status = () => replica.status()
  instruments.total('sojourn_commits_total', 'Commits from calls and from peers', [], (set) =>
    set({}, status().totals.commits),
  )
  instruments.total(
    'sojourn_refused_total',
    'Peer connections and frames that were refused, by code',
    ['code'],
    (set) => {
      for (const [code, count] of Object.entries(status().totals.refused)) set({ code }, count)
    },
  )
  instruments.total(
    'sojourn_refused_items_total',
    'Invalid items from peers that were left out, such as leases stamped far ahead',
    [],
    (set) => set({}, status().totals.refusedItems),
  )
  instruments.gauge(
    'sojourn_clock_trusted',
    '0 if the wall clock jumped or most regions disagree with it, else 1',
    [],
    (gauge) => gauge.set(status().clock.isTrusted ? 1 : 0),
  )
  instruments.total('sojourn_repairs_total', 'Records repaired, by cause', ['cause'], (set) => {
    for (const [cause, count] of Object.entries(status().totals.repaired)) set({ cause }, count)
  })
  instruments.total('sojourn_sessions_reused_total', 'Superseded ids that were shown after their grace', [], (set) =>
    set({}, status().totals.reused ?? 0),
  )
  instruments.total('sojourn_corrupt_records_total', 'Records that failed their checksum', [], (set) =>
    set({}, status().totals.corrupt),
  )
  instruments.total('sojourn_catch_ups_total', 'Catch-ups served from disk, by kind', ['kind'], (set) => {
    const { catchUps, fullCatchUps } = status().totals
    set({ kind: 'full' }, fullCatchUps)
    set({ kind: 'partial' }, catchUps - fullCatchUps)
  })
}
