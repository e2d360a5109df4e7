/** What the admin listener answers, route by route. */
import {
  type Clock,
  type EndReceipt,
  isSojournError,
  type SessionApi,
  SojournError,
  systemRandom,
} from '@sojourn/core/internal'
import type { KeyRing, Replica } from '@sojourn/replica'
import {
  ADMIN_END_REASON,
  type AdminAnswer,
  type AdminRequest,
  type AdminStatus,
  DIGEST_SLICES,
  type Member,
  type Notice,
} from '@sojourn/wire'
import { encodeBackup } from '../backup/format.js'
import { BackupSeal } from '../backup/sealing.js'
import type { Logger } from '../log.js'
import { endAllInLines } from './end-all.js'
import type { AdminHandlers } from './listener.js'

export interface AdminHost {
  readonly replica: Replica
  readonly sessions: SessionApi
  readonly clock: Clock
  /** How long a receipt waits for regions that are linked, milliseconds. */
  readonly receiptWaitMs: number
  readonly version: string
  readonly status: () => AdminStatus
  readonly metrics: () => Promise<{ readonly type: string; readonly text: string }>
  readonly members: {
    list(): readonly Member[]
    add(region: string, url: string | null, admin: string | undefined): void
    remove(region: string): boolean
  }
  readonly sendMembers: () => Promise<{ readonly [region: string]: Notice }>
  /** The key ring, read anew; undefined: the store is in the clear. @throws INVALID_OPTION */
  readonly readKeys: () => KeyRing | undefined
  readonly log: Pick<Logger, 'info' | 'error'>
}

/** Everything that the admin listener offers. */
export const adminHandlers = (host: AdminHost): AdminHandlers => {
  const { replica, sessions, members } = host
  return {
    livez: () => ({ text: 'ok\n' }),
    readyz: () => {
      const { ready, reasons } = host.status()
      return ready ? { text: 'ok\n' } : { status: 503, text: `${reasons.join('\n')}\n` }
    },
    metrics: host.metrics,
    status: host.status,
    session: (request) => callSession(sessions, request),
    sessions: ({ subject }) => sessions.sessionsOf(subject),
    end: (request) => endSessions(sessions, request),
    endAll: (request) => endAllInLines(host, request),
    digests: async ({ asOf = host.clock.now() }) => {
      const slices = []
      for (let slice = 0; slice < DIGEST_SLICES; slice++) slices.push(await replica.digest(slice, asOf))
      return { region: replica.region, asOf, slices }
    },
    versions: async ({ slice, asOf }) => ({ versions: await replica.versions(slice, asOf) }),
    repair: async () => {
      await replica.compareDigests()
      return {}
    },
    rekey: () => {
      rekey(host)
      return {}
    },
    backup: (request) => backUp(host, request),
    members: async (request) => {
      let changed = true
      if (request.call === 'add') members.add(request.region, request.url, request.admin)
      else changed = members.remove(request.region)
      return { changed, members: members.list(), notified: await host.sendMembers() }
    },
  }
}

const backUp = async (host: AdminHost, { seal: wanted = 'ring' }: AdminRequest<'backup'>) => {
  const { replica, clock, version, log } = host
  const about = { region: replica.region, takenAt: clock.now(), version }
  const keys = host.readKeys()
  if (keys !== undefined && wanted === 'none')
    log.info({}, 'an encrypted store is backed up without the seal of its ring')
  const seal = keys && wanted === 'ring' ? await BackupSeal.begin(keys, systemRandom, about) : undefined
  return { stream: encodeBackup(about, replica.rows(), seal) }
}

/** Begins a rekey, or leaves the one that is under way; the status says how far it is. @throws INVALID_OPTION where the store is in the clear */
const rekey = ({ replica, readKeys, log }: AdminHost): void => {
  const keys = readKeys()
  if (keys === undefined)
    throw new SojournError(
      'INVALID_OPTION',
      'encryptionKeys is not set: the store is in the clear. Take a backup, and restore it with keys',
      {
        option: 'encryptionKeys',
      },
    )
  const { encryption } = replica.status()
  if (encryption?.isRekeying && encryption.active === keys.active) return
  log.info({ active: keys.active }, 'rekeying')
  replica.rekey(keys).then(
    () => log.info({ active: keys.active }, 'rekeyed'),
    (error: unknown) => log.error({ why: isSojournError(error) ? error.message : String(error) }, 'rekey failed'),
  )
}

const callSession = async (
  sessions: SessionApi,
  { call, id, level, reason = ADMIN_END_REASON }: AdminRequest<'session'>,
): Promise<AdminAnswer<'session'>> => {
  const write = level !== undefined && { write: level }
  if (call === 'end') return { found: await sessions.end(id, { ...write, reason }) }
  const session =
    call === 'get'
      ? await sessions.get(id, level === undefined ? {} : { read: level })
      : await sessions.touch(id, { ...write })
  if (session === undefined) return { found: false }
  const { data, createdAt, expiresAt, handle, lastUsedAt, subject, device, auth } = session
  return { found: true, session: { data, createdAt, expiresAt, handle, lastUsedAt, subject, device, auth } }
}

const endSessions = (sessions: SessionApi, request: AdminRequest<'end'>): Promise<EndReceipt> => {
  const { write, reason = ADMIN_END_REASON } = request
  const options = { write, reason }
  return request.call === 'handle'
    ? sessions.endHandle(request.handle, options)
    : sessions.endSubject(request.subject, { ...options, except: request.except })
}
