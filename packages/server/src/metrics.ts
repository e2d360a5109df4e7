/** The metrics of a server. */
import { type ErrorCode, isSojournError } from '@sojourn/core/internal'
import type { UnauthenticatedStatus } from '@sojourn/net'
import type { Replica } from '@sojourn/replica'
import type { ClientsStatus } from '@sojourn/wire'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { KINDS } from './clients/budgets.js'
import { noTotals } from './clients/totals.js'
import { directoryBytes } from './files.js'
import type { CallSeen } from './metered.js'
import type { DiskWork } from './timed-storage.js'

export interface MetricsOptions {
  readonly region: string
  readonly version: string
  /** How many regions there are: a number that a caller gives as its level is distinguished up to here. */
  readonly regions: () => number
  /** The directory of the store; undefined: in memory. */
  readonly directory: string | undefined
  readonly clients: () => ClientsStatus | undefined
  readonly certificates: () => readonly { readonly listener: string; readonly expiresAt: number | undefined }[]
  readonly isReady: () => boolean
  /** Of each listener that is open. */
  readonly unauthenticated: () => { readonly [listener: string]: UnauthenticatedStatus | undefined }
}

/** Seconds: a read from memory takes some millionths, a quorum over an ocean some tenths. */
const REQUEST_BUCKETS = [
  0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5,
]
const DISK_BUCKETS = [0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.5, 2]

/** Everything that /metrics reports. No label holds an id, a key, or what a caller chose. */
export class Metrics {
  readonly registry = new Registry()
  readonly #options: MetricsOptions
  readonly #requests: Histogram
  readonly #errors: Counter
  readonly #quorumUnmet: Counter
  readonly #writes: Histogram
  readonly #writeFailures: Counter
  readonly #reloads: Counter
  readonly #faults: Counter
  /** For `sojourn top`, which has no Prometheus to ask. */
  readonly totals = { requests: 0, errors: 0, seconds: 0 }

  constructor(options: MetricsOptions) {
    const registers = [this.registry]
    this.#options = options
    this.registry.setDefaultLabels({ region: options.region })
    collectDefaultMetrics({ register: this.registry })
    this.#requests = new Histogram({
      name: 'sojourn_request_seconds',
      help: 'Calls of the session API, by operation, consistency level and outcome (ok, absent, or an error code)',
      labelNames: ['operation', 'level', 'outcome'],
      buckets: REQUEST_BUCKETS,
      registers,
    })
    this.#errors = this.#counter(
      'sojourn_errors_total',
      'Calls that failed, by operation and code',
      'operation',
      'code',
    )
    this.#quorumUnmet = this.#counter('sojourn_quorum_unmet_total', 'Calls for which too few regions answered', 'kind')
    this.#writes = new Histogram({
      name: 'sojourn_storage_write_seconds',
      help: 'Writes to the disk: what="append": to the journal; "sync": until the disk has it (fsync); "rows": records of a checkpoint',
      labelNames: ['what'],
      buckets: DISK_BUCKETS,
      registers,
    })
    this.#writeFailures = this.#counter('sojourn_storage_write_failures_total', 'Writes that the disk refused', 'what')
    this.#reloads = this.#counter(
      'sojourn_reloads_total',
      'Times that files of certificates or tokens were taken in anew, or refused',
      'file',
      'outcome',
    )
    this.#faults = this.#counter('sojourn_faults_total', 'What went wrong that the replica lives with, by code', 'code')
    this.#gauge('sojourn_build_info', 'Constant 1', ['version'], (gauge) => gauge.set({ version: options.version }, 1))
    this.#gauge('sojourn_ready', '1 where requests should come here', [], (gauge) =>
      gauge.set(options.isReady() ? 1 : 0),
    )
    this.#gauge(
      'sojourn_certificate_expiry_timestamp_seconds',
      'When the certificate of a listener is good no more, seconds since 1970',
      ['listener'],
      (gauge) => {
        gauge.reset()
        for (const { listener, expiresAt } of options.certificates())
          if (expiresAt !== undefined) gauge.set({ listener }, expiresAt / 1_000)
      },
    )
    this.#gauge(
      'sojourn_unauthenticated_connections',
      'Connections whose other side is not known yet, by listener',
      ['listener'],
      (gauge) => {
        for (const [listener, status] of Object.entries(options.unauthenticated()))
          if (status) gauge.set({ listener }, status.connections)
      },
    )
    this.#total(
      'sojourn_unauthenticated_evicted_total',
      'Connections that were closed to make room for newer ones before it was known who they are, by listener',
      ['listener'],
      (set) => {
        for (const [listener, status] of Object.entries(options.unauthenticated()))
          if (status) set({ listener }, status.evicted)
      },
    )
    this.#gauge('sojourn_disk_bytes', 'Bytes of the files of the store', [], async (gauge) => {
      if (options.directory !== undefined) gauge.set(await directoryBytes(options.directory))
    })
  }

  called({ operation, level, outcome, seconds }: CallSeen): void {
    const known = typeof level === 'string' || (level >= 1 && level <= this.#options.regions())
    this.#requests.observe({ operation, level: known ? String(level) : 'other', outcome }, seconds)
    this.totals.requests++
    this.totals.seconds += seconds
    if (outcome === 'ok' || outcome === 'absent') return
    this.totals.errors++
    this.#errors.inc({ operation, code: outcome })
    if (outcome === 'QUORUM_UNMET') this.#quorumUnmet.inc({ kind: operation === 'get' ? 'read' : 'write' })
  }

  wrote({ what, seconds, ok }: { readonly what: DiskWork; readonly seconds: number; readonly ok: boolean }): void {
    if (ok) this.#writes.observe({ what }, seconds)
    else this.#writeFailures.inc({ what })
  }

  reloaded(file: string, error?: unknown): void {
    this.#reloads.inc({ file, outcome: error === undefined ? 'ok' : isSojournError(error) ? error.code : 'BUG' })
  }

  fault(code: ErrorCode): void {
    this.#faults.inc({ code })
  }

  /** Reports what a replica is, holds and hears from now on. */
  watch(replica: Replica): void {
    const created = this.#counter('sojourn_sessions_created_total', 'Sessions that began', 'origin')
    const updated = this.#counter('sojourn_sessions_updated_total', 'Commits that changed data', 'origin')
    const ended = this.#counter(
      'sojourn_sessions_ended_total',
      'Sessions that were ended, by reason',
      'reason',
      'origin',
    )
    const expired = this.#counter('sojourn_sessions_expired_total', 'Sessions whose deadline passed', 'cause')
    const origin = (from: string) => (from === 'local' ? 'local' : 'remote')
    replica.on('created', (event) => created.inc({ origin: origin(event.origin) }))
    replica.on('updated', (event) => updated.inc({ origin: origin(event.origin) }))
    replica.on('ended', (event) => ended.inc({ reason: event.reason, origin: origin(event.origin) }))
    replica.on('expired', (event) => expired.inc({ cause: event.cause }))

    const status = () => replica.status()
    this.#gauge(
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
    this.#gauge('sojourn_tombstones', 'Ended sessions that are remembered, so that they stay ended', [], (gauge) =>
      gauge.set(status().tombstones),
    )
    this.#gauge('sojourn_cache_entries', 'Sessions kept in memory', [], (gauge) => gauge.set(status().cache.entries))
    this.#gauge('sojourn_memory_bytes', 'Encoded bytes kept in memory, by what for', ['what'], (gauge) => {
      const { cache, recentBytes, store } = status()
      gauge.set({ what: 'cache' }, cache.bytes)
      gauge.set({ what: 'recent' }, recentBytes)
      gauge.set({ what: 'index' }, store.indexBytes)
      gauge.set({ what: 'uncheckpointed' }, store.uncheckpointed.bytes)
    })
    this.#total(
      'sojourn_cache_requests_total',
      'Calls whose record was in memory (hit) or not (miss)',
      ['result'],
      (set) => {
        const { hits, misses } = status().cache
        set({ result: 'hit' }, hits)
        set({ result: 'miss' }, misses)
      },
    )
    this.#gauge(
      'sojourn_pending',
      'What waits: commits for the disk, writes and reads for regions',
      ['what'],
      (gauge) => {
        for (const [what, count] of Object.entries(status().pending)) gauge.set({ what }, count)
      },
    )
    this.#total('sojourn_commits_total', 'Commits, of calls and from peers', [], (set) =>
      set({}, status().totals.commits),
    )
    this.#total(
      'sojourn_refused_total',
      'Connections and frames of peers that were refused, by reason',
      ['code'],
      (set) => {
        for (const [code, count] of Object.entries(status().totals.refused)) set({ code }, count)
      },
    )
    this.#total(
      'sojourn_refused_items_total',
      'Items of peers that were left out, such as leases stamped far ahead',
      [],
      (set) => set({}, status().totals.refusedItems),
    )
    this.#gauge(
      'sojourn_clock_trusted',
      '0 where the wall clock jumped, or most regions disagree with it',
      [],
      (gauge) => gauge.set(status().clock.isTrusted ? 1 : 0),
    )
    this.#total('sojourn_repairs_total', 'Records that were repaired, by what showed it', ['cause'], (set) => {
      for (const [cause, count] of Object.entries(status().totals.repaired)) set({ cause }, count)
    })
    this.#total('sojourn_corrupt_records_total', 'Records that failed their checksum', [], (set) =>
      set({}, status().totals.corrupt),
    )
    this.#total('sojourn_catch_ups_total', 'Times that a peer was read the feed from the disk', ['kind'], (set) => {
      const { catchUps, fullCatchUps } = status().totals
      set({ kind: 'full' }, fullCatchUps)
      set({ kind: 'partial' }, catchUps - fullCatchUps)
    })
    this.#watchLinks(replica)
    this.#watchFailures(replica)
    this.#watchClients()
  }

  #watchLinks(replica: Replica): void {
    const links = () => Object.entries(replica.status().links)
    const each = (
      name: string,
      help: string,
      read: (link: ReturnType<typeof links>[number][1]) => number | undefined,
    ) =>
      this.#gauge(name, help, ['peer'], (gauge) => {
        // A region that was removed is reported no more.
        gauge.reset()
        for (const [peer, link] of links()) {
          const value = read(link)
          if (value !== undefined) gauge.set({ peer }, value)
        }
      })
    each('sojourn_link_up', '1 where a peer is linked', ({ state }) => (state === 'down' ? 0 : 1))
    each('sojourn_link_live', '1 where commits are sent as they come', ({ state }) => (state === 'live' ? 1 : 0))
    each(
      'sojourn_link_lag_seconds',
      'Age of the oldest commit that a peer has not acknowledged',
      ({ lag }) => lag / 1_000,
    )
    each('sojourn_link_unacked_commits', 'Commits that a peer has not acknowledged', ({ unacked }) => unacked)
    each('sojourn_link_to_receive_commits', 'Commits of a peer that are not held here', ({ toReceive }) => toReceive)
    each('sojourn_link_rtt_seconds', 'Round trip', ({ rtt }) => (rtt === undefined ? undefined : rtt / 1_000))
    each('sojourn_link_clock_skew_seconds', "How far a peer's clock is ahead", ({ skew }) => skew / 1_000)
    each('sojourn_link_buffered_bytes', 'Bytes that wait for the socket', ({ bufferedBytes }) => bufferedBytes)
    this.#total('sojourn_link_bytes_total', 'Bytes of frames, by peer and direction', ['peer', 'direction'], (set) => {
      for (const [peer, { bytes }] of links()) {
        set({ peer, direction: 'sent' }, bytes.sent)
        set({ peer, direction: 'received' }, bytes.received)
      }
    })
  }

  #watchFailures(replica: Replica): void {
    this.#total(
      'sojourn_link_failures_total',
      'Connections with peers that did not come about, or were lost, by reason',
      ['peer', 'reason'],
      (set) => {
        for (const [peer, { failures }] of Object.entries(replica.status().links))
          for (const [reason, count] of Object.entries(failures)) set({ peer, reason }, count)
      },
    )
  }

  #watchClients(): void {
    const now = this.#options.clients
    const gauge = (name: string, help: string, read: (status: ClientsStatus) => number) =>
      this.#gauge(name, help, [], (each) => each.set(read(now() ?? NO_CLIENTS)))
    gauge('sojourn_client_connections', 'Connections of clients', ({ connections }) => connections)
    gauge('sojourn_client_in_flight', 'Requests of clients that wait for their answers', ({ inFlight }) => inFlight)
    gauge('sojourn_client_remembered', 'Answers kept for when a write comes again', ({ remembered }) => remembered)
    gauge('sojourn_client_watched', 'Sessions that clients keep a copy of', ({ watched }) => watched)
    this.#gauge('sojourn_client_kept_bytes', 'Bytes kept for clients, by what for', ['what'], (each) => {
      const { quorums: _, ...kept } = (now() ?? NO_CLIENTS).kept
      for (const [what, bytes] of Object.entries(kept)) each.set({ what }, bytes)
    })
    gauge(
      'sojourn_client_quorums',
      'Requests of clients that may wait for other regions',
      ({ kept: { quorums } }) => quorums,
    )
    this.#total(
      'sojourn_client_exceeded_total',
      'Times that there was no room for what a client wanted kept, by what for',
      ['what'],
      (set) => {
        for (const [what, count] of Object.entries((now() ?? NO_CLIENTS).exceeded)) set({ what }, count)
      },
    )
    const total = (name: string, help: string, read: (totals: ClientsStatus['totals']) => number) =>
      this.#total(name, help, [], (set) => set({}, read((now() ?? NO_CLIENTS).totals)))
    total('sojourn_client_accepted_total', 'Clients that were let in', ({ accepted }) => accepted)
    total('sojourn_client_requests_total', 'Requests of clients', ({ requests }) => requests)
    total(
      'sojourn_client_retries_total',
      'Writes that came again, and were answered from memory',
      (totals) => totals.answeredFromMemory,
    )
    total('sojourn_client_invalidations_total', 'Changes that clients were sent', (totals) => totals.invalidations)
    this.#total('sojourn_client_bytes_total', 'Bytes of frames of clients', ['direction'], (set) => {
      const { bytesIn, bytesOut } = (now() ?? NO_CLIENTS).totals
      set({ direction: 'received' }, bytesIn)
      set({ direction: 'sent' }, bytesOut)
    })
    this.#total(
      'sojourn_client_refused_total',
      'Connections and frames of clients that were refused',
      ['code'],
      (set) => {
        for (const [code, count] of Object.entries((now() ?? NO_CLIENTS).totals.refused)) set({ code }, count ?? 0)
      },
    )
  }

  #counter(name: string, help: string, ...labelNames: string[]): Counter {
    return new Counter({ name, help, labelNames, registers: [this.registry] })
  }

  #gauge(name: string, help: string, labelNames: string[], read: (gauge: Gauge) => void | Promise<void>): void {
    new Gauge({
      name,
      help,
      labelNames,
      registers: [this.registry],
      collect() {
        return read(this)
      },
    })
  }

  /** A count that is kept elsewhere. */
  #total(
    name: string,
    help: string,
    labelNames: string[],
    read: (set: (labels: Record<string, string>, value: number) => void) => void,
  ): void {
    new Counter({
      name,
      help,
      labelNames,
      registers: [this.registry],
      collect() {
        this.reset()
        read((labels, value) => this.inc(labels, value))
      },
    })
  }
}

const NOTHING = Object.fromEntries(KINDS.map((kind) => [kind, 0])) as ClientsStatus['kept']

const NO_CLIENTS: ClientsStatus = {
  connections: 0,
  unauthenticated: { connections: 0, evicted: 0 },
  inFlight: 0,
  remembered: 0,
  watched: 0,
  kept: NOTHING,
  exceeded: NOTHING,
  totals: noTotals(),
}
