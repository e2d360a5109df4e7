/** What logins, new secrets and cutoffs make of a record: pure decisions, as those of `decide.ts`. */
import { newCredentials, supersede } from './credentials.js'
import { type CutoffEntry, MAX_OWN_ENTRIES, withCutoff } from './cutoff.js'
import { type Decided, type Decision, notFound, type Writer } from './decide.js'
import type { Edit } from './document/diff.js'
import { EMPTY_FOLD } from './document/fold.js'
import { mutate } from './document/mutate.js'
import type { ActorId } from './document/op.js'
import { SojournError } from './errors.js'
import { type NewIdentity, newIdentity, type SubjectHash } from './identity.js'
import type { SecretHash, SessionKey } from './key.js'
import { type End, joinEnds, openLease, type Renewal, renewLease } from './lifetime.js'
import { type EndedRecord, isVisible, type LiveRecord, type SessionRecord } from './record.js'
import { type Parts, withParts } from './resting-record.js'

/** A login: a new secret, a subject and a new limit, in one commit. What opened the session until now does not do so any more. */
export const elevateSession = (
  current: SessionRecord | undefined,
  now: number,
  request: {
    readonly identity: NewIdentity
    readonly lifetimeMs: number
    readonly renewal: Renewal
    readonly stamps: ActorId
  },
): Decided => {
  if (current === undefined || !isVisible(current, now)) return notFound()
  const { identity, lifetimeMs, renewal, stamps } = request
  const { createdAt, horizon } = current.limit
  const next = withParts(current, {
    lease: renewLease(current.lease, now, stamps, renewal),
    limit: { createdAt, deadline: now + lifetimeMs, horizon: Math.max(horizon, now + lifetimeMs) },
    identity: newIdentity(identity, current.identity?.authentication?.stamp, now, stamps),
    others: current.others,
  })
  return { next, item: undefined, event: { name: 'elevated' } }
}

/** The same session under another secret, which is a use; the one that was shown opens it for a grace. */
export const rotateSecret = (
  current: SessionRecord | undefined,
  now: number,
  request: {
    readonly shown: SecretHash
    readonly next: SecretHash
    readonly graceMs: number
    readonly renewal: Renewal
    readonly stamps: ActorId
  },
): Decided => {
  if (current === undefined || !isVisible(current, now) || !current.identity?.credentials) return notFound()
  const { shown, next, graceMs, renewal, stamps } = request
  const { authentication, credentials } = current.identity
  const identity = { authentication, credentials: supersede(credentials, shown, next, now, graceMs) }
  return {
    next: withParts(current, { ...partsOf(current), lease: renewLease(current.lease, now, stamps, renewal), identity }),
    item: undefined,
    event: { name: 'rotated' },
  }
}

const partsOf = ({ lease, limit, identity, others }: LiveRecord): Parts => ({ lease, limit, identity, others })

/** What a cutoff makes of a session that it ends: the same in every region, whenever the two meet. */
const cutRecord = (record: LiveRecord, { reason, stamp }: CutoffEntry): EndedRecord => ({
  kind: 'ended',
  end: { reason, stamp, horizon: record.limit.horizon },
})

/** A session that is found to be cut off ends. */
export const cutSession = (key: SessionKey, record: LiveRecord, entry: CutoffEntry): Decision => {
  const next = cutRecord(record, entry)
  return { next, item: { type: 'end', key, end: next.end }, event: { name: 'ended', reason: entry.reason } }
}

/** One more cutoff of a subject. */
export const cutOff = (current: SessionRecord | undefined, subject: SubjectHash, entry: CutoffEntry): Decided => {
  const before = current?.kind === 'ended' ? current : undefined
  const cutoff = withCutoff(before?.cutoff, subject, entry)
  // What other regions have made is not ours to refuse, nor is what comes in the place of other ones.
  if (cutoff.entries.length > Math.max(MAX_OWN_ENTRIES, before?.cutoff?.entries.length ?? 0)) {
    const why = `${MAX_OWN_ENTRIES} cutoffs of this subject have exceptions that were not known. End the subject without exceptions`
    return { refusal: new SojournError('OVERLOADED', why, { limit: MAX_OWN_ENTRIES }) }
  }
  const end = before ? joinEnds(before.end, endOf(entry)) : endOf(entry)
  const next: EndedRecord = { kind: 'ended', end, cutoff, ...(before?.others && { others: before.others }) }
  return { next, item: undefined, event: undefined }
}

const endOf = ({ reason, stamp, horizon }: CutoffEntry): End => ({ reason, stamp, horizon })

/** The session that goes on under another id; the one under the old id is to be ended with it. */
export const succeedSession = (
  current: SessionRecord | undefined,
  now: number,
  request: {
    readonly edits: () => readonly Edit[]
    readonly writer: Writer
    /** Of the new id. */
    readonly secret: SecretHash
    /** A login; undefined: it goes on as it is. */
    readonly login?: {
      readonly identity: NewIdentity
      readonly lifetimeMs: number
      readonly prolongedMs: number
      /** Undefined: the one that it has. */
      readonly idleTimeoutMs?: number | undefined
    }
  },
): Decided => {
  if (current === undefined || !isVisible(current, now)) return notFound()
  const { edits, writer, secret, login } = request
  const { authentication } = current.identity ?? {}
  const deadline = now + (login?.lifetimeMs ?? 0)
  const next: LiveRecord = {
    kind: 'live',
    document: mutate(EMPTY_FOLD, writer.actorFor([]), edits())?.fold ?? EMPTY_FOLD,
    lease: openLease(login?.idleTimeoutMs ?? current.lease.idleTimeoutMs, now, writer.stamps),
    limit: login
      ? { createdAt: current.limit.createdAt, deadline, horizon: deadline + login.prolongedMs }
      : current.limit,
    identity: (login && newIdentity(login.identity, authentication?.stamp, now, writer.stamps)) ?? {
      authentication,
      credentials: newCredentials(secret, now),
    },
    ...(current.others && { others: current.others }),
  }
  return { next, item: undefined, event: { name: 'created' } }
}
