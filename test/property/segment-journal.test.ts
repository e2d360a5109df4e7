import { pbkdf2 } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
// Not doors of the package: the parts of its default engine.
import { FRAME_BYTES, writeFrame } from '../../packages/store/src/engines/frames.js'
import { SegmentJournal, type SegmentJournalOptions } from '../../packages/store/src/engines/segment-journal.js'
import { runs } from '../support/runs.js'
import { mountSmall } from '../support/small-disk.js'

const HEADER_BYTES = 8

const places: string[] = []
const newPlace = (): string => {
  const place = mkdtempSync(join(tmpdir(), 'sojourn-journal-'))
  places.push(place)
  return place
}
afterEach(() => {
  for (const place of places.splice(0)) rmSync(place, { recursive: true })
})

type Entries = readonly (readonly [number: number, bytes: string | undefined])[]

const append = (journal: SegmentJournal, entries: readonly Uint8Array[]): void => {
  for (const entry of entries) journal.append(journal.head, entry)
}

/** Bytes as a text that stays short where a test prints it. */
const shown = (bytes: Uint8Array): string =>
  bytes.length <= 100 ? Buffer.from(bytes).toString('hex') : `${bytes.length} bytes, CRC ${crc32(bytes)}`

const entriesOf = async (journal: SegmentJournal, after = 0): Promise<Entries> => {
  const out: [number, string | undefined][] = []
  for await (const chunk of journal.read(after))
    for (const { number, bytes } of chunk) out.push([number, bytes && shown(bytes)])
  return out
}

const numbered = (entries: readonly Uint8Array[], first = 1): Entries =>
  entries.map((bytes, index) => [first + index, shown(bytes)] as const)

/** Opens a journal, gives it to `use`, and closes it. */
const using = async <T>(
  directory: string,
  use: (journal: SegmentJournal) => T | Promise<T>,
  options?: SegmentJournalOptions,
): Promise<T> => {
  const journal = SegmentJournal.open(directory, options)
  try {
    return await use(journal)
  } finally {
    await journal.close()
  }
}

const segmentsOf = (directory: string): string[] =>
  readdirSync(directory)
    .sort()
    .map((name) => join(directory, name))

/** A journal of one segment with these entries: the bytes of its file. */
const written = async (entries: readonly Uint8Array[]): Promise<Buffer> => {
  const directory = newPlace()
  await using(directory, (journal) => append(journal, entries))
  return readFileSync(segmentsOf(directory)[0]!)
}

/** A directory with a journal of one segment of these bytes. */
const holding = (bytes: Uint8Array, place = newPlace()): string => {
  writeFileSync(join(place, '0000000000000001.journal'), bytes)
  return place
}

/** Where each frame begins, and where the last one ends. */
const boundsOf = (entries: readonly Uint8Array[]): number[] => {
  const bounds = [HEADER_BYTES]
  for (const { length } of entries) bounds.push(bounds.at(-1)! + FRAME_BYTES + length)
  return bounds
}

const NEXT = Buffer.from('next')

const entry = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.constantFrom(0, 1, 16, 46, 200).map((length) => new Uint8Array(length)),
)
/** What an attacker would store: bytes that look like entries of the journal, with numbers that fit. */
const forged = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 12 }), fc.uint8Array({ maxLength: 8 })), { minLength: 1, maxLength: 3 })
  .map((frames) =>
    Buffer.concat(
      frames.map(([number, bytes]) => {
        const frame = Buffer.alloc(FRAME_BYTES + bytes.length)
        writeFrame(frame, 0, number, bytes)
        return frame
      }),
    ),
  )
const isForged = (bytes: Uint8Array) => bytes.length >= FRAME_BYTES && !bytes.every((byte) => byte === 0)
const entries = fc.array(fc.oneof({ weight: 4, arbitrary: entry }, { weight: 1, arbitrary: forged }), {
  minLength: 1,
  maxLength: 8,
})
/** Bits to flip, of some entries: anywhere in the frame, or after its header. */
const flips = fc.array(fc.record({ entry: fc.nat(), bit: fc.nat(), mayBeHeader: fc.boolean() }), {
  minLength: 1,
  maxLength: 4,
})

describe('[STORE-2] a torn journal', () => {
  test('ends at its last whole entry, wherever it is torn, and goes on from there', async () => {
    await fc.assert(
      fc.asyncProperty(entries, async (list) => {
        const bytes = await written(list)
        const bounds = boundsOf(list)
        expect(bytes.length).toBe(bounds.at(-1))
        const place = newPlace()
        for (let length = 0; length <= bytes.length; length++) {
          holding(bytes.subarray(0, length), place)
          const whole = bounds.filter((bound) => bound <= Math.max(length, HEADER_BYTES)).length - 1
          const expected = numbered(list.slice(0, whole))
          await using(place, async (journal) => {
            expect(journal.head).toBe(whole)
            expect(await entriesOf(journal)).toEqual(expected)
            journal.append(whole, NEXT)
          })
          await using(place, async (journal) =>
            expect(await entriesOf(journal)).toEqual([...expected, ...numbered([NEXT], whole + 1)]),
          )
        }
      }),
      { numRuns: runs(8) },
    )
  })

  test('that the loss of power left with zeros, or with an older file’s bytes, ends there, too', async () => {
    await fc.assert(
      fc.asyncProperty(entries, fc.uint8Array({ maxLength: 100 }), fc.nat(100), async (list, rubbish, zeros) => {
        const bytes = await written(list)
        for (const rest of [rubbish, Buffer.alloc(zeros), Buffer.concat([Buffer.alloc(zeros), rubbish])])
          await using(holding(Buffer.concat([bytes, rest])), async (journal) => {
            expect(journal.head).toBe(list.length)
            append(journal, [NEXT])
            expect(await entriesOf(journal)).toEqual(numbered([...list, NEXT]))
          })
        await using(holding(Buffer.alloc(zeros)), async (journal) => {
          expect(journal.head).toBe(0)
          append(journal, list)
          expect(await entriesOf(journal)).toEqual(numbered(list))
        })
      }),
      { numRuns: runs(20) },
    )
  })
})

describe('[STORE-2] damaged entries', () => {
  test('are known by their numbers, and no other entry is lost or altered', async () => {
    await fc.assert(
      fc.asyncProperty(entries, flips, async (list, places) => {
        const bytes = await written(list)
        const bounds = boundsOf(list)
        const damaged = new Set<number>()
        const before = Buffer.from(bytes)
        for (const place of places) {
          const index = place.entry % list.length
          // Where its header is damaged, what stands in a forged entry cannot be distinguished from a true one.
          const skipped = isForged(list[index]!) || !place.mayBeHeader ? FRAME_BYTES : 0
          const start = bounds[index]! + skipped
          if (start === bounds[index + 1]) continue
          const bit = place.bit % ((bounds[index + 1]! - start) * 8)
          bytes[start + (bit >> 3)]! ^= 1 << (bit & 7)
        }
        for (let index = 0; index < list.length; index++) {
          const [start, end] = [bounds[index]!, bounds[index + 1]!]
          if (!bytes.subarray(start, end).equals(before.subarray(start, end))) damaged.add(index + 1)
        }
        const expected = numbered(list).map(([number, hex]) => [number, damaged.has(number) ? undefined : hex] as const)
        const lastWhole = Math.max(0, ...numbered(list).flatMap(([number]) => (damaged.has(number) ? [] : [number])))
        await using(holding(bytes), async (journal) => {
          // Damage at the end can look like a torn tail.
          expect(journal.head).toBeGreaterThanOrEqual(lastWhole)
          expect(await entriesOf(journal)).toEqual(expected.slice(0, journal.head))
          const { head } = journal
          append(journal, [NEXT])
          expect(await entriesOf(journal)).toEqual([...expected.slice(0, head), ...numbered([NEXT], head + 1)])
        })
      }),
      {
        numRuns: runs(400),
      },
    )
  })

  test('with any one bit flipped', async () => {
    const list = [Buffer.from('first'), Buffer.alloc(0), Buffer.from('third'), new Uint8Array(30)]
    const bytes = await written(list)
    const bounds = boundsOf(list)
    const place = newPlace()
    for (let bit = HEADER_BYTES * 8; bit < bytes.length * 8; bit++) {
      bytes[bit >> 3]! ^= 1 << (bit & 7)
      holding(bytes, place)
      bytes[bit >> 3]! ^= 1 << (bit & 7)
      const hit = bounds.findIndex((bound) => bound > bit >> 3)
      const expected = numbered(list).map(([number, hex]) => [number, number === hit ? undefined : hex] as const)
      const isHeaderOfLast = hit === list.length && bit >> 3 < bounds[hit - 1]! + FRAME_BYTES
      await using(place, async (journal) => {
        // Nobody can know whether such an entry was ever whole; any other one that is lost is known to be.
        const length = isHeaderOfLast ? list.length - 1 : list.length
        expect(journal.head, `bit ${bit}`).toBe(length)
        expect(await entriesOf(journal), `bit ${bit}`).toEqual(expected.slice(0, length))
      })
    }
  })

  test('at the end of a segment are known, where others follow', async () => {
    const directory = newPlace()
    const list = Array.from({ length: 9 }, (_, index) => Buffer.alloc(30, index))
    await using(directory, (journal) => append(journal, list), { segmentBytes: 3 * (30 + FRAME_BYTES) })
    const [first, second, third] = segmentsOf(directory)
    truncateSync(first!, HEADER_BYTES + 2 * (30 + FRAME_BYTES) + 5)
    writeFileSync(second!, '')
    const lost = numbered(list).map(([number, hex]) => [number, number >= 3 && number <= 6 ? undefined : hex])
    await using(directory, async (journal) => {
      expect(journal.head).toBe(9)
      for (let after = 0; after <= 9; after++) expect(await entriesOf(journal, after)).toEqual(lost.slice(after))
    })
    // All of the last segment, of which the name says where it begins.
    truncateSync(third!, 3)
    await using(directory, async (journal) => {
      expect(journal.head).toBe(6)
      append(journal, [NEXT])
      expect(await entriesOf(journal)).toEqual([...lost.slice(0, 6), ...numbered([NEXT], 7)])
    })
  })
})

describe('[STORE-2] segments', () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('append' as const), bytes: entry }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('drop' as const), share: fc.integer({ min: 0, max: 10 }) }) },
    { weight: 1, arbitrary: fc.constant({ do: 'reopen' } as const) },
    { weight: 1, arbitrary: fc.constant({ do: 'sync' } as const) },
    { weight: 1, arbitrary: fc.constant({ do: 'fenced' } as const) },
  )

  test('appended to, dropped, synced and opened anew, hold what was appended and not dropped', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 60, size: 'max' }),
        fc.integer({ min: HEADER_BYTES + 1, max: 200 }),
        async (steps, segmentBytes) => {
          const directory = newPlace()
          const all: Uint8Array[] = []
          let dropped = 0
          let journal = SegmentJournal.open(directory, { segmentBytes })
          const syncs: Promise<void>[] = []
          for (const each of steps) {
            if (each.do === 'append') {
              journal.append(all.length, each.bytes)
              all.push(each.bytes)
            } else if (each.do === 'drop') {
              const through = Math.floor((all.length * each.share) / 10)
              await journal.drop(through)
              dropped = Math.max(dropped, through)
              // Whole segments are dropped; the last one only where it is full.
              const size = all.slice(dropped).reduce((sum, { length }) => sum + length + FRAME_BYTES, 0)
              expect(journal.bytes).toBeLessThanOrEqual(
                size + 2 * (segmentBytes + 200 + FRAME_BYTES) + HEADER_BYTES * segmentsOf(directory).length,
              )
            } else if (each.do === 'sync') syncs.push(journal.sync())
            else if (each.do === 'fenced')
              expect(() => journal.append(all.length + 1, NEXT)).toThrow(
                expect.objectContaining({ code: 'STORE_FENCED' }),
              )
            else {
              await journal.close()
              journal = SegmentJournal.open(directory, { segmentBytes })
            }
            expect(journal.head).toBe(all.length)
          }
          await journal.close()
          await Promise.all(syncs)
          await using(directory, async (again) => {
            expect(again.head).toBe(all.length)
            for (const after of [dropped, Math.floor((dropped + all.length) / 2), all.length])
              expect(await entriesOf(again, after)).toEqual(numbered(all).slice(after))
            const kept = await entriesOf(again)
            expect(kept).toEqual(numbered(all).slice(all.length - kept.length))
          })
        },
      ),
      { numRuns: runs(60) },
    )
  })

  test('a sync that is under way when the journal is closed, comes to its end', async () => {
    const directory = newPlace()
    const journal = SegmentJournal.open(directory, { segmentBytes: 50 })
    // Nothing of libuv's threads is left for the sync until later.
    const busy = Array.from({ length: 8 }, () => promisify(pbkdf2)('', '', 20_000, 64, 'sha512'))
    append(journal, [Buffer.alloc(60), Buffer.alloc(60)])
    const syncs = [journal.sync(), journal.sync()]
    append(journal, [Buffer.alloc(60)])
    syncs.push(journal.sync())
    await journal.close()
    await Promise.all(syncs)
    await Promise.all(busy)
    await using(directory, (again) => expect(again.head).toBe(3))
  })

  test('that are none of ours are refused with STORE_FORMAT, and left as they are', async () => {
    const refused = { code: 'STORE_FORMAT' }
    const bytes = await written([Buffer.from('entry')])
    const newer = Buffer.from(bytes)
    newer[4] = 2
    newer.writeUInt32LE(7, HEADER_BYTES)
    for (const foreign of [
      Buffer.from('#!/bin/sh\nexit 0\n'),
      newer,
      Buffer.from('SJRN\x02\0\0\0'),
      Buffer.from('x'),
    ]) {
      const place = holding(foreign)
      expect(() => SegmentJournal.open(place)).toThrow(expect.objectContaining(refused))
      expect(readFileSync(segmentsOf(place)[0]!)).toEqual(foreign)
    }
    // Also where it is not the last one.
    const directory = newPlace()
    await using(directory, (journal) => append(journal, [Buffer.alloc(20), Buffer.alloc(20)]), { segmentBytes: 30 })
    writeFileSync(segmentsOf(directory)[0]!, 'something else')
    await using(directory, async (journal) => {
      await expect(entriesOf(journal)).rejects.toMatchObject(refused)
      expect(await entriesOf(journal, 1)).toEqual(numbered([Buffer.alloc(20)], 2))
    })
  })

  test('whose header has a flipped bit are read all the same', async () => {
    const list = [Buffer.from('one'), Buffer.from('two')]
    const bytes = await written(list)
    for (let bit = 0; bit < HEADER_BYTES * 8; bit++) {
      const copy = Buffer.from(bytes)
      copy[bit >> 3]! ^= 1 << (bit & 7)
      const place = holding(copy)
      await using(place, async (journal) => expect(await entriesOf(journal)).toEqual(numbered(list)))
      expect(readFileSync(segmentsOf(place)[0]!)).toEqual(bytes)
    }
    // Also where there is no entry, or a damaged one, as long as the version is not.
    for (const [at, rest] of [
      [0, Buffer.alloc(0)],
      [7, bytes.subarray(HEADER_BYTES, HEADER_BYTES + FRAME_BYTES - 1)],
    ] as const) {
      const copy = Buffer.concat([bytes.subarray(0, HEADER_BYTES), rest])
      copy[at]! ^= 0x30
      copy[2]! ^= 1
      await using(holding(copy), async (journal) => expect(await entriesOf(journal)).toEqual([]))
    }
  })

  test('stand among files that are none', async () => {
    const directory = newPlace()
    for (const name of ['x.journal', '1.journal', 'notes.txt', '0000000000000001.journal.bak'])
      writeFileSync(join(directory, name), 'x')
    await using(directory, (journal) => append(journal, [NEXT]))
    await using(directory, async (journal) => expect(await entriesOf(journal)).toEqual(numbered([NEXT])))
  })
})

const small = mountSmall(256 * 1024)

describe('[STORE-2] a full disk', () => {
  test.skipIf(small === undefined)(
    'refuses appends, leaves no part of one, and takes them again when there is space',
    async () => {
      const { directory, fill, free } = small!
      const place = join(directory, 'journal')
      const segmentBytes = 24_000
      let journal = SegmentJournal.open(place, { segmentBytes })
      const all: Uint8Array[] = []
      let dropped = 0
      try {
        for (let round = 0; round < 6; round++) {
          // The disk ends in the middle of a frame, in the header of a segment, wherever it comes to.
          fill(3 + round)
          let refused = 0
          for (let count = 0; count < 400; count++) {
            const bytes = Buffer.alloc(1 + ((count * 977) % 9_000), count)
            try {
              journal.append(journal.head, bytes)
              all.push(bytes)
            } catch (error) {
              expect(error).toMatchObject({ code: 'STORE_FAILED', cause: { code: 'ENOSPC' } })
              refused++
              const sizes = segmentsOf(place).map((path) => statSync(path).size)
              expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(journal.bytes)
            }
            expect(journal.head).toBe(all.length)
          }
          expect(refused).toBeGreaterThan(0)
          if (round % 2 === 0) {
            await journal.close()
            journal = SegmentJournal.open(place, { segmentBytes })
            expect(await entriesOf(journal, dropped)).toEqual(numbered(all).slice(dropped))
          }
          free()
          append(journal, [NEXT])
          all.push(NEXT)
          await journal.sync()
          dropped = all.length - 3
          await journal.drop(dropped)
          await journal.close()
          journal = SegmentJournal.open(place, { segmentBytes })
          expect(await entriesOf(journal, dropped)).toEqual(numbered(all).slice(dropped))
        }
      } finally {
        await journal.close()
      }
    },
  )
})
