import { readFile, writeFile } from 'node:fs/promises'
import { isSojournError, type Replica, type Session } from '@sojourn/replica'
import { describe, expect, it } from 'vitest'
import { openRegions, type Regions, steppedClock } from '../support/region.js'

/*
 * Every pair of operations on one session, concurrently in two regions: the links are cut, eu does the first, us the second,
 * the links heal, and all three regions must agree on what the table below says. docs/conflicts.md is made from the table.
 */

const OPS = [
  'create',
  'set a field',
  'set the same field',
  'delete a field',
  'replace an object',
  'increment',
  'touch',
  'end',
  'rotate',
  'idle expiry',
  'absolute expiry',
] as const
type Op = (typeof OPS)[number]
type Side = 'eu' | 'us'

/** Unordered pairs, each operation with itself included, so that the compiler finds a pair that has no outcome. */
type PairsOf<T extends readonly string[]> = T extends readonly [infer H extends string, ...infer R extends string[]]
  ? `${H} × ${T[number]}` | PairsOf<R>
  : never
type Pair = PairsOf<typeof OPS>

interface Outcome {
  /** For the table: a few words. */
  readonly cell: string
  /** For the list below it: a sentence or two. */
  readonly says: string
  /** What is under the id afterwards, in every region: a session with this data, or what is left of one. */
  readonly after: object | 'ended' | 'expired'
  /** What the call in us gives, where it is not what it gives on a live session. */
  readonly us?: 'SESSION_NOT_FOUND' | 'undefined' | 'false'
  /** What is under each id that a rotation made, in every region. */
  readonly heirs?: readonly (object | 'expired')[]
}

const MINUTE = 60_000
/** When the two regions act; the session is made at 0. */
const ACT_AT = 20 * MINUTE
const IDLE_TIMEOUT = 30 * MINUTE
const LOOK_AT = 31.5 * MINUTE
/** Of the rows with an absolute expiry; the others have 12 hours. */
const SHORT_LIFETIME = 33 * MINUTE
const END_AT = 36 * MINUTE

const SEED = { user: 'ada', views: 1, profile: { name: 'Ada', city: 'London' } }
const seedWith = (changes: { views?: number; profile?: object }) => ({ ...SEED, ...changes })
const profile = (profile: object) => seedWith({ profile })
const oneOf = (...values: string[]): unknown => expect.toBeOneOf(values)

interface Stage {
  readonly id: string
  readonly limits: { readonly idleTimeout: number; readonly maxLifetime: number }
}

/** What an operation does in a region, at the time of the action. Expiries do nothing but let time pass. */
const ACT: { readonly [K in Op]: (replica: Replica, side: Side, stage: Stage) => Promise<unknown> } = {
  create: (replica, side, { id, limits }) =>
    replica.create({ [side]: 'created', name: side }, { id, idleTimeout: limits.idleTimeout }),
  'set a field': (replica, side, { id }) => replica.update(id, { profile: { [side]: 'set' } }),
  'set the same field': (replica, side, { id }) => replica.update(id, { profile: { name: side } }),
  'delete a field': (replica, _, { id }) =>
    replica.update(id, (draft) => {
      delete draft.profile.name
    }),
  'replace an object': (replica, side, { id }) =>
    replica.update(id, (draft) => {
      draft.profile = { name: `new in ${side}`, [`${side}Role`]: 'admin' }
    }),
  increment: (replica, side, { id }) => replica.increment(id, '/views', side === 'eu' ? 1 : 10),
  touch: (replica, _, { id }) => replica.touch(id),
  end: (replica, _, { id }) => replica.end(id),
  rotate: (replica, _, { id }) => replica.rotate(id),
  'idle expiry': async () => {},
  // In use until its limit, so that nothing but the limit ends it.
  'absolute expiry': (replica, _, { id }) => replica.touch(id),
}

const UNSEEN = 'us has not heard of the session, and an update never creates'
const NO_MORE = 'The limit ends it in every region, whatever was done before.'
const GONE_WITH_IT = 'An end is final: the session is ended everywhere'
const OLD_ID = 'The rotation ends the old id everywhere, and an end is final'
const CREATED = { eu: 'created', name: 'eu' }

const MATRIX: { readonly [K in Pair]: Outcome } = {
  'create × create': {
    cell: 'one session',
    says: 'Both chose the same id, so they made one session: it has the fields of both, of a field that both set one value wins, and of creation time and limit the earlier counts.',
    after: { eu: 'created', us: 'created', name: oneOf('eu', 'us') },
  },
  'create × set a field': {
    cell: 'not found; created',
    says: `The edit is refused with SESSION_NOT_FOUND (${UNSEEN}); the created session is everywhere.`,
    after: CREATED,
    us: 'SESSION_NOT_FOUND',
  },
  'create × set the same field': {
    cell: 'not found; created',
    says: `The edit is refused with SESSION_NOT_FOUND (${UNSEEN}); the created session is everywhere.`,
    after: CREATED,
    us: 'SESSION_NOT_FOUND',
  },
  'create × delete a field': {
    cell: 'not found; created',
    says: `The edit is refused with SESSION_NOT_FOUND (${UNSEEN}); the created session is everywhere.`,
    after: CREATED,
    us: 'SESSION_NOT_FOUND',
  },
  'create × replace an object': {
    cell: 'not found; created',
    says: `The edit is refused with SESSION_NOT_FOUND (${UNSEEN}); the created session is everywhere.`,
    after: CREATED,
    us: 'SESSION_NOT_FOUND',
  },
  'create × increment': {
    cell: 'not found; created',
    says: `The increment is refused with SESSION_NOT_FOUND (${UNSEEN}); the created session is everywhere.`,
    after: CREATED,
    us: 'SESSION_NOT_FOUND',
  },
  'create × touch': {
    cell: 'not found; created',
    says: 'The touch gives undefined, for us has not heard of the session; the created session is everywhere.',
    after: CREATED,
    us: 'undefined',
  },
  'create × end': {
    cell: 'ended',
    says: 'The end is final also where the session had not arrived: as us could not ask everybody, it leaves a tombstone, and the created session is ended everywhere.',
    after: 'ended',
    us: 'false',
  },
  'create × rotate': {
    cell: 'not found; created',
    says: `The rotation is refused with SESSION_NOT_FOUND (${UNSEEN}); the created session is everywhere.`,
    after: CREATED,
    us: 'SESSION_NOT_FOUND',
  },
  'create × idle expiry': {
    cell: 'alive',
    says: 'The session that idled out in us under the same id is renewed by the creation in eu: it is alive everywhere, with the fields of both.',
    after: { eu: 'created', us: 'created', name: oneOf('eu', 'us') },
  },
  'create × absolute expiry': {
    cell: 'gone',
    says: 'Under one id the earlier limit counts: once it has passed, the session that eu created under it is gone everywhere, too.',
    after: 'expired',
  },

  'set a field × set a field': {
    cell: 'both stay',
    says: 'Both fields are there, also where they are in one object.',
    after: profile({ name: 'Ada', city: 'London', eu: 'set', us: 'set' }),
  },
  'set a field × set the same field': {
    cell: 'both stay',
    says: 'These are different fields of one object; both edits are there.',
    after: profile({ name: 'us', city: 'London', eu: 'set' }),
  },
  'set a field × delete a field': {
    cell: 'both stay',
    says: 'One field is set, the other one is gone.',
    after: profile({ city: 'London', eu: 'set' }),
  },
  'set a field × replace an object': {
    cell: 'both stay',
    says: 'The object is as it was replaced, plus the field that the other region added to it meanwhile: a replacement takes away only what its writer had seen.',
    after: profile({ name: 'new in us', usRole: 'admin', eu: 'set' }),
  },
  'set a field × increment': {
    cell: 'both stay',
    says: 'The field is set, and the counter counted.',
    after: seedWith({ views: 11, profile: { ...SEED.profile, eu: 'set' } }),
  },
  'set a field × touch': {
    cell: 'both stay',
    says: 'The field is set, and the session renewed.',
    after: profile({ ...SEED.profile, eu: 'set' }),
  },
  'set a field × end': {
    cell: 'ended',
    says: `${GONE_WITH_IT}, and the edit with it.`,
    after: 'ended',
  },
  'set a field × rotate': {
    cell: 'new id, without the edit',
    says: `${OLD_ID}; the new id has the data as us knew it, without the edit, which went to the old id.`,
    after: 'ended',
    heirs: [SEED],
  },
  'set a field × idle expiry': {
    cell: 'alive',
    says: 'An edit is a use, which renews the session: after the heal it is alive everywhere, with the edit.',
    after: profile({ ...SEED.profile, eu: 'set' }),
  },
  'set a field × absolute expiry': { cell: 'gone', says: NO_MORE, after: 'expired' },

  'set the same field × set the same field': {
    cell: 'one wins',
    says: 'One of the two values wins, the same one in every region.',
    after: profile({ name: oneOf('eu', 'us'), city: 'London' }),
  },
  'set the same field × delete a field': {
    cell: 'the value wins',
    says: 'A deletion takes away only what its writer had seen, and it had not seen the new value: the field has it everywhere.',
    after: profile({ name: 'eu', city: 'London' }),
  },
  'set the same field × replace an object': {
    cell: 'one wins, rest replaced',
    says: 'Of the field that both wrote one value wins, the same one in every region; the rest of the object is as it was replaced.',
    after: profile({ name: oneOf('eu', 'new in us'), usRole: 'admin' }),
  },
  'set the same field × increment': {
    cell: 'both stay',
    says: 'The field is set, and the counter counted.',
    after: seedWith({ views: 11, profile: { name: 'eu', city: 'London' } }),
  },
  'set the same field × touch': {
    cell: 'both stay',
    says: 'The field is set, and the session renewed.',
    after: profile({ name: 'eu', city: 'London' }),
  },
  'set the same field × end': {
    cell: 'ended',
    says: `${GONE_WITH_IT}, and the edit with it.`,
    after: 'ended',
  },
  'set the same field × rotate': {
    cell: 'new id, without the edit',
    says: `${OLD_ID}; the new id has the data as us knew it, without the edit, which went to the old id.`,
    after: 'ended',
    heirs: [SEED],
  },
  'set the same field × idle expiry': {
    cell: 'alive',
    says: 'An edit is a use, which renews the session: after the heal it is alive everywhere, with the edit.',
    after: profile({ name: 'eu', city: 'London' }),
  },
  'set the same field × absolute expiry': { cell: 'gone', says: NO_MORE, after: 'expired' },

  'delete a field × delete a field': {
    cell: 'both stay',
    says: 'The field is gone; the object around it stays.',
    after: profile({ city: 'London' }),
  },
  'delete a field × replace an object': {
    cell: 'the value wins',
    says: 'The object is as it was replaced. The field that both wrote has its new value, which the deletion had not seen.',
    after: profile({ name: 'new in us', usRole: 'admin' }),
  },
  'delete a field × increment': {
    cell: 'both stay',
    says: 'The field is gone, and the counter counted.',
    after: seedWith({ views: 11, profile: { city: 'London' } }),
  },
  'delete a field × touch': {
    cell: 'both stay',
    says: 'The field is gone, and the session renewed.',
    after: profile({ city: 'London' }),
  },
  'delete a field × end': {
    cell: 'ended',
    says: `${GONE_WITH_IT}, and the edit with it.`,
    after: 'ended',
  },
  'delete a field × rotate': {
    cell: 'new id, without the edit',
    says: `${OLD_ID}; the new id has the data as us knew it, with the field: the deletion went to the old id.`,
    after: 'ended',
    heirs: [SEED],
  },
  'delete a field × idle expiry': {
    cell: 'alive',
    says: 'An edit is a use, which renews the session: after the heal it is alive everywhere, without the field.',
    after: profile({ city: 'London' }),
  },
  'delete a field × absolute expiry': { cell: 'gone', says: NO_MORE, after: 'expired' },

  'replace an object × replace an object': {
    cell: 'merged',
    says: 'What both had seen and left out is gone; the fields that only one of them wrote are all there; of a field that both wrote one value wins, the same one in every region.',
    after: profile({ name: oneOf('new in eu', 'new in us'), euRole: 'admin', usRole: 'admin' }),
  },
  'replace an object × increment': {
    cell: 'both stay',
    says: 'The object is replaced, and the counter beside it counted.',
    after: seedWith({ views: 11, profile: { name: 'new in eu', euRole: 'admin' } }),
  },
  'replace an object × touch': {
    cell: 'both stay',
    says: 'The object is replaced, and the session renewed.',
    after: profile({ name: 'new in eu', euRole: 'admin' }),
  },
  'replace an object × end': {
    cell: 'ended',
    says: `${GONE_WITH_IT}, and the replacement with it.`,
    after: 'ended',
  },
  'replace an object × rotate': {
    cell: 'new id, without the edit',
    says: `${OLD_ID}; the new id has the data as us knew it, with the object as it was: the replacement went to the old id.`,
    after: 'ended',
    heirs: [SEED],
  },
  'replace an object × idle expiry': {
    cell: 'alive',
    says: 'An edit is a use, which renews the session: after the heal it is alive everywhere, with the new object.',
    after: profile({ name: 'new in eu', euRole: 'admin' }),
  },
  'replace an object × absolute expiry': { cell: 'gone', says: NO_MORE, after: 'expired' },

  'increment × increment': {
    cell: 'adds up',
    says: 'Counters add up: 1, plus 1 in eu, plus 10 in us, is 12 everywhere.',
    after: seedWith({ views: 12 }),
  },
  'increment × touch': {
    cell: 'both stay',
    says: 'The counter counted, and the session is renewed.',
    after: seedWith({ views: 2 }),
  },
  'increment × end': {
    cell: 'ended',
    says: `${GONE_WITH_IT}, and the counter with it.`,
    after: 'ended',
  },
  'increment × rotate': {
    cell: 'new id, without the edit',
    says: `${OLD_ID}; the new id has the count as us knew it, without the increment, which went to the old id.`,
    after: 'ended',
    heirs: [SEED],
  },
  'increment × idle expiry': {
    cell: 'alive',
    says: 'An increment is a use, which renews the session: after the heal it is alive everywhere, with the new count.',
    after: seedWith({ views: 2 }),
  },
  'increment × absolute expiry': { cell: 'gone', says: NO_MORE, after: 'expired' },

  'touch × touch': {
    cell: 'both stay',
    says: 'The later renewal counts, in every region.',
    after: SEED,
  },
  'touch × end': {
    cell: 'ended',
    says: `${GONE_WITH_IT}; a renewal does not bring it back.`,
    after: 'ended',
  },
  'touch × rotate': {
    cell: 'new id',
    says: `${OLD_ID}; the new id lives everywhere, and the renewal of the old one brings nothing back.`,
    after: 'ended',
    heirs: [SEED],
  },
  'touch × idle expiry': {
    cell: 'alive',
    says: 'A renewal beats an idle expiry: us shows the session no more until the links heal, and again from then on.',
    after: SEED,
  },
  'touch × absolute expiry': { cell: 'gone', says: `${NO_MORE} No renewal extends it.`, after: 'expired' },

  'end × end': {
    cell: 'ended',
    says: 'It is ended everywhere; of the reasons the earlier one is told.',
    after: 'ended',
  },
  'end × rotate': {
    cell: 'old ended, new lives',
    says: 'The old id is ended everywhere. The new id lives: it is another session, of which the region that ended the old one had not heard.',
    after: 'ended',
    heirs: [SEED],
  },
  'end × idle expiry': {
    cell: 'ended',
    says: 'It is ended everywhere, where it had idled out, too.',
    after: 'ended',
  },
  'end × absolute expiry': {
    cell: 'ended',
    says: 'It is ended everywhere, and would be gone anyhow.',
    after: 'ended',
  },

  'rotate × rotate': {
    cell: 'two new ids',
    says: 'The old id is ended everywhere. Each region gave its caller a new id; both live everywhere, each with the data.',
    after: 'ended',
    heirs: [SEED, SEED],
  },
  'rotate × idle expiry': {
    cell: 'new id',
    says: 'A rotation is a use: the new id lives everywhere. The old id is ended everywhere, where it had idled out, too.',
    after: 'ended',
    heirs: [SEED],
  },
  'rotate × absolute expiry': {
    cell: 'gone',
    says: 'A new id keeps the old limit, so it is gone everywhere when the limit passes; the old id is ended.',
    after: 'ended',
    heirs: ['expired'],
  },

  'idle expiry × idle expiry': {
    cell: 'gone',
    says: 'Nobody used it: each region stops to show it at the deadline, asking nobody.',
    after: 'expired',
  },
  'idle expiry × absolute expiry': {
    cell: 'gone',
    says: 'In eu it idles out; us uses it until the limit passes. After that it is gone everywhere.',
    after: 'expired',
  },

  'absolute expiry × absolute expiry': { cell: 'gone', says: NO_MORE, after: 'expired' },
}

const DOES: { readonly [K in Op]: string } = {
  create: 'creates the id',
  'set a field': 'sets a field',
  'set the same field': 'sets the same field',
  'delete a field': 'deletes a field',
  'replace an object': 'replaces an object',
  increment: 'increments',
  touch: 'touches',
  end: 'ends',
  rotate: 'rotates',
  'idle expiry': 'lets it idle out',
  'absolute expiry': 'reaches its limit',
}

const PAIRS: readonly (readonly [Op, Op])[] = OPS.flatMap((x, index) => OPS.slice(index).map((y) => [x, y] as const))
const outcomeOf = (x: Op, y: Op): Outcome => MATRIX[`${x} × ${y}` as Pair]

const FULL_LIFETIME = 12 * 60 * MINUTE

const run = async (x: Op, y: Op): Promise<void> => {
  const outcome = outcomeOf(x, y)
  const ops: readonly Op[] = [x, y]
  const clock = steppedClock()
  // Links that stand while the clock is advanced would take what was sent before for skew.
  await using regions = await openRegions(['eu', 'us', 'ap'], { maxClockSkew: '1d', ports: { clock } })
  const { eu, us } = regions
  const start = clock.now()
  const passTo = (time: number) => clock.advance(start + time - clock.now())

  const hasLimit = ops.includes('absolute expiry')
  const limits = { idleTimeout: IDLE_TIMEOUT, maxLifetime: hasLimit ? SHORT_LIFETIME : FULL_LIFETIME }
  const stage: Stage = { id: `chosen-by-the-caller-${x}-${y}`, limits }
  let createdAt = 0
  // With a creation in it, the other region has no session to expire, unless it made one by itself.
  const isExpiry = (op: Op) => op === 'idle expiry' || op === 'absolute expiry'
  if (!ops.includes('create')) {
    createdAt = (await eu.create(SEED, { id: stage.id, ...limits })).createdAt
    await regions.settled()
  }
  await regions.cutAll()
  if (ops.includes('create') && isExpiry(y))
    createdAt = (await us.create({ us: 'created', name: 'us' }, { id: stage.id, ...limits })).createdAt

  passTo(ACT_AT)
  const results = await Promise.all([attempt(ACT[x](eu, 'eu', stage)), attempt(ACT[y](us, 'us', stage))])
  expectAnswers(x, y, results, outcome)
  if (createdAt === 0)
    createdAt = Math.min(...results.map((result) => (result as Session | undefined)?.createdAt ?? Infinity))

  if (ops.some(isExpiry)) {
    passTo(LOOK_AT)
    await expectShown(eu, stage.id, shows(x))
    await expectShown(us, stage.id, shows(y))
  }
  if (hasLimit) {
    passTo(END_AT)
    if (isExpiry(x)) await expectShown(eu, stage.id, false)
    await expectShown(us, stage.id, false)
  }

  regions.healAll()
  await regions.settled()
  expect(regions.faults).toEqual([])
  await expectEverywhere(regions, stage.id, outcome.after)
  if (typeof outcome.after === 'object') {
    const session = (await eu.get(stage.id))!
    expect(session.createdAt).toBe(createdAt)
    // Of the two renewals the later counts, and both are of the time of the action.
    expect(session.expiresAt).toBeGreaterThanOrEqual(start + ACT_AT + IDLE_TIMEOUT)
  }
  const made = ops.flatMap((op, index) =>
    op === 'rotate' && typeof results[index] === 'object' ? [results[index]] : [],
  )
  expect(made.length).toBe(outcome.heirs?.length ?? 0)
  for (const [index, heir] of (made as Session[]).entries()) {
    await expectEverywhere(regions, heir.id, outcome.heirs![index]!)
    expect(heir.createdAt).toBe(createdAt)
  }
}

/** The result; of a rejection its code. */
const attempt = (call: Promise<unknown>): Promise<unknown> =>
  call.catch((error: unknown) => {
    if (isSojournError(error)) return error.code
    throw error
  })

const expectAnswers = (x: Op, y: Op, [inEu, inUs]: readonly unknown[], outcome: Outcome): void => {
  const usual = (op: Op) =>
    op === 'end' ? true : op === 'idle expiry' ? undefined : expect.objectContaining({ id: expect.any(String) })
  expect(inEu).toEqual(usual(x))
  if (outcome.us === undefined) expect(inUs).toEqual(usual(y))
  else expect(String(inUs)).toBe(outcome.us)
}

/** Whether a region that did this still shows the session past the deadline that it had before. */
const shows = (op: Op): boolean => !['end', 'rotate', 'idle expiry'].includes(op)

const expectShown = async (replica: Replica, id: string, shown: boolean): Promise<void> =>
  expect((await replica.get(id)) !== undefined, `${replica.region} shows the session`).toBe(shown)

/** The same in every region: the whole session, or that there is none, and that nothing brings it back. */
const expectEverywhere = async (
  { all, settled }: Regions<'eu' | 'us' | 'ap'>,
  id: string,
  after: Outcome['after'],
): Promise<void> => {
  const seen = await Promise.all(all.map((replica) => replica.get(id)))
  for (const session of seen) expect(session).toEqual(seen[0])
  if (typeof after === 'object') return expect(seen[0]?.data).toEqual(after)
  expect(seen[0]).toBeUndefined()
  for (const replica of all) {
    expect(await replica.touch(id)).toBeUndefined()
    expect(await attempt(replica.update(id, { late: true }))).toBe('SESSION_NOT_FOUND')
    expect(await attempt(replica.increment(id, '/views'))).toBe('SESSION_NOT_FOUND')
    expect(await attempt(replica.rotate(id))).toBe('SESSION_NOT_FOUND')
    if (after === 'ended')
      await expect(replica.create({}, { id })).rejects.toMatchObject({ code: 'SESSION_EXISTS', state: 'ended' })
  }
  await settled()
  for (const replica of all) expect(await replica.get(id)).toBeUndefined()
}

describe('concurrent operations of two regions', () => {
  it('[MATRIX-1] every unordered pair of the eleven operations has an outcome', () => {
    expect(PAIRS.length).toBe(66)
    expect(Object.keys(MATRIX)).toEqual(PAIRS.map(([x, y]) => `${x} × ${y}`))
  })

  for (const [x, y] of PAIRS) it(`[MATRIX-1] eu ${DOES[x]} × us ${DOES[y]}: ${outcomeOf(x, y).cell}`, () => run(x, y))
})

describe('a session that some regions have seen expire', () => {
  // Here, and not in the table, because it takes three regions that see it differently.
  it('[MATRIX-3] renewed in one region, it has in every region what was edited in another before it idled out there', async () => {
    const clock = steppedClock()
    await using regions = await openRegions(['eu', 'us', 'ap'], { maxClockSkew: '1d', ports: { clock } })
    const { eu, us, ap } = regions
    await regions.cutOff('ap')
    const { id } = await eu.create({ from: 'eu' }, { idleTimeout: '30m' })
    await regions.settled('eu', 'us')
    await regions.cutAll()
    await us.update(id, { edited: 'in us' }, { touch: false })
    clock.advance(20 * MINUTE)
    await eu.touch(id)
    clock.advance(20 * MINUTE)
    expect(await us.get(id)).toBeUndefined()

    // ap hears of it from where it has expired, then from where it lives, and only then do those two hear of each other.
    regions.heal('us', 'ap')
    await regions.settled('us', 'ap')
    regions.heal('eu', 'ap')
    await regions.settled('eu', 'ap')
    regions.heal('eu', 'us')
    await regions.settled()
    for (const replica of [eu, us, ap])
      expect((await replica.get(id))?.data, replica.region).toEqual({ from: 'eu', edited: 'in us' })
  })
})

// The page.

const PAGE = new URL('../../docs/conflicts.md', import.meta.url)

const page = (): string => {
  const cell = (x: Op, y: Op) => (OPS.indexOf(x) <= OPS.indexOf(y) ? outcomeOf(x, y) : outcomeOf(y, x)).cell
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return `<!-- Made from the table in test/integration/conflict-matrix.test.ts. To write it anew: UPDATE_DOCS=1 npx vitest run conflict-matrix -->

# What happens when two regions act at the same time

Two regions hold a session; the link between them is down, or the news is still under way; each does something to it. When
they hear of each other, all regions come to the same result. This page says which, for each pair of operations. It is made
from the table that an integration test runs, row by row, over real sockets that are cut and healed.

Four rules explain all of it:

1. **An end is final.** A logout, a revocation or a rotation ends an id in every region, whatever arrives later.
2. **The absolute limit comes next.** Nothing extends a session past it.
3. **A use beats an idle expiry.** Every edit, increment and touch renews the session; the later renewal counts everywhere.
4. **Edits merge field by field.** Edits of different fields both stay. Of two values of one field one wins, the same one
   everywhere. A deletion or a replacement takes away only what its writer had seen. Counters add up.

${row(['', ...OPS.map((op) => `**${op}**`)])}
${row(['---', ...OPS.map(() => '---')])}
${OPS.map((x) => row([`**${x}**`, ...OPS.map((y) => cell(x, y))])).join('\n')}

"Set the same field" and "delete a field" are about one field of an object, "set a field" about another field of it, and
"replace an object" about the whole object, in which the same field gets a value. "Create" is with an id that the caller
chose: for ids that Sojourn makes it cannot happen twice.

In the list below, eu does what stands first, us what stands second.

${OPS.map((x) => section(x)).join('\n\n')}
`
}

const section = (x: Op): string =>
  [
    `## ${x[0]!.toUpperCase()}${x.slice(1)}`,
    '',
    ...OPS.slice(OPS.indexOf(x)).map((y) => `- **${x} × ${y}** — ${outcomeOf(x, y).says}`),
  ].join('\n')

describe('docs/conflicts.md', () => {
  it('[MATRIX-2] is what the table says', async () => {
    if (process.env.UPDATE_DOCS) await writeFile(PAGE, page())
    expect(await readFile(PAGE, 'utf8'), 'out of date: UPDATE_DOCS=1 npx vitest run conflict-matrix').toBe(page())
  })
})
