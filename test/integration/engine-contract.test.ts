import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemRandom } from '@sojourn/core/internal'
import { IN_MEMORY, levelEngine, SealedEngine } from '@sojourn/store'
import { describeEngine, type EnginePlace } from '@sojourn/store/contract'
import { describe, test } from 'vitest'
// Not doors of the package: the simulator's own disk, its randomness and its time.
import { Disk } from '../../packages/sim/src/disk.js'
import { Prng } from '../../packages/sim/src/prng.js'
import { WorldTime } from '../../packages/sim/src/time.js'

const directory = async (): Promise<EnginePlace> => {
  const location = await mkdtemp(join(tmpdir(), 'sojourn-engine-'))
  return { engine: levelEngine, location, remove: () => rm(location, { recursive: true }) }
}

/** A simulated disk, whose time passes by itself. */
const simulated = async (label: string, appendMs: number): Promise<EnginePlace> => {
  const time = new WorldTime()
  const disk = new Disk(time, new Prng(label), { writeMs: 0.1, syncMs: 1, appendMs })
  const host = { machine: 'a', isAlive: () => true, isOn: () => true, deliver: (run: () => void) => run() }
  let isOver = false
  const passing = (async () => {
    while (!isOver) await time.advance(1)
  })()
  return {
    engine: disk.engine(host),
    location: '/',
    remove: async () => {
      isOver = true
      await passing
    },
  }
}

const encryption = { keys: { only: '5e'.repeat(32) }, active: 'only' }

/** The same place, sealed. Data keys that are soon spent are noted, and rolled, in the midst of each test. */
const sealed = async (place: Promise<EnginePlace>): Promise<EnginePlace> => {
  const { engine, ...more } = await place
  const limits = { maxSeals: 1_000, reservedSeals: 8 }
  return { ...more, engine: new SealedEngine(engine, { encryption, random: systemRandom, ...limits }) }
}

describe('[STORE-1] the contract of storage engines', () => {
  const runner = { describe, test }
  describeEngine('segments and LevelDB in a directory', directory, runner)
  describeEngine('memory', async () => ({ engine: levelEngine, location: IN_MEMORY }), runner, {
    keeps: false,
    locks: false,
  })
  describeEngine('a simulated disk that takes an append at once', () => simulated('at once', 0), runner)
  describeEngine('a simulated disk that takes its time for it', () => simulated('later', 2), runner)

  describeEngine('sealed: segments and LevelDB in a directory', () => sealed(directory()), runner)
  describeEngine(
    'sealed: memory',
    () => sealed(Promise.resolve({ engine: levelEngine, location: IN_MEMORY })),
    runner,
    {
      keeps: false,
      locks: false,
    },
  )
  describeEngine('sealed: a simulated disk that takes an append at once', () => sealed(simulated('at once', 0)), runner)
  describeEngine('sealed: a simulated disk that takes its time for it', () => sealed(simulated('later', 2)), runner)
})
