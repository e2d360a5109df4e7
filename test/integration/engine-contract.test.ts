import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { IN_MEMORY, levelEngine } from '@sojourn/store'
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

describe('[STORE-1] the contract of storage engines', () => {
  const runner = { describe, test }
  describeEngine('segments and LevelDB in a directory', directory, runner)
  describeEngine('memory', async () => ({ engine: levelEngine, location: IN_MEMORY }), runner, {
    keeps: false,
    locks: false,
  })
  describeEngine('a simulated disk that takes an append at once', () => simulated('at once', 0), runner)
  describeEngine('a simulated disk that takes its time for it', () => simulated('later', 2), runner)
})
