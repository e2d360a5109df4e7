import type { Edit, Row } from '@sojourn/core/internal'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { runs } from '../support/runs.js'
import { type End, keyOf, StoreWorld } from '../support/store-world.js'

const key = fc.nat(5).map(keyOf)
const edit = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), path: fc.constantFrom('/a', '/b'), value: fc.nat(9) }),
  fc.record({ kind: fc.constant('increment' as const), path: fc.constant('/n'), by: fc.integer({ min: 1, max: 3 }) }),
) as fc.Arbitrary<Edit>

const call = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('create' as const), key, size: fc.constantFrom(1, 40, 400) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('change' as const), key, edit }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('touch' as const), key }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('end' as const), key }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('purge' as const), key }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('peer' as const),
      key,
      kind: fc.constantFrom('changes' as const, 'lease' as const, 'record' as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('learn' as const), key }) },
)
type Call = typeof call extends fc.Arbitrary<infer C> ? C : never

const wait = fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(0, 1, 3, 10, 40, 1_100) })
const step = fc.oneof(
  { weight: 20, arbitrary: call },
  { weight: 10, arbitrary: wait },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('full' as const),
      part: fc.constantFrom('rows' as const, 'journal' as const),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ do: 'free' } as const) },
  { weight: 1, arbitrary: fc.constant({ do: 'intrude' } as const) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('fuse' as const), calls: fc.integer({ min: 1, max: 12 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('stop' as const),
      how: fc.constantFrom<End>('close', 'off', 'kill', 'power'),
      /** In opening again it dies in its so manieth call of a port. */
      fuse: fc.option(fc.integer({ min: 1, max: 4 }), { freq: 3, nil: undefined }),
    }),
  },
)

const options = fc.record({
  seed: fc.nat(),
  fsync: fc.constantFrom('always' as const, 'everysec' as const, 'never' as const),
  limits: fc.record({
    checkpointBytes: fc.constantFrom(200, 1_000, 4_000),
    checkpointRows: fc.constantFrom(1, 2, 100),
    maxRecentCommits: fc.constant(3),
    maxCacheEntries: fc.constantFrom(1, 100),
  }),
  appendMs: fc.constantFrom(0, 2),
  isRemote: fc.boolean(),
})

const perform = async (world: StoreWorld, each: Call): Promise<void> => {
  if (each.do === 'create') await world.create(each.key, each.size)
  else if (each.do === 'change') await world.change(each.key, [each.edit])
  else if (each.do === 'touch') await world.touch(each.key)
  else if (each.do === 'end') await world.end(each.key)
  else if (each.do === 'purge') world.purge(each.key)
  else if (each.do === 'learn') await world.peerLearns(each.key)
  else await world.peerChanges(each.key, `${world.time.now}`, each.kind)
}

/** Stops the store, opens it again, as often as that takes, and looks at what came of it. */
const restart = async (world: StoreWorld, how: End, fuse?: number): Promise<void> => {
  world.disk.full.clear()
  let went = await world.stop(how)
  while (!(await world.open(fuse))) {
    fuse = undefined
    // The power can go again, too, which loses more.
    const again = await world.stop(how === 'close' ? 'kill' : how)
    if (went !== 'power') went = again === 'power' ? 'power' : went === 'kill' ? 'kill' : went
  }
  await world.verify(went)
}

/** One step of a store's life. */
const live = async (world: StoreWorld, each: typeof step extends fc.Arbitrary<infer S> ? S : never): Promise<void> => {
  if (each.do === 'wait') await world.time.advance(each.ms)
  else if (each.do === 'full') world.disk.full.add(each.part)
  else if (each.do === 'free') world.disk.full.clear()
  else if (each.do === 'intrude') world.disk.intrude()
  else if (each.do === 'fuse') world.dieAfter(each.calls)
  else if (each.do === 'stop') await restart(world, each.how, each.fuse)
  else await perform(world, each)
}

const damage = fc.oneof(
  { weight: 4, arbitrary: fc.constant('rotEntry' as const) },
  { weight: 2, arbitrary: fc.constant('rotRow' as const) },
  { weight: 2, arbitrary: fc.constant('bringBack' as const) },
  { weight: 1, arbitrary: fc.constant('rotState' as const) },
)

describe('[STORE-4] a store that is opened again', () => {
  test('has each record in a state that it had, none older than what must have outlived the end, and knows what it has', async () => {
    await fc.assert(
      fc.asyncProperty(options, fc.array(step, { minLength: 1, maxLength: 60, size: 'max' }), async (given, steps) => {
        const world = new StoreWorld(given)
        await world.open()
        for (const each of steps) {
          if (!world.isAlive) await restart(world, 'kill')
          await live(world, each)
        }
        await restart(world, 'close')
        await restart(world, 'off')
      }),
      { numRuns: runs(150) },
    )
  })

  test('in the middle of a checkpoint the power goes: rows say nothing that the journal lost', async () => {
    const few = fc.constantFrom(keyOf(0), keyOf(1))
    const busy = fc.oneof(
      fc.record({ do: fc.constant('create' as const), key: few, size: fc.constant(40) }),
      fc.record({ do: fc.constant('change' as const), key: few, edit }),
      fc.record({ do: fc.constant('purge' as const), key: few }),
    )
    const round = fc.tuple(fc.array(busy, { minLength: 1, maxLength: 3 }), fc.constantFrom(0, 1, 3, 6, 60))
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.array(round, { minLength: 1, maxLength: 12, size: 'max' }),
        async (seed, rounds) => {
          const limits = { checkpointBytes: 1, checkpointRows: 1 }
          const world = new StoreWorld({ seed, fsync: 'never', limits, appendMs: 0, isRemote: false })
          await world.open()
          for (const [calls, ms] of rounds) {
            for (const each of calls) await perform(world, each)
            await world.time.advance(ms)
          }
          await restart(world, 'power')
        },
      ),
      { numRuns: runs(200) },
    )
  })

  test('reports what was damaged, shows no state that never was, and none that the journal knows to be old', async () => {
    const calls = fc.array(fc.oneof({ weight: 2, arbitrary: call }, { weight: 1, arbitrary: wait }), {
      minLength: 5,
      maxLength: 40,
      size: 'max',
    })
    const damages = fc.oneof(fc.array(damage, { minLength: 1, maxLength: 3 }), fc.constant('tear' as const))
    await fc.assert(
      fc.asyncProperty(options, calls, damages, calls, async (given, before, done, after) => {
        const world = new StoreWorld(given)
        const play = async (steps: readonly (Call | { do: 'wait'; ms: number })[]) => {
          for (const each of steps)
            if (each.do === 'wait') await world.time.advance(each.ms)
            else await perform(world, each)
        }
        await world.open()
        await play(before)
        await world.stop('kill')
        const rows = new Set<string>()
        let isStateCorrupt = false
        if (done === 'tear') world.disk.tear()
        else
          for (const each of done) {
            const hit = world.disk[each]()
            if (typeof hit === 'string') rows.add(hit)
            isStateCorrupt ||= hit === true
          }
        await world.open()
        expect(world.store.recovered.isStateLost).toBe(isStateCorrupt)
        await world.verifyDamaged(rows, done === 'tear')
        await restart(world, 'close')
        await play(after)
        await restart(world, 'kill')
        await restart(world, 'off')
      }),
      { numRuns: runs(150) },
    )
  })

  test('whose journal lost its end after a clean close, misses nothing, then or later', async () => {
    await fc.assert(
      fc.asyncProperty(
        options,
        fc.nat(20),
        fc.array(call, { minLength: 1, maxLength: 20 }),
        async (given, n, calls) => {
          const world = new StoreWorld(given)
          await world.open()
          for (let count = 0; count <= n; count++) {
            await world.create(keyOf(count), 40)
            await world.time.advance(1)
          }
          await world.stop('close')
          world.disk.tear()
          await world.open()
          await world.verify('close')
          for (const each of calls) await perform(world, each)
          await world.time.advance(20)
          await restart(world, 'kill')
        },
      ),
      { numRuns: runs(40) },
    )
  })

  test('from a copy, claims what was held when the copy was begun', async () => {
    const given = { fsync: 'everysec', limits: {}, appendMs: 0, isRemote: false } as const
    const world = new StoreWorld({ ...given, seed: 1 })
    await world.open()
    for (let n = 0; n < 600; n++) await world.create(keyOf(n), 10)
    await world.time.advance(10)
    const { committed, actor } = world.store
    const rows: Row[][] = []
    const copying = world.store.rows()[Symbol.asyncIterator]()
    for (;;) {
      const step = (await world.settled(copying.next()))!
      if (step.done) break
      rows.push([...step.value])
      for (let n = 0; n < 600; n += 7) await world.change(keyOf(n), [{ kind: 'increment', path: '/n', by: 1 }])
    }
    const copy = new StoreWorld({ ...given, seed: 2 })
    await copy.fill(rows)
    await copy.open()
    const { recovered, lineage } = copy.store
    expect(recovered.heldThrough).toBe(committed)
    expect(recovered.head).toBeGreaterThan(committed)
    expect(lineage).toEqual([{ feed: actor, through: committed }])
    expect(copy.store.counts.sessions).toBe(600)
  })

  test('takes a row that is older than the index says for a corrupt one', async () => {
    const given = {
      fsync: 'never',
      limits: { checkpointBytes: 200, maxCacheEntries: 1 },
      appendMs: 0,
      isRemote: false,
    } as const
    let noticed = 0
    for (let seed = 0; seed < 20; seed++) {
      const world = new StoreWorld({ ...given, seed })
      await world.open()
      for (let round = 0; round < 4; round++)
        for (let n = 0; n < 5; n++) {
          if (round === 0) await world.create(keyOf(n), 40)
          else await world.change(keyOf(n), [{ kind: 'set', path: '/a', value: round }])
          await world.time.advance(20)
        }
      // The last records may be in memory yet; of those the row is not asked.
      await world.time.advance(400)
      const key = world.disk.bringBack()!
      const reading = (await world.settled(world.store.peek(key)))!
      const again = (await world.settled(world.store.read(key)))!
      expect(again).toEqual(reading)
      if (reading.state === 'held') expect(reading.sequence).toBe(world.latest(key).sequence)
      else {
        expect(reading.state).toBe('corrupt')
        expect(world.reported).toEqual([key])
        noticed++
      }
    }
    expect(noticed).toBeGreaterThan(10)
  })
})

describe('[CRYPT-4] an encrypted store whose keys are replaced again and again', () => {
  test('is opened again as one in the clear, with no key but the last one whose rekey was through', async () => {
    const rekeys = { begun: 0, done: 0 }
    // Another owner of the journal has no keys, so nobody can read what it appends.
    const sealedStep = fc.oneof(
      { weight: 12, arbitrary: step.filter((each) => each.do !== 'intrude') },
      { weight: 1, arbitrary: fc.constant({ do: 'rekey' } as const) },
    )
    const steps = fc.array(sealedStep, { minLength: 1, maxLength: 60, size: 'max' })
    await fc.assert(
      fc.asyncProperty(options, steps, async (given, steps) => {
        const world = new StoreWorld({ ...given, isSealed: true })
        await world.open()
        for (const each of steps) {
          if (!world.isAlive) await restart(world, 'kill')
          if (each.do === 'rekey') world.rekey()
          else await live(world, each)
        }
        await restart(world, 'close')
        await restart(world, 'off')
        rekeys.begun += world.rekeys.begun
        rekeys.done += world.rekeys.done
      }),
      { numRuns: runs(100) },
    )
    expect(rekeys.done).toBeGreaterThan(0)
    expect(rekeys.done).toBeLessThan(rekeys.begun)
  })
})
