/** What every storage engine must do, as a suite for any test runner: `@sojourn/store/contract`. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { ErrorCode, RowWrite, Storage, StorageEngine } from '@sojourn/core/internal'
import { isSojournError, systemClock } from '@sojourn/core/internal'

/** The functions of a test runner, such as those of vitest or `node:test`. */
export interface ContractRunner {
  readonly describe: (name: string, body: () => void) => void
  readonly test: (name: string, body: () => Promise<void>) => void
}

/** An engine, and a place that holds nothing yet. Each test asks for one of its own. */
export interface EnginePlace {
  readonly engine: StorageEngine
  readonly location: string
  /** Removes what the engine left at the location. */
  readonly remove?: () => Promise<void>
}

/** What an engine may leave out, by its nature. */
export interface EngineTraits {
  /** What was written is there when the location is opened again. Default: true. */
  readonly keeps?: boolean
  /** A location that is open is refused with STORE_LOCKED. Default: true. */
  readonly locks?: boolean
}

/** Bytes of an entry, and of a value, that no engine may find too long. */
const LARGE_BYTES = 1024 * 1024
/** More than an engine returns in one chunk. */
const MANY_ROWS = 3_000

/** Gives each test storage at a place of its own, and opens that anew when it is asked to. */
class Bench {
  readonly #place: EnginePlace
  #storage: Storage

  private constructor(place: EnginePlace, storage: Storage) {
    this.#place = place
    this.#storage = storage
  }

  static async with(newPlace: () => Promise<EnginePlace>, use: (bench: Bench) => Promise<void>): Promise<void> {
    const place = await newPlace()
    try {
      const bench = new Bench(place, await place.engine.open(place.location))
      try {
        await use(bench)
      } finally {
        await bench.#storage.close()
      }
    } finally {
      await place.remove?.()
    }
  }

  get journal() {
    return this.#storage.journal
  }

  get rows() {
    return this.#storage.rows
  }

  async reopen(): Promise<void> {
    await this.#storage.close()
    this.#storage = await this.openAnother()
  }

  openAnother(): Promise<Storage> {
    return this.#place.engine.open(this.#place.location)
  }

  async append(...entries: readonly Uint8Array[]): Promise<void> {
    for (const entry of entries) await this.journal.append(this.journal.head, entry)
  }

  /** The entries after a number, as {@link shown}. */
  async entries(after: number): Promise<[number: number, bytes: string][]> {
    const out: [number, string][] = []
    for await (const chunk of this.journal.read(after))
      for (const { number, bytes } of chunk) out.push([number, shown(bytes)])
    return out
  }

  put(key: string | Uint8Array, value: string | Uint8Array, sync = false): Promise<void> {
    return this.rows.write([put(key, value)], sync)
  }

  /** A value, as {@link shown}. */
  async get(key: string | Uint8Array): Promise<string> {
    return shown(await this.rows.get(Buffer.from(key)))
  }

  /** All rows, as {@link shown}. */
  async all(): Promise<[key: string, value: string][]> {
    const out: [string, string][] = []
    for await (const chunk of this.rows.scan()) for (const [key, value] of chunk) out.push([shown(key), shown(value)])
    return out
  }
}

/** Bytes as a text that is quick to compare, and short where a test prints it. */
const shown = (bytes: Uint8Array | string | undefined): string => {
  if (bytes === undefined) return 'none'
  const hex = Buffer.from(bytes).toString('hex')
  return hex.length <= 64 ? `<${hex}>` : `${bytes.length} bytes, ${createHash('sha256').update(bytes).digest('hex')}`
}
const NONE = shown(undefined)

const put = (key: string | Uint8Array, value: string | Uint8Array): RowWrite => ({
  type: 'put',
  key: Buffer.from(key),
  value: Buffer.from(value),
})
const del = (key: string): RowWrite => ({ type: 'del', key: Buffer.from(key) })

const hasCode = (code: ErrorCode) => (error: unknown) => isSojournError(error, code)

/** Bytes of every value, which differ from one `salt` to the next. */
const bytesOf = (length: number, salt: number): Buffer =>
  Buffer.from(Uint8Array.from({ length }, (_, index) => (index * 7 + salt) & 0xff))

const ENTRIES = [bytesOf(300, 1), Buffer.alloc(0), bytesOf(LARGE_BYTES, 2), Buffer.of(0), bytesOf(256, 3)]
const NUMBERED = ENTRIES.map((bytes, index): [number, string] => [index + 1, shown(bytes)])

/**
 * Declares the suite.
 * @param newPlace an engine with a place that holds nothing yet; called once for each test
 * @example
 * import { describeEngine } from '@sojourn/store/contract'
 * import { describe, test } from 'vitest'
 * describeEngine('my engine', async () => ({ engine, location: await emptyPlace() }), { describe, test })
 */
export const describeEngine = (
  name: string,
  newPlace: () => Promise<EnginePlace>,
  { describe, test }: ContractRunner,
  { keeps = true, locks = true }: EngineTraits = {},
): void => {
  const declare = (cases: Cases): void => {
    for (const [title, use] of Object.entries(cases)) test(title, () => Bench.with(newPlace, use))
  }
  describe(name, () => {
    declare(JOURNAL)
    declare(ROWS)
    if (keeps) declare(KEPT)
    if (locks) declare(LOCKED)
  })
}

type Cases = { readonly [title: string]: (bench: Bench) => Promise<void> }

const JOURNAL: Cases = {
  'a new journal is empty': async (bench) => {
    assert.equal(bench.journal.head, 0)
    assert.deepEqual(await bench.entries(0), [])
  },

  'entries are numbered from 1 on, and the last one is the head': async (bench) => {
    for (const [index, bytes] of ENTRIES.entries()) {
      await bench.append(bytes)
      assert.equal(bench.journal.head, index + 1)
    }
    await bench.journal.sync()
    assert.equal(bench.journal.head, ENTRIES.length)
  },

  'an append after another head is refused with STORE_FENCED and changes nothing': async (bench) => {
    const append = async (after: number) => bench.journal.append(after, Buffer.from('late'))
    await assert.rejects(append(1), hasCode('STORE_FENCED'))
    await bench.append(...ENTRIES)
    const { head, bytes } = bench.journal
    for (const after of [0, head - 1, head + 1]) await assert.rejects(append(after), hasCode('STORE_FENCED'))
    assert.deepEqual([bench.journal.head, bench.journal.bytes], [head, bytes])
    await append(head)
    assert.equal(bench.journal.head, head + 1)
  },
}

const ROWS: Cases = {
  'a new place has no rows': async (bench) => {
    assert.deepEqual(await bench.all(), [])
    assert.equal(await bench.get('a'), NONE)
  },

  'a row is what was written last, and stays so when the rows are compacted': async (bench) => {
    await bench.put('a', '1')
    await bench.put('b', '2', true)
    assert.equal(await bench.get('a'), shown('1'))
    const compacting = bench.rows.compact?.()
    await bench.put('a', '3')
    await compacting
    assert.equal(await bench.get('a'), shown('3'))
    await bench.rows.write([del('a'), del('never')], false)
    assert.equal(await bench.get('a'), NONE)
    assert.equal(await bench.get('b'), shown('2'))
    await bench.rows.write([], true)
  },

  'keys and values are any bytes, values also none or very many': async (bench) => {
    const every = bytesOf(256, 0)
    const pairs: [Uint8Array, Uint8Array][] = [
      [every, every],
      [Buffer.of(0), Buffer.alloc(0)],
      [Buffer.of(0, 0), Buffer.of(0)],
      [Buffer.of(0xff), Buffer.of(0xff)],
      [Buffer.from('large'), bytesOf(LARGE_BYTES, 5)],
    ]
    await bench.rows.write(
      pairs.map(([key, value]) => put(key, value)),
      true,
    )
    for (const [key, value] of pairs) assert.equal(await bench.get(key), shown(value))
    assert.equal(await bench.get(Buffer.of(0, 0, 0)), NONE)
  },

  'the writes of a batch count in their order': async (bench) => {
    await bench.rows.write([put('a', '1'), del('a'), put('b', '1'), put('b', '2'), del('c'), put('c', '3')], false)
    assert.equal(await bench.get('a'), NONE)
    assert.equal(await bench.get('b'), shown('2'))
    assert.equal(await bench.get('c'), shown('3'))
  },

  'batches count in the order of the calls, awaited or not': async (bench) => {
    const writes: Promise<void>[] = []
    for (let count = 1; count <= 200; count++) {
      const other = count % 2 === 0 ? put('other', String(count)) : del('other')
      writes.push(bench.rows.write([put('a', String(count)), other], count % 50 === 0))
    }
    await Promise.all(writes)
    assert.equal(await bench.get('a'), shown('200'))
    assert.equal(await bench.get('other'), shown('200'))
  },

  'a batch shows whole, or not yet at all': async (bench) => {
    const keys = Array.from({ length: 500 }, (_, index) => Buffer.from(`key ${index}`))
    const batch = (value: string) =>
      bench.rows.write(
        keys.map((key) => put(key, value)),
        false,
      )
    await batch('old')
    let isOver = false
    const writing = batch('new').finally(() => {
      isOver = true
    })
    let isNew = false
    while (!isOver) {
      // The batch may be taken between any two of these reads: from then on all of it is there.
      for (const key of keys) {
        const value = bench.rows.get(key)
        if (value instanceof Promise) await value
        else if (isNew) assert.equal(shown(value), shown('new'))
        else isNew = shown(value) === shown('new')
      }
      await new Promise<void>((resolve) => systemClock.soon(resolve))
    }
    await writing
    for (const key of keys) assert.equal(await bench.get(key), shown('new'))
  },
}

const KEPT: Cases = {
  'bytes grow by what is appended, and do not grow by what is dropped': async (bench) => {
    for (const entry of ENTRIES) {
      const before = bench.journal.bytes
      await bench.append(entry)
      assert.ok(bench.journal.bytes >= before + entry.length)
    }
    await bench.journal.sync()
    const before = bench.journal.bytes
    await bench.journal.drop(bench.journal.head)
    assert.ok(bench.journal.bytes <= before)
  },

  'what is dropped goes, and the head stays': async (bench) => {
    // Enough for segments of whatever size to be dropped.
    for (let count = 0; count < 12; count++) await bench.append(bytesOf(LARGE_BYTES, count))
    await bench.journal.sync()
    const whole = bench.journal.bytes
    await bench.journal.drop(0)
    assert.deepEqual([bench.journal.head, bench.journal.bytes], [12, whole])
    await bench.journal.drop(12)
    assert.equal(bench.journal.head, 12)
    assert.ok(bench.journal.bytes < whole / 2, `${bench.journal.bytes} of ${whole} bytes are left`)
    await bench.append(ENTRIES[0]!)
    assert.equal(bench.journal.head, 13)
  },

  'entries are read again in order, from any place on': async (bench) => {
    await bench.append(...ENTRIES)
    await bench.journal.sync()
    await bench.reopen()
    assert.equal(bench.journal.head, ENTRIES.length)
    for (let after = 0; after <= ENTRIES.length; after++)
      assert.deepEqual(await bench.entries(after), NUMBERED.slice(after))
    await bench.append(Buffer.from('next'))
    await bench.reopen()
    assert.deepEqual(await bench.entries(ENTRIES.length - 1), [NUMBERED.at(-1), [ENTRIES.length + 1, shown('next')]])
  },

  'what was refused is not read again': async (bench) => {
    await bench.append(ENTRIES[0]!)
    await assert.rejects(async () => bench.journal.append(0, Buffer.from('late')), hasCode('STORE_FENCED'))
    await bench.append(ENTRIES[1]!)
    await bench.reopen()
    assert.deepEqual(await bench.entries(0), NUMBERED.slice(0, 2))
  },

  'after what was dropped every entry is kept': async (bench) => {
    const entries = Array.from({ length: 12 }, (_, index) => bytesOf(LARGE_BYTES, index))
    await bench.append(...entries)
    await bench.journal.sync()
    await bench.journal.drop(7)
    await bench.append(Buffer.from('after'))
    await bench.reopen()
    assert.equal(bench.journal.head, 13)
    const kept = await bench.entries(0)
    const [first] = kept[0]!
    assert.ok(first <= 8)
    const expected = [...entries.map(shown), shown('after')].map((bytes, index) => [index + 1, bytes])
    assert.deepEqual(kept, expected.slice(first - 1))
  },

  'a journal that was dropped whole goes on after its head': async (bench) => {
    await bench.append(...ENTRIES)
    await bench.journal.sync()
    await bench.journal.drop(bench.journal.head)
    await bench.reopen()
    assert.equal(bench.journal.head, ENTRIES.length)
    assert.deepEqual(await bench.entries(ENTRIES.length), [])
    await bench.append(Buffer.from('next'))
    await bench.reopen()
    assert.deepEqual(await bench.entries(ENTRIES.length), [[ENTRIES.length + 1, shown('next')]])
  },

  'rows are scanned in the order of the bytes of their keys': async (bench) => {
    // 7,919 has no common divisor with the number of rows, so every key comes once, in no order.
    const rows = Array.from({ length: MANY_ROWS }, (_, index): [Buffer, Buffer] => {
      const place = (index * 7_919) % MANY_ROWS
      return [Buffer.of(place >> 8, place & 0xff, ...(place % 3 === 0 ? [] : [0xff])), Buffer.from(String(place))]
    })
    await bench.rows.write(
      rows.map(([key, value]) => put(key, value)),
      false,
    )
    await bench.rows.write([del('no row'), put(Buffer.of(0xff), 'last')], false)
    await bench.reopen()
    const expected = [...rows, [Buffer.of(0xff), Buffer.from('last')] as const].sort(([a], [b]) => a.compare(b))
    assert.deepEqual(
      await bench.all(),
      expected.map(([key, value]) => [shown(key), shown(value)]),
    )
  },

  'rows are kept, written in whatever way, and stay deleted': async (bench) => {
    await bench.put('synced', '1', true)
    await bench.put('unsynced', '2')
    await bench.put('empty', '')
    await bench.put('gone', '3', true)
    await bench.rows.write([del('gone')], false)
    await bench.reopen()
    assert.equal(await bench.get('synced'), shown('1'))
    assert.equal(await bench.get('unsynced'), shown('2'))
    assert.equal(await bench.get('empty'), shown(''))
    assert.equal(await bench.get('gone'), NONE)
    assert.equal((await bench.all()).length, 3)
  },

  'journal and rows are kept beside each other': async (bench) => {
    await bench.append(ENTRIES[0]!)
    await bench.put('a', '1')
    await bench.append(ENTRIES[1]!)
    await bench.reopen()
    assert.deepEqual(await bench.entries(0), NUMBERED.slice(0, 2))
    assert.equal(await bench.get('a'), shown('1'))
    await bench.journal.drop(2)
    await bench.reopen()
    assert.equal(await bench.get('a'), shown('1'))
  },
}

const LOCKED: Cases = {
  'a location that is open is refused with STORE_LOCKED, and whoever has it goes on': async (bench) => {
    await bench.put('a', '1')
    await assert.rejects(bench.openAnother(), hasCode('STORE_LOCKED'))
    await assert.rejects(bench.openAnother(), hasCode('STORE_LOCKED'))
    await bench.append(ENTRIES[0]!)
    await bench.put('a', '2')
    assert.equal(await bench.get('a'), shown('2'))
    await bench.reopen()
  },
}
