import { END_REASONS, type EndReason, type Level, type SessionApi, SojournError } from '@sojourn/core/internal'
import { DIGEST_SLICES, type Replica, type ReplicaStatus, type UnauthenticatedStatus } from '@sojourn/replica'
import { z } from 'zod'
import { encodeBackup } from '../backup/format.js'
import type { ClientsStatus } from '../clients/listener.js'
import type { Told } from '../members/gossip.js'
import type { Member } from '../members/members.js'
import type { Routes } from './listener.js'

/** What /status tells. */
export interface AdminStatus {
  readonly region: string
  readonly version: string
  readonly ready: boolean
  /** Why it is not. */
  readonly reasons: readonly string[]
  readonly uptimeSeconds: number
  /** Calls of the session API since the start. */
  readonly calls: { readonly requests: number; readonly errors: number; readonly seconds: number }
  readonly members: readonly Member[]
  readonly replica: ReplicaStatus
  readonly clients: ClientsStatus | undefined
  /** Connections whose other side is not known yet, by listener. */
  readonly unauthenticated: { readonly [listener: string]: UnauthenticatedStatus }
  readonly listeners: { readonly [name: string]: { readonly host: string; readonly port: number } | undefined }
  /** When certificates are good no more, milliseconds since the epoch. */
  readonly certificates: { readonly [listener: string]: number }
}

export interface AdminHost {
  readonly replica: Replica
  readonly sessions: SessionApi
  readonly now: () => number
  readonly version: string
  readonly status: () => AdminStatus
  readonly metrics: () => Promise<{ readonly type: string; readonly text: string }>
  readonly members: {
    list(): readonly Member[]
    add(region: string, url: string | null, admin: string | undefined): void
    remove(region: string): boolean
  }
  readonly tellMembers: () => Promise<{ readonly [region: string]: Told }>
}

const level = z
  .custom<Level>((value) => typeof value === 'string' || Number.isInteger(value), {
    error: 'give local, majority, all, or a number of regions',
  })
  .optional()
const sessionCall = z.strictObject({
  call: z.enum(['get', 'touch', 'end']),
  id: z.string().min(1).max(4_096),
  level,
  reason: z
    .enum(END_REASONS as readonly [EndReason, ...EndReason[]], { error: `give one of ${END_REASONS.join(', ')}` })
    .optional(),
})
const memberCall = z.discriminatedUnion('call', [
  z.strictObject({
    call: z.literal('add'),
    region: z.string(),
    url: z.union([z.string(), z.null()]),
    admin: z.string().optional(),
  }),
  z.strictObject({ call: z.literal('remove'), region: z.string() }),
])

/** The value is not told: it can be an id. @throws INVALID_OPTION */
const checked = <T>(shape: z.ZodType<T>, value: unknown): T => {
  const parsed = shape.safeParse(value)
  if (parsed.success) return parsed.data
  const { path, message } = parsed.error.issues[0]!
  throw new SojournError('INVALID_OPTION', `${path.join('.') || 'the body'}: ${message}`, { option: path.join('.') })
}

const wholeNumber = (query: URLSearchParams, name: string, max: number): number => {
  const text = query.get(name) ?? ''
  const value = Number(text)
  if (/^\d+$/.test(text) && value <= max) return value
  throw new SojournError('INVALID_OPTION', `${name} is ${JSON.stringify(text)}; give a whole number from 0 to ${max}`, {
    option: name,
  })
}

/** Everything that the admin listener offers. */
export const adminRoutes = (host: AdminHost): Routes => {
  const { replica, sessions, members } = host
  return {
    '/livez': { method: 'GET', scope: 'open', answer: () => ({ text: 'ok\n' }) },
    '/readyz': {
      method: 'GET',
      scope: 'open',
      answer: () => {
        const { ready, reasons } = host.status()
        return ready ? { text: 'ok\n' } : { status: 503, text: `${reasons.join('\n')}\n` }
      },
    },
    '/metrics': { method: 'GET', scope: 'read', openOnLoopback: true, answer: host.metrics },
    '/status': { method: 'GET', scope: 'read', openOnLoopback: true, answer: () => ({ json: host.status() }) },
    '/session': {
      method: 'POST',
      scope: 'admin',
      answer: async ({ body }) => ({ json: await callSession(sessions, checked(sessionCall, body)) }),
    },
    '/digests': {
      method: 'GET',
      scope: 'admin',
      answer: async ({ query }) => {
        const asOf = query.has('asOf') ? wholeNumber(query, 'asOf', Number.MAX_SAFE_INTEGER) : host.now()
        const slices = []
        for (let slice = 0; slice < DIGEST_SLICES; slice++) slices.push(await replica.digest(slice, asOf))
        return { json: { region: replica.region, asOf, slices } }
      },
    },
    '/versions': {
      method: 'GET',
      scope: 'admin',
      answer: async ({ query }) => {
        const asOf = wholeNumber(query, 'asOf', Number.MAX_SAFE_INTEGER)
        return { json: { versions: await replica.versions(wholeNumber(query, 'slice', DIGEST_SLICES - 1), asOf) } }
      },
    },
    '/repair': {
      method: 'POST',
      scope: 'admin',
      answer: async () => {
        await replica.compareDigests()
        return { json: {} }
      },
    },
    '/backup': {
      method: 'GET',
      scope: 'admin',
      answer: () => {
        const header = { region: replica.region, takenAt: host.now(), version: host.version }
        return { stream: encodeBackup(header, replica.rows()) }
      },
    },
    '/members': {
      method: 'POST',
      scope: 'admin',
      answer: async ({ body }) => {
        const call = checked(memberCall, body)
        let changed = true
        if (call.call === 'add') members.add(call.region, call.url, call.admin)
        else changed = members.remove(call.region)
        return { json: { changed, members: members.list(), told: await host.tellMembers() } }
      },
    },
  }
}

/** `found`: whether the session lived. The id is in the question, and is not repeated in the answer. */
const callSession = async (sessions: SessionApi, { call, id, level, reason }: z.output<typeof sessionCall>) => {
  if (call === 'end')
    return {
      found: await sessions.end(id, { ...(level !== undefined && { write: level }), reason: reason ?? 'revoked' }),
    }
  const session =
    call === 'get'
      ? await sessions.get(id, level === undefined ? {} : { read: level })
      : await sessions.touch(id, level === undefined ? {} : { write: level })
  if (session === undefined) return { found: false }
  const { data, createdAt, expiresAt } = session
  return { found: true, session: { data, createdAt, expiresAt } }
}
