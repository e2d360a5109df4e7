import { readFile, writeFile } from 'node:fs/promises'
import { isSojournError, type Replica, type Session, sessionKey } from '@sojourn/replica'
import { describe, expect, it } from 'vitest'
import {
  ACT,
  ACT_AT,
  DOES,
  END_AT,
  IDLE_TIMEOUT,
  LOOK_AT,
  MATRIX,
  MINUTE,
  OPS,
  type Op,
  type Outcome,
  outcomeOf,
  PAIRS,
  SEED,
  SHORT,
  SHORT_LIFETIME,
  type Stage,
  SUBJECT,
} from '../support/conflicts.js'
import { openRegions, type Regions, steppedClock } from '../support/region.js'
import { until } from '../support/until.js'

/*
 * Every pair of operations on one session, concurrently in two regions: the links are cut, eu does the first, us the second,
 * the links heal, and all three regions must agree on what the table below says. docs/conflicts.md is made from the table.
 */

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
  // Only who chose an id can create one that is taken; all others are the store's.
  let stage: Stage = {
    id: `chosen-by-the-caller-${x}-${y}`,
    limits,
    ...(y === 'end the subject' && { subject: SUBJECT }),
  }
  let createdAt = 0
  // With a creation in it, the other region has no session to expire, unless it made one by itself.
  const isExpiry = (op: Op) => op === 'idle expiry' || op === 'absolute expiry'
  if (!ops.includes('create')) {
    const made = await eu.create(SEED, { subject: SUBJECT, ...limits })
    createdAt = made.createdAt
    stage = { id: made.id, limits }
    await regions.settled()
  }
  await regions.cutAll()
  if (ops.includes('create') && isExpiry(y))
    createdAt = (await us.create({ us: 'created', name: 'us' }, { id: stage.id, ...limits })).createdAt

  passTo(ACT_AT)
  const inEu = attempt(ACT[x](eu, 'eu', stage))
  if (outcome.isOrdered) {
    await inEu
    clock.advance(1_000)
  }
  const results = await Promise.all([inEu, attempt(ACT[y](us, 'us', stage))])
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
    givesId(op) && typeof results[index] === 'object' ? [results[index] as Session] : [],
  )
  for (const heir of made) expect(heir.createdAt).toBe(createdAt)
  const { oneHeir, heirs = [] } = outcome
  if (oneHeir) {
    const isFirst = (await eu.get(made[0]!.id)) !== undefined
    await expectEverywhere(regions, made[0]!.id, isFirst ? oneHeir : 'superseded')
    await expectEverywhere(regions, made[1]!.id, isFirst ? 'superseded' : oneHeir)
    return
  }
  expect(made.length).toBe(heirs.length)
  for (const [index, heir] of made.entries()) await expectEverywhere(regions, heir.id, heirs[index]!)
}

/** The result; of a rejection its code. */
const attempt = (call: Promise<unknown>): Promise<unknown> =>
  call.catch((error: unknown) => {
    if (isSojournError(error)) return error.code
    throw error
  })

const expectAnswers = (x: Op, y: Op, [inEu, inUs]: readonly unknown[], outcome: Outcome): void => {
  const usual = (op: Op) =>
    op === 'end'
      ? true
      : op === 'end the subject'
        ? expect.objectContaining({ ended: expect.any(Number) })
        : op === 'idle expiry'
          ? undefined
          : expect.objectContaining({ id: expect.any(String) })
  expect(inEu).toEqual(usual(x))
  if (outcome.us === undefined) expect(inUs).toEqual(usual(y))
  else expect(String(inUs)).toBe(outcome.us)
}

const givesId = (op: Op): boolean => op === 'rotate' || op === 'elevate'

/** Whether a region that did this still shows the session, under the id that it had, past the deadline that it had before. */
const shows = (op: Op): boolean => !['end', 'end the subject', 'idle expiry'].includes(op) && !givesId(op)

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
    if (after === 'superseded') expect(await replica.isLive(sessionKey(id))).toBe(true)
  }
  await settled()
  for (const replica of all) expect(await replica.get(id)).toBeUndefined()
}

describe('concurrent operations of two regions', () => {
  it('[MATRIX-1] every unordered pair of the fourteen operations has an outcome', () => {
    expect(PAIRS.length).toBe(105)
    expect(Object.keys(MATRIX)).toEqual(PAIRS.map(([x, y]) => `${x} × ${y}`))
  })

  for (const [x, y] of PAIRS) it(`[MATRIX-1] eu ${DOES[x]} × us ${DOES[y]}: ${outcomeOf(x, y).cell}`, () => run(x, y))
})

describe('new ids, beside another region', () => {
  it('[MATRIX-1] within its grace, the old id opens the session in every region, and what it writes is kept', async () => {
    const clock = steppedClock()
    await using regions = await openRegions(['eu', 'us', 'ap'], { maxClockSkew: '1d', ports: { clock } })
    const { eu, us, all } = regions
    const { id } = await eu.create({ n: 0 })
    await regions.settled()
    await regions.cutAll()
    const rotated = await eu.rotate(id, { grace: '10m' })
    await us.increment(id, '/n')
    await eu.increment(id, '/n')
    await eu.increment(rotated.id, '/n')
    regions.healAll()
    await regions.settled()
    for (const replica of all)
      expect([(await replica.get(id))?.data, (await replica.get(rotated.id))?.data]).toEqual([{ n: 3 }, { n: 3 }])
    clock.advance(10 * MINUTE)
    for (const replica of all)
      expect([await replica.get(id), (await replica.get(rotated.id))?.data]).toEqual([undefined, { n: 3 }])
  })

  it.each(['rotate', 'elevate'] as const)(
    '[MATRIX-1] under an id that middleware chose, %s leaves behind what others do meanwhile',
    async (op) => {
      await using regions = await openRegions(['eu', 'us', 'ap'])
      const { eu, us, all } = regions
      const { id } = await eu.create({ n: 0 }, { id: 'chosen by middleware' })
      await regions.settled()
      await regions.cutAll()
      const next = op === 'rotate' ? await us.rotate(id) : await us.elevate(id, { subject: SUBJECT })
      await eu.update(id, { late: true })
      regions.healAll()
      await regions.settled()
      for (const replica of all)
        expect([await replica.get(id), (await replica.get(next.id))?.data]).toEqual([undefined, { n: 0 }])
    },
  )

  it('[MATRIX-1] a new session of a subject lives, where the region had not heard yet that the subject was ended before', async () => {
    const clock = steppedClock()
    await using regions = await openRegions(['eu', 'us', 'ap'], { maxClockSkew: '1d', ports: { clock } })
    const { eu, us, all } = regions
    await regions.cutAll()
    const before = await us.create({}, { subject: SUBJECT })
    const guest = await us.create({ cart: { tea: 1 } })
    clock.advance(1_000)
    await eu.endSubject(SUBJECT)
    clock.advance(1_000)
    const made = await us.create({}, { subject: SUBJECT })
    const login = await us.elevate(guest.id, { subject: SUBJECT })
    expect(await us.get(before.id)).toBeDefined()
    regions.healAll()
    await regions.settled()
    for (const replica of all) {
      await until(async () => (await replica.get(before.id)) === undefined, `the cutoff in ${replica.region}`)
      expect((await replica.get(made.id))?.subject).toBe(SUBJECT)
      expect((await replica.get(login.id))?.data).toEqual({ cart: { tea: 1 } })
    }
  })
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
  return `<!-- Made from the table in test/support/conflicts.ts. To write it anew: UPDATE_DOCS=1 npx vitest run conflict-matrix -->

# What happens when two regions act at the same time

Two regions hold a session; the link between them is down, or the news is still under way; each does something to it. When
they hear of each other, all regions come to the same result. This page says which, for each pair of operations. It is made
from the table that an integration test runs, row by row, over real sockets that are cut and healed.

Six rules explain all of it:

1. **An end is final.** A logout or a revocation ends a session in every region, whatever arrives later. To end a subject ends each of
   its sessions that was authenticated before, also where that has not arrived yet.
2. **The absolute limit comes next.** Nothing but a login extends a session past it.
3. **A use beats an idle expiry.** Every edit, increment and touch renews the session; the later renewal counts everywhere.
4. **Different keys stay, one key is whole.** Two writers who put different things under different keys keep both. Two writers who put
   different things under one key get one of them, whole, the same one everywhere. Counters add up; they show 2^53 - 1 at most, and
   keep what they come to.
5. **An edit belongs to the object on which it was made.** If that object was replaced or deleted meanwhile, the edit goes with it. To
   assign an object is to replace what stood there; to change a field of it is not. Objects that several writers make at one time
   where there was nothing, such as a first cart, show as one, unless they disagree on a field: then one of them shows, whole.
6. **An id is not the session.** \`rotate\` and \`elevate\`, which is a login, give a session another id. What others do under the old one
   is done to the session, and stays. Of the ids that are made at the time of a login, only that of the login opens it.

${row(['', ...OPS.map((op) => `**${op}**`)])}
${row(['---', ...OPS.map(() => '---')])}
${OPS.map((x) => row([`**${x}**`, ...OPS.map((y) => cell(x, y))])).join('\n')}

"Set the same field" and "delete a field" are about one field of an object, "set a field" about another field of it, and
"replace an object" and "delete the object" about the whole object; the new one has a value in the same field. "Create" is with an id that the caller
chose: for ids that Sojourn makes it cannot happen twice. All others are about ids that Sojourn makes.

"Rotate" is without a grace. With one, the old id opens the session that much longer, in every region. An id that middleware chose has no secret
to change: there, a rotation or a login ends the session, and its data goes on as another one, without what others do under the old id meanwhile.

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

const README = new URL('../../README.md', import.meta.url)

/** The short table of README.md, and what stands around it. */
const readme = (text: string): string => {
  const rows = SHORT.map(({ eu, us, pair }) => `| ${eu} | ${us} | ${MATRIX[pair].cell} |`)
  const table = ['| eu | us | everywhere, in the end |', '|---|---|---|', ...rows].join('\n')
  return text.replace(/(<!-- conflicts -->\n)[\s\S]*(<!-- \/conflicts -->)/, `$1${table}\n$2`)
}

const OUT_OF_DATE = 'out of date: UPDATE_DOCS=1 npx vitest run conflict-matrix'

describe('[MATRIX-2] what the pages say is what the table says', () => {
  it('in docs/conflicts.md', async () => {
    if (process.env.UPDATE_DOCS) await writeFile(PAGE, page())
    expect(await readFile(PAGE, 'utf8'), OUT_OF_DATE).toBe(page())
  })

  it('in README.md', async () => {
    const text = await readFile(README, 'utf8')
    expect(text).toContain('<!-- conflicts -->')
    if (process.env.UPDATE_DOCS) await writeFile(README, readme(text))
    expect(await readFile(README, 'utf8'), OUT_OF_DATE).toBe(readme(text))
  })
})
