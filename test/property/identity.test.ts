/** Secrets, logins and cutoffs: what opens a session, whose it is, and what ends it, in whatever order regions hear of it. */
import type { Cutoff, CutoffEntry, LiveRecord, SessionRecord, Stamp } from '@sojourn/core/internal'
import {
  compareStamps,
  cutBy,
  cutSession,
  decodeRecord,
  elevateSession,
  encodeRecord,
  isSojournError,
  joinCredentials,
  joinCutoffs,
  joinRecords,
  newCredentials,
  opening,
  recordVersion,
  rotateSecret,
  sameRecord,
  supersede,
  versionHash,
  withCutoff,
} from '@sojourn/core/internal'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type CredentialEntry,
  credentialBytes,
  cutoffs,
  exceptions,
  identities,
  newRecordOf,
} from '../support/records.js'
import { runs } from '../support/runs.js'
import { createdFold, RECORD_LIMITS } from '../support/worlds.js'

const ACTORS = ['0a', '0b', '0c'].map((byte) => byte.repeat(16))
const KEY = '5e'.repeat(16)
const SUBJECT = 'e1'.repeat(16)
const USE = { renewal: {}, stamps: ACTORS[0]! }
const NOW = 30_000
const secretOf = (n: number): string => n.toString(16).padStart(32, '0')
const live = createdFold({ n: 1 }, ACTORS[0]!)
const base = (secret: number): LiveRecord => ({
  ...newRecordOf(live, ACTORS[0]!),
  identity: { authentication: undefined, credentials: newCredentials(secretOf(secret), 0) },
})
const nextOf = (decided: object): SessionRecord => {
  if (!('next' in decided)) throw (decided as { refusal: unknown }).refusal
  return decided.next as SessionRecord
}

describe('secrets', () => {
  /** Up to more than are remembered. */
  const sets = fc
    .uniqueArray(fc.tuple(fc.nat(60), fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 99 }))), {
      selector: ([n]) => n,
      minLength: 1,
      maxLength: 32,
    })
    .map((list) => credentialBytes(list.map(([n, until]): CredentialEntry => [secretOf(n), (n * 7) % 50, until])))

  test('[CONV-1] their join is associative, commutative and idempotent, also where there are more than are remembered', () => {
    fc.assert(
      fc.property(sets, sets, sets, (a, b, c) => {
        const ab = joinCredentials(a, b)!
        expect(joinCredentials(a, a)).toBe(a)
        expect(joinCredentials(b, a)).toEqual(ab)
        expect(joinCredentials(ab, b)).toEqual(ab)
        expect(joinCredentials(ab, c)).toEqual(joinCredentials(a, joinCredentials(b, c)))
        expect(ab.length).toBeLessThanOrEqual(32 * 32)
      }),
      { numRuns: runs(500) },
    )
  })

  test('[CRED-1] a secret opens until it is superseded, and for the grace after that', () => {
    const made = newCredentials(secretOf(1), 100)
    expect(opening(made, secretOf(1), 1e15)).toBe('open')
    expect(opening(made, secretOf(2), 100)).toBe('unknown')
    expect(opening(made, undefined, 100)).toBe('unknown')
    expect(opening(undefined, secretOf(1), 100)).toBe('unknown')
    expect(opening(undefined, undefined, 100)).toBe('open')
    const rotated = supersede(made, secretOf(1), secretOf(2), 200, 50)
    expect(opening(rotated, secretOf(1), 249)).toBe('open')
    expect(opening(rotated, secretOf(1), 250)).toBe('reused')
    expect(opening(rotated, secretOf(2), 250)).toBe('open')
    // A second rotation of the same secret cannot lengthen its grace.
    const twice = supersede(rotated, secretOf(1), secretOf(3), 240, 500)
    expect(opening(twice, secretOf(1), 250)).toBe('reused')
    expect(opening(supersede(made, secretOf(1), secretOf(2), 200, 0), secretOf(1), 200)).toBe('reused')
  })

  test('[CRED-2] after any rotations, each latest secret opens, and no one that was superseded', () => {
    const step = fc.record({ at: fc.nat(2), shown: fc.nat(99), join: fc.option(fc.nat(2), { nil: undefined }) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const regions = ACTORS.map(() => base(0))
        // What each region knows: which secrets there are, and which were superseded.
        const known = ACTORS.map(() => ({ all: new Set([0]), old: new Set<number>() }))
        let made = 0
        let now = NOW
        for (const { at, shown, join } of steps) {
          now += 10
          const mine = known[at]!
          if (join !== undefined) {
            regions[at] = joinRecords(regions[at]!, regions[join]!) as LiveRecord
            for (const secret of known[join]!.all) mine.all.add(secret)
            for (const secret of known[join]!.old) mine.old.add(secret)
            continue
          }
          const open = [...mine.all].filter((secret) => !mine.old.has(secret))
          const secret = open[shown % open.length]!
          const request = { shown: secretOf(secret), next: secretOf(++made), graceMs: 0, ...USE }
          regions[at] = nextOf(rotateSecret(regions[at], now, request)) as LiveRecord
          mine.all.add(made)
          mine.old.add(secret)
        }
        for (const [place, { all, old }] of known.entries())
          for (const secret of all) {
            const { credentials } = regions[place]!.identity!
            expect(opening(credentials, secretOf(secret), now)).toBe(old.has(secret) ? 'reused' : 'open')
          }
      }),
      { numRuns: runs(200) },
    )
  })

  test('[CRED-3] no secret that was made before a login opens what the login made, wherever and whenever it was made', () => {
    const elevated = (record: SessionRecord, secret: number, now: number, actor: string) =>
      nextOf(
        elevateSession(record, now, {
          identity: {
            secret: secretOf(secret),
            authentication: {
              stamp: { time: now, count: 0, actor },
              subject: SUBJECT,
              details: authentication.details,
            },
          },
          lifetimeMs: 50_000,
          renewal: {},
          stamps: actor,
        }),
      ) as LiveRecord
    const authentication = fc.sample(
      identities.filter((one) => one?.authentication !== undefined),
      1,
    )[0]!.authentication!
    const before = base(0)
    const login = elevated(before, 1, NOW, ACTORS[1]!)
    // Somebody who had the old secret rotates it elsewhere, at the same time or later by the clock.
    for (const now of [NOW - 5, NOW, NOW + 20_000]) {
      const request = { shown: secretOf(0), next: secretOf(9), graceMs: 10_000, ...USE }
      const rotated = nextOf(rotateSecret(before, now, request))
      for (const joined of [joinRecords(login, rotated), joinRecords(rotated, login)] as LiveRecord[]) {
        const { credentials } = joined.identity!
        expect(opening(credentials, secretOf(1), now)).toBe('open')
        expect(opening(credentials, secretOf(0), now)).toBe('unknown')
        expect(opening(credentials, secretOf(9), now)).toBe('unknown')
        expect(joined.limit.deadline).toBe(NOW + 50_000)
      }
    }
    // Of two logins at one time the later one counts, whole.
    const second = elevated(before, 2, NOW + 1, ACTORS[2]!)
    const both = joinRecords(login, second) as LiveRecord
    expect(both).toEqual(joinRecords(second, login))
    expect(opening(both.identity!.credentials, secretOf(2), NOW)).toBe('open')
    expect(opening(both.identity!.credentials, secretOf(1), NOW)).toBe('unknown')
  })
})

describe('cutoffs', () => {
  test('[CONV-1] their join is associative, commutative and idempotent', () => {
    fc.assert(
      fc.property(cutoffs, cutoffs, cutoffs, (a, b, c) => {
        const ab = joinCutoffs(a, b)!
        expect(joinCutoffs(a, a)).toBe(a)
        expect(joinCutoffs(b, a)).toEqual(ab)
        expect(joinCutoffs(ab, b)).toEqual(ab)
        expect(joinCutoffs(ab, c)).toEqual(joinCutoffs(a, joinCutoffs(b, c)))
      }),
      { numRuns: runs(500) },
    )
  })

  test('[WIRE-2] a tombstone with cutoffs is read back as it was written, and every other one has another version', () => {
    const tombstone = (cutoff: Cutoff): SessionRecord => ({
      kind: 'ended',
      end: { reason: 'revoked', stamp: { time: 1, count: 0, actor: ACTORS[0]! }, horizon: 9 },
      cutoff,
    })
    fc.assert(
      fc.property(cutoffs, cutoffs, fc.nat(), fc.nat(255), (a, b, at, byte) => {
        const [one, other] = [tombstone(a), tombstone(b)]
        const bytes = encodeRecord(one)
        expect(decodeRecord(bytes, RECORD_LIMITS)).toEqual(one)
        const isSame = Buffer.compare(bytes, encodeRecord(other)) === 0
        expect(sameRecord(one, other)).toBe(isSame)
        expect(recordVersion(one) === recordVersion(other)).toBe(isSame)
        expect(versionHash(KEY, one).low === versionHash(KEY, other).low).toBe(isSame)
        const forged = Buffer.from(bytes)
        forged[at % forged.length] = byte
        try {
          expect(Buffer.from(encodeRecord(decodeRecord(forged, RECORD_LIMITS)))).toEqual(forged)
        } catch (error) {
          if (!isSojournError(error, 'RECORD_INVALID')) throw error
        }
      }),
      { numRuns: runs(400) },
    )
  })

  const stamp = fc.record({ time: fc.nat(8), count: fc.nat(1), actor: fc.constantFrom(...ACTORS) })
  const keyOf = (n: number): string => `a${n}`.repeat(16)
  const entry: fc.Arbitrary<CutoffEntry> = fc
    .tuple(stamp, exceptions([0, 1, 2].map(keyOf), stamp))
    .map(([at, except]) => ({ stamp: at, reason: 'revoked', except, horizon: 1_000 }))

  test('[CUT-1] ends what was authenticated at or before it, but for its exceptions; what covers another one says no less', () => {
    fc.assert(
      fc.property(fc.array(entry, { minLength: 1, maxLength: 6 }), stamp, fc.nat(2), (entries, login, n) => {
        const cutoff = entries.reduce<Cutoff | undefined>((made, each) => withCutoff(made, SUBJECT, each), undefined)!
        const known = entries.flatMap(({ except }) => except.filter(({ key }) => key === keyOf(n)))
        const isCut = entries.some(
          (each) => compareStamps(login, each.stamp) <= 0 && !each.except.some(({ key }) => key === keyOf(n)),
        )
        const authentication = { stamp: login, subject: SUBJECT, details: new Uint8Array(0) }
        const of = (subject: string) => ({
          identity: { authentication: { ...authentication, subject }, credentials: undefined },
        })
        const found = cutBy(cutoff, keyOf(n), of(SUBJECT)) !== undefined
        // Where somebody knew of a later login, what went before that one is left to whoever has it.
        if (known.every(({ since }) => since === undefined || compareStamps(since, login) <= 0))
          expect(found).toBe(isCut)
        else if (found) expect(isCut).toBe(true)
        expect(cutBy(cutoff, keyOf(n), of('e2'.repeat(16)))).toBeUndefined()
        expect(cutBy(cutoff, keyOf(n), {})).toBeUndefined()
      }),
      { numRuns: runs(500) },
    )
  })

  test('[CUT-1] ends that each spare the session which logged in last are one', () => {
    let cutoff: Cutoff | undefined
    const at = (time: number): Stamp => ({ time, count: 0, actor: ACTORS[0]! })
    for (let n = 1; n <= 1_000; n++) {
      const except = [{ key: n.toString(16).padStart(32, '0'), since: at(2 * n) }]
      cutoff = withCutoff(cutoff, SUBJECT, { stamp: at(2 * n + 1), reason: 'revoked', except, horizon: 1e6 + n })
    }
    expect(cutoff!.entries).toHaveLength(1)
  })

  test('[CUT-2] what is cut off is the same tombstone, whenever a region hears of it', () => {
    const loggedIn = (secret: number, at: Stamp): LiveRecord => ({
      ...base(secret),
      identity: {
        authentication: { stamp: at, subject: SUBJECT, details: new Uint8Array(0) },
        credentials: newCredentials(secretOf(secret), 0),
      },
    })
    const before = { time: NOW, count: 0, actor: ACTORS[0]! }
    const cut: CutoffEntry = { stamp: { ...before, time: NOW + 1 }, reason: 'revoked', except: [], horizon: 1e6 }
    const record = loggedIn(1, before)
    const here = cutSession(KEY, record, cut).next!
    const rotated = nextOf(rotateSecret(record, NOW, { shown: secretOf(1), next: secretOf(2), graceMs: 0, ...USE }))
    const there = cutSession(KEY, rotated as LiveRecord, cut).next!
    expect(there).toEqual(here)
    expect(joinRecords(here, rotated)).toEqual(here)
  })
})
