import { createHash, hash } from 'node:crypto'
import { type Row, systemRandom } from '@sojourn/core/internal'
import { checkBackup, decodeBackup } from '@sojourn/server/parts'
import { describe, expect, test } from 'vitest'
import { encodeBackup } from '../../packages/server/src/backup/format.js'
import { BackupSeal } from '../../packages/server/src/backup/sealing.js'
import { parseKeys } from '../../packages/server/src/key-list.js'
import { refuses } from '../support/replica.js'
import { ringOf } from '../support/sealed.js'

const ABOUT = { region: 'eu', takenAt: 1_764_000_000_000, version: '1.0.0' }
/** Four chunks: each is ended when it has a megabyte. */
const ROWS: Row[] = Array.from({ length: 7 }, (_, n) => [
  Buffer.from(`row ${n}`),
  Buffer.alloc(n < 6 ? 600_000 : 10, `value ${n}`),
])

const source = async function* <T>(list: readonly T[]) {
  yield* list
}

const backupOf = async (ring = ringOf('a'), rows = ROWS, about = ABOUT): Promise<Buffer> => {
  const seal = await BackupSeal.begin(ring, systemRandom, about)
  const parts: Buffer[] = []
  for await (const part of encodeBackup(about, source([rows]), seal)) parts.push(part)
  return Buffer.concat(parts)
}

/** The header with its lines, the chunks with their lengths, what ends them; without the sum. */
const partsOf = (backup: Buffer): { head: Buffer; chunks: Buffer[]; end: Buffer } => {
  let at = backup.indexOf(0x0a, backup.indexOf(0x0a) + 1) + 1
  const head = backup.subarray(0, at)
  const chunks: Buffer[] = []
  for (;;) {
    const length = backup.readUInt32BE(at)
    if (length === 0) break
    chunks.push(backup.subarray(at, at + 4 + length))
    at += 4 + length
  }
  return { head, chunks, end: backup.subarray(at, -32) }
}

/** With the sum that fits: whoever alters a backup can write that, too. */
const forged = (...parts: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(parts)
  return Buffer.concat([body, createHash('sha256').update(body).digest()])
}

const stated = (end: Buffer, rows: number): Buffer => {
  const copy = Buffer.from(end)
  copy.writeBigUInt64BE(BigInt(rows), 4)
  return copy
}

describe('[CRYPT-6] a sealed backup', () => {
  test('[CRYPT-6] gives its rows with the ring, and to who has none whether it is whole, and how many there are', async () => {
    const ring = ringOf('old', 'a')
    const backup = await backupOf(ring)
    const { header, rows } = await decodeBackup(source([backup]), ring)
    expect(header).toMatchObject({ ...ABOUT, sealed: { key: 'a' } })
    const read: Row[] = []
    for await (const some of rows) read.push(...some)
    const shown = (list: readonly Row[]) => list.map((row) => row.map((bytes) => hash('sha256', bytes)))
    expect(shown(read)).toEqual(shown(ROWS))
    expect(await checkBackup(source([backup]), 'closed')).toMatchObject({ header: ABOUT, rows: 7 })
    expect(await checkBackup(source([backup]), ring)).toMatchObject({ rows: 7 })
    for (const [, value] of ROWS) expect(backup.includes(Buffer.from(value.subarray(0, 7)))).toBe(false)
    await refuses(checkBackup(source([backup.subarray(0, -1)]), 'closed'), 'STORE_CORRUPT')
  })

  test('[CRYPT-6] without its key is refused with ENCRYPTION_KEY, which names the key', async () => {
    const backup = await backupOf()
    for (const ring of [undefined, ringOf('b'), ringOf('a')])
      await expect(checkBackup(source([backup]), ring)).rejects.toMatchObject({
        code: 'ENCRYPTION_KEY',
        message: expect.stringContaining('"a"'),
      })
  })

  test('[CRYPT-6] that was altered, cut or put together anew is refused, although its sum is right', async () => {
    const ring = ringOf('a')
    const { head, chunks, end } = partsOf(await backupOf(ring))
    const other = partsOf(await backupOf(ring))
    expect(chunks).toHaveLength(4)
    const [one, two, three, four] = chunks as [Buffer, Buffer, Buffer, Buffer]
    expect(await checkBackup(source([forged(head, ...chunks, end)]), ring)).toMatchObject({ rows: 7 })
    const flipped = Buffer.from(two)
    flipped[500]! ^= 1
    const fewer = stated(end, 5)
    const cases: [what: string, parts: Buffer[]][] = [
      ['a flipped bit', [head, one, flipped, three, four, end]],
      ['two chunks swapped', [head, two, one, three, four, end]],
      ['a chunk left out', [head, one, three, four, fewer]],
      ['the last chunks left out', [head, one, two, stated(end, 4)]],
      ['a chunk twice', [head, one, one, two, three, four, end]],
      ['a chunk of another backup', [head, other.chunks[0]!, two, three, four, end]],
      ['the end of another backup', [head, ...chunks, other.end]],
      ['another number of rows', [head, ...chunks, stated(end, 8)]],
      ['nothing in it', [head, stated(end, 0)]],
    ]
    for (const [what, parts] of cases)
      await refuses(checkBackup(source([forged(...parts)]), ring), 'STORE_CORRUPT', {}, what)
    const elsewhere = Buffer.from(head.toString().replace('"eu"', '"us"'))
    await refuses(checkBackup(source([forged(elsewhere, ...chunks, end)]), ring), 'ENCRYPTION_KEY')
    const inTheClear = Buffer.from(head.toString().replace('backup 2', 'backup 1'))
    await refuses(checkBackup(source([forged(inTheClear, ...chunks, end)]), ring), 'STORE_CORRUPT')
  })
})

describe('[CRYPT-7] a list of keys', () => {
  const key = (byte: number) => Buffer.alloc(32, byte)
  const [one, two] = [key(1), key(2)]

  test('[CRYPT-7] has one key an entry, in base64url or hex, the last one active', () => {
    const text = `# ours\nfirst=${one.toString('hex')} # old\n\n2026-11.b_c=${two.toString('base64url')},third=${one.toString('base64url')}=\n`
    const { keys, active } = parseKeys(text)
    expect(active).toBe('third')
    expect(Object.entries(keys).map(([id, bytes]) => [id, Buffer.from(bytes as Uint8Array)])).toEqual([
      ['first', one],
      ['2026-11.b_c', two],
      ['third', one],
    ])
    expect(parseKeys(text, 'first').active).toBe('first')
  })

  test('[CRYPT-7] that is wrong is reported by its place, and no key of it is shown', () => {
    const good = two.toString('base64url')
    for (const [text, why, active] of [
      ['', 'there is no key in it'],
      [good, 'entry 1 is not id=key'],
      [`a=${good}\nb c=${good}`, 'entry 2 is not id=key'],
      [`a=${good.slice(1)}`, 'entry 1, of key a, is not 32 bytes'],
      [`a=${good}x`, 'entry 1, of key a, is not 32 bytes'],
      [`a=${good}\na=${good}`, 'entry 2 has the id of another entry, a'],
      [`a=${good}`, 'encryptionActive is b, and encryptionKeys has no such key', 'b'],
    ] as const) {
      let message = ''
      try {
        parseKeys(text, active)
      } catch (error) {
        message = (error as Error).message
      }
      expect(message).toContain(why)
      expect(message).not.toContain(good.slice(2, 20))
    }
  })
})
