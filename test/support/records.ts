import type {
  ActorId,
  Cutoff,
  End,
  Exception,
  Fold,
  Identity,
  Lease,
  Limit,
  LiveRecord,
  SessionRecord,
  Stamp,
} from '@sojourn/core/internal'
import { END_REASONS, encodeDetails, openLease, withCutoff } from '@sojourn/core/internal'
import fc from 'fast-check'
import { mapWorlds } from './map-worlds.js'
import { type World, worlds } from './worlds.js'

/** Random records of one session: documents that know of each other, under every lease, limit and end. */

export interface Life {
  /** When it was created, and used last. */
  readonly now?: number
  readonly idleMs?: number
  readonly lifeMs?: number
}

/** The record of a session that was just created, with this document. */
export const newRecordOf = (
  document: Fold,
  actor: ActorId,
  { now = 1_000, idleMs = 60_000, lifeMs = 89_000 }: Life = {},
): LiveRecord => ({
  kind: 'live',
  document,
  lease: openLease(idleMs, now, actor),
  limit: { createdAt: now, deadline: now + lifeMs, horizon: now + lifeMs },
})

const stamps: fc.Arbitrary<Stamp> = fc.record({
  time: fc.nat(6),
  count: fc.nat(2),
  actor: fc.nat(2).map((index) => (index * 0x55).toString(16).padStart(2, '0').repeat(16)),
})

/** What a stamp stands for: nobody stamps two things alike, so equal stamps come with equal contents. */
const drawnFrom = ({ time, count, actor }: Stamp): number => (time * 31 + count * 7 + actor.charCodeAt(0)) % 97

export const leases: fc.Arbitrary<Lease> = fc.tuple(stamps, fc.nat(300)).map(([stamp, beyond]) => {
  const deadline = stamp.time + 1_000 + drawnFrom(stamp) * 10
  return { stamp, idleTimeoutMs: 1_000 + drawnFrom(stamp), deadline, horizon: deadline + beyond }
})

export const limits: fc.Arbitrary<Limit> = fc
  .record({ createdAt: fc.nat(50), lifetime: fc.integer({ min: 1, max: 5_000 }), more: fc.nat(100) })
  .map(({ createdAt, lifetime, more }) => ({
    createdAt,
    deadline: createdAt + lifetime,
    horizon: createdAt + lifetime + more,
  }))

export const ends: fc.Arbitrary<End> = fc.tuple(stamps, fc.nat(9_000)).map(([stamp, horizon]) => ({
  reason: END_REASONS[drawnFrom(stamp) % END_REASONS.length]!,
  stamp,
  horizon,
}))

/** A secret's hash, when it was added, and until when it opens the session (0: nobody has superseded it). */
export type CredentialEntry = readonly [secret: string, added: number, until: number]

/** As SPEC has them ("Record format"): sixteen bytes and two doubles each, by the time and then the hash. */
export const credentialBytes = (entries: readonly CredentialEntry[]): Uint8Array => {
  const sorted = entries.toSorted(([a, x], [b, y]) => x - y || (a < b ? -1 : 1))
  return new Uint8Array(
    Buffer.concat(
      sorted.map(([secret, added, until]) => {
        const times = Buffer.alloc(16)
        times.writeDoubleLE(added)
        times.writeDoubleLE(until, 8)
        return Buffer.concat([Buffer.from(secret, 'hex'), times])
      }),
    ),
  )
}

export const credentials: fc.Arbitrary<Uint8Array> = fc
  .uniqueArray(fc.tuple(fc.nat(5), fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 9 }))), {
    selector: ([n]) => n,
    minLength: 1,
  })
  .map((list) => credentialBytes(list.map(([n, until]) => [`0${n}`.repeat(16), n % 3, until])))

const subjectOf = (n: number): string => `e${n % 2}`.repeat(16)

export const identities: fc.Arbitrary<Identity | undefined> = fc
  .tuple(fc.option(stamps, { nil: undefined }), fc.option(credentials, { nil: undefined }))
  .map(([stamp, secrets]) => {
    if (stamp === undefined) return secrets && { authentication: undefined, credentials: secrets }
    const n = drawnFrom(stamp)
    const sealedSubject = n % 5 === 0 ? undefined : Uint8Array.of(n, 1)
    const details = encodeDetails({
      sealedSubject,
      device: n % 3 === 0 ? undefined : `device ${n}`,
      time: n,
      acr: undefined,
      amr: n % 2 === 0 ? [] : ['pwd'],
      region: 'eu',
    })
    const subject = sealedSubject && subjectOf(n)
    return { authentication: { stamp, subject, details }, credentials: secrets }
  })

/** Some sessions, each as its region knew it. @param keys in order */
export const exceptions = (keys: readonly string[], since: fc.Arbitrary<Stamp>): fc.Arbitrary<Exception[]> =>
  fc
    .subarray([...keys])
    .chain((some) =>
      fc.tuple(...some.map((key) => fc.record({ key: fc.constant(key), since: fc.option(since, { nil: undefined }) }))),
    )

const entry = fc
  .tuple(
    stamps,
    exceptions(
      ['a', 'b', 'c'].map((digit) => digit.repeat(32)),
      stamps,
    ),
  )
  .map(([stamp, except]) => ({
    stamp,
    reason: END_REASONS[drawnFrom(stamp) % END_REASONS.length]!,
    except,
    horizon: stamp.time + 3 + (drawnFrom(stamp) % 3),
  }))

/** Of one subject. None covers another, as a region that made them one after the other has them. */
export const cutoffs: fc.Arbitrary<Cutoff> = fc
  .array(entry, { minLength: 1, maxLength: 5 })
  .map(
    (entries) => entries.reduce<Cutoff | undefined>((made, each) => withCutoff(made, subjectOf(1), each), undefined)!,
  )

export interface Records {
  readonly list: readonly SessionRecord[]
  readonly world: World
}

/** The documents of a world's history, mostly live. */
export const records: fc.Arbitrary<Records> = fc
  .tuple(
    fc.oneof(worlds(20), mapWorlds(5)),
    fc.array(fc.tuple(leases, limits, fc.option(ends, { freq: 8, nil: undefined }), identities), {
      minLength: 1,
      maxLength: 8,
    }),
    fc.integer({ min: 0, max: 9 }),
  )
  .map(([world, lives, mostlyLive]) => ({
    world,
    list: world.states.map(({ fold }, index): SessionRecord => {
      const [lease, limit, end, identity] = lives[index % lives.length]!
      return end === undefined || mostlyLive > 2
        ? { kind: 'live', document: fold, lease, limit, ...(identity && { identity }) }
        : { kind: 'ended', end }
    }),
  }))
