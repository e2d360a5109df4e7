import { statfsSync } from 'node:fs'
import { join } from 'node:path'
import { SojournError } from '@sojourn/core/internal'
import { openReplica, type Replica } from '@sojourn/replica'
import { levelEngine } from '@sojourn/store'
import { afterEach, describe, expect, test } from 'vitest'
import { mountSmall } from '../support/small-disk.js'
import { until } from '../support/until.js'

/** A real file system that is really full: LevelDB then refuses every write until it is opened anew, also when there is space again. */

const MIB = 1 << 20
const small = mountSmall(160 * MIB)
if (small === undefined) console.warn('skipped: a real full disk; this process may not mount a file system of its own')

const freeBytes = (): number => {
  const { bavail, bsize } = statfsSync(small!.directory)
  return bavail * bsize
}
const PAGE = 4_096

describe.skipIf(small === undefined)('a file system that is full', () => {
  afterEach(() => small!.free())

  test('[FAULT-4] rows that could not be compacted are written again as soon as there is space', async () => {
    const storage = await levelEngine.open(join(small!.directory, 'rows-only'))
    const value = Buffer.alloc(64 * 1024, 'x')
    let count = 0
    const fill = async (batches: number) => {
      for (let batch = 0; batch < batches; batch++) {
        const writes = Array.from({ length: 16 }, (_, index) => ({
          type: 'put' as const,
          key: Buffer.from(`${count + index}`.padStart(8, '0')),
          value,
        }))
        await storage.rows.write(writes, false)
        count += 16
      }
    }
    await fill(24)
    // Its log has room for a while, what it compacts to has not.
    small!.fill((12 * MIB) / PAGE)
    const failure = await fill(64).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(SojournError)
    expect(failure).toMatchObject({ code: 'STORE_FAILED' })
    await expect(fill(1)).rejects.toMatchObject({ code: 'STORE_FAILED' })
    // What was written is read all the while.
    for (const index of [0, count - 1])
      expect(await storage.rows.get(Buffer.from(`${index}`.padStart(8, '0')))).toHaveLength(value.length)
    small!.free()
    expect(freeBytes()).toBeGreaterThan(64 * MIB)
    const before = performance.now()
    await fill(8)
    expect(performance.now() - before).toBeLessThan(10_000)
    for (let index = 0; index < count; index += 7)
      expect((await storage.rows.get(Buffer.from(`${index}`.padStart(8, '0'))))?.length).toBe(value.length)
    await storage.close()
  })

  test('[FAULT-4] a region loses nothing that it acknowledged, and takes writes again within seconds', async () => {
    const location = join(small!.directory, 'region')
    const open = () => openReplica({ region: 'eu', location, limits: { checkpointBytes: 2 * MIB } })
    const text = 'x'.repeat(16 * 1024)
    const acknowledged: string[] = []
    const write = async (replica: Replica) => {
      acknowledged.push((await replica.create({ text, n: acknowledged.length })).id)
    }

    let replica = await open()
    const refusals = new Set<string>()
    replica.on('fault', ({ code }) => refusals.add(`fault ${code}`))
    for (let index = 0; index < 1_000; index++) await write(replica)
    small!.fill((6 * MIB) / PAGE)
    for (let index = 0; index < 3_000; index++)
      await write(replica).catch(({ code }: SojournError) => refusals.add(code))
    // The journal is full, and so is what the rows are compacted to.
    expect([...refusals].sort()).toEqual(expect.arrayContaining(['STORE_FAILED', 'fault STORE_FAILED']))
    expect((await replica.get(acknowledged.at(-1)!))?.data).toEqual({ text, n: acknowledged.length - 1 })

    small!.free()
    expect(freeBytes()).toBeGreaterThan(64 * MIB)
    const before = performance.now()
    await until(
      () =>
        write(replica).then(
          () => true,
          () => false,
        ),
      'writes to be taken again',
    )
    for (let index = 0; index < 500; index++) await write(replica)
    expect(performance.now() - before).toBeLessThan(12_000)

    await replica.close()
    replica = await open()
    for (const [n, id] of acknowledged.entries()) expect((await replica.get(id))?.data).toEqual({ text, n })
    expect(replica.status().sessions).toBe(acknowledged.length)
    await replica.close()
  }, 60_000)
})
