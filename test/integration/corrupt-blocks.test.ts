/** Blocks of LevelDB's tables that it finds corrupt itself: it throws, where a row that rots is handed back altered. */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sessionKey } from '@sojourn/core/internal'
import { levelEngine } from '@sojourn/store'
import { ClassicLevel } from 'classic-level'
import { describe, expect, it } from 'vitest'
import { THREE } from '../support/quorum.js'
import { openRegions } from '../support/region.js'
import { until } from '../support/until.js'

const FOOTER_BYTES = 48
/** A block's type, and its checksum. */
const TRAILER_BYTES = 5

const varint = (bytes: Buffer, from: number): readonly [value: number, end: number] => {
  let value = 0
  for (let at = from, scale = 1; ; at++, scale *= 128) {
    value += (bytes[at]! & 0x7f) * scale
    if (bytes[at]! < 0x80) return [value, at + 1]
  }
}

/** Where the data blocks of a table begin and end, by its index (LevelDB's doc/table_format.md). */
const blocksOf = (table: Buffer): readonly (readonly [from: number, until: number])[] => {
  const footer = table.subarray(table.length - FOOTER_BYTES)
  let at = varint(footer, varint(footer, 0)[1])[1]
  const [indexAt, next] = varint(footer, at)
  const [indexBytes] = varint(footer, next)
  const index = table.subarray(indexAt, indexAt + indexBytes)
  const end = indexBytes - 4 - 4 * index.readUInt32LE(indexBytes - 4)
  const blocks: [number, number][] = []
  for (at = 0; at < end; ) {
    const [, afterShared] = varint(index, at)
    const [unshared, afterUnshared] = varint(index, afterShared)
    const [length, afterLength] = varint(index, afterUnshared)
    const [from, size] = varint(index, afterLength + unshared)
    blocks.push([from, from + varint(index, size)[0]])
    at = afterLength + unshared + length
  }
  return blocks
}

/** Flips a bit of the type of the middle block of each table of a closed store. */
const damage = async (location: string): Promise<void> => {
  const rows = join(location, 'rows')
  for (const name of (await readdir(rows)).filter((each) => each.endsWith('.ldb'))) {
    const table = await readFile(join(rows, name))
    const blocks = blocksOf(table)
    const [, end] = blocks[blocks.length >> 1]!
    expect(end + TRAILER_BYTES).toBeLessThan(table.length)
    table[end] = table[end]! ^ 0x40
    await writeFile(join(rows, name), table)
  }
}

const links = { heartbeat: 50, timeout: '1s', maxReconnectDelay: 100, digestInterval: 200 } as const

describe('[ROT-1] a block that LevelDB cannot read', () => {
  it('heals from a peer: its sessions are read, given on, ended and purged', async () => {
    await using regions = await openRegions(['eu', 'us', 'ap'], {
      disk: true,
      pairs: [
        ['eu', 'us'],
        ['eu', 'ap'],
      ],
      limits: { maxCacheEntries: 10 },
      links,
    })
    const ids: string[] = []
    for (let n = 0; n < 400; n++) ids.push((await regions.eu.create({ n, text: 'x'.repeat(200) })).id)
    await regions.settled()
    await regions.shut('eu')
    await (await regions.reopen('eu')).close()
    await damage(regions.location('eu'))
    await regions.shut('ap')
    const eu = await regions.reopen('eu')
    await until(() => eu.status().links.us!.state === 'live', 'the link')
    for (const id of ids) expect(await eu.get(id)).toBeDefined()
    expect(eu.status().totals.repaired.corrupt).toBeGreaterThan(0)
    for (const id of ids.slice(0, 200)) expect(await eu.end(id)).toBe(true)
    const ap = await regions.reopen('ap')
    await until(() => ap.status().links.eu!.state === 'live', 'the link to ap')
    await regions.settled()
    expect(await ap.count()).toBe(200)
  })
})

describe('[QUO-5] a scan of the feed that cannot read a record', () => {
  it('begins again where it sent last: nothing is acknowledged that was not sent', async () => {
    let isReopening = false
    let reads = 0
    // As LevelDB's rows are while it is opened anew after a disk that was full.
    const engine: typeof levelEngine = {
      async open(location, region) {
        const storage = await levelEngine.open(location, region)
        const { rows } = storage
        const get = (key: Uint8Array) => {
          if (key[0] === 0x72 && ++reads === 60) isReopening = true
          const value = rows.get(key)
          return isReopening ? Promise.resolve(value) : value
        }
        const write: typeof rows.write = (writes, sync) => rows.write(writes, sync)
        return { journal: storage.journal, rows: { get, write, scan: () => rows.scan() }, close: () => storage.close() }
      },
    }
    const limits = { maxCacheEntries: 1, maxRecentCommits: 2, checkpointBytes: 2_000 }
    await using regions = await openRegions(['eu', 'us'], {
      disk: true,
      limits,
      each: { eu: { ports: { storage: engine } } },
    })
    const { eu, us } = regions
    await regions.settled()
    await regions.cut('eu', 'us')
    const written = eu.create({ order: 'paid' }, { write: 'all', timeout: '30s' })
    let made = 1
    // A checkpoint that is slow leaves what came meanwhile to the next one, which more commits bring about.
    await until(async () => {
      await eu.create({ text: 'x'.repeat(100) })
      return ++made > 300 && eu.status().store.uncheckpointed.records < 200
    }, 'a checkpoint')
    eu.on('fault', () => {
      isReopening = false
    })
    reads = 0
    regions.heal('eu', 'us')
    const { id } = await written
    expect(regions.faults.map(({ code }) => code)).toContain('STORE_FAILED')
    expect(await us.get(id)).toBeDefined()
    await regions.settled()
    expect(await us.count()).toBe(made)
  })
})

describe('[QUO-3] a majority read', () => {
  it('does not count a region whose own record is corrupt', async () => {
    await using regions = await openRegions(THREE, { disk: true })
    const { id } = await regions.eu.create({ balance: 'old' })
    await regions.settled()
    await regions.cutOff('ap')
    await regions.eu.update(id, { balance: 'new' }, { write: 'majority' })
    await regions.shut('eu')
    const encodings = { keyEncoding: 'view', valueEncoding: 'view' } as const
    const level = new ClassicLevel<Uint8Array, Uint8Array>(join(regions.location('eu'), 'rows'), encodings)
    const key = Buffer.concat([Buffer.from('r'), Buffer.from(sessionKey(id), 'hex')])
    const row = new Uint8Array((await level.get(key))!)
    row[30]! ^= 1
    await level.put(key, row)
    await level.close()
    await regions.shut('us')
    regions.heal('eu', 'ap')
    const eu = await regions.reopen('eu')
    await until(() => eu.status().links.ap!.state === 'live', 'the link')
    await expect(eu.get(id, { read: 'majority' })).rejects.toMatchObject({ code: 'QUORUM_UNMET', need: 2 })
    await regions.reopen('us')
    regions.healAll()
    await until(() => eu.status().links.us!.state === 'live', 'the link to us')
    expect((await eu.get(id, { read: 'majority' }))!.data).toEqual({ balance: 'new' })
  })
})

describe('[ROT-2] a region that lost most of its rows', () => {
  it('asks for them in frames that a link takes', async () => {
    const limits = {
      maxFrameBytes: 32 * 1024,
      targetFrameBytes: 24 * 1024,
      maxRecordBytes: 8_192,
      maxSessionBytes: 4_096,
    }
    await using regions = await openRegions(['eu', 'us'], { disk: true, limits, links })
    for (let n = 0; n < 6_000; n += 500)
      await Promise.all(Array.from({ length: 500 }, (_, i) => regions.eu.create({ n: n + i })))
    await regions.settled()
    await regions.shut('us')
    const encodings = { keyEncoding: 'view', valueEncoding: 'view' } as const
    const level = new ClassicLevel<Uint8Array, Uint8Array>(join(regions.location('us'), 'rows'), encodings)
    await level.clear({ gte: Buffer.from('r'), lt: Buffer.from('s') })
    await level.clear({ gte: Buffer.from('i'), lt: Buffer.from('j') })
    await level.close()
    const us = await regions.reopen('us')
    await until(async () => (await us.count()) === 6_000, 'all to be there again')
    expect(regions.faults.filter(({ code }) => code.startsWith('FRAME'))).toEqual([])
  })
})
