import type { SessionKey } from '@sojourn/core/internal'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { FeedCursor } from '../../packages/store/src/index/feed-order.js'
// Not a door of the package: the store's own part.
import type { IndexChange } from '../../packages/store/src/index/index-entry.js'
import { type Origin, RANGE_BITS, SessionIndex } from '../../packages/store/src/index/session-index.js'
import { runs } from '../support/runs.js'

const hex = (word: number): string => (word >>> 0).toString(16).padStart(8, '0')

/** Keys that differ in their last word only, in their first one only, in all of them; at both ends of their order. */
const keyOf = (n: number): SessionKey => {
  const scattered = Math.imul(n + 1, 0x9e3779b1)
  if (n % 4 === 0) return `${'ab'.repeat(12)}${hex(n)}`
  if (n % 4 === 1) return `${hex(scattered)}${'cd'.repeat(12)}`
  if (n % 4 === 2) return `${n % 8 === 2 ? '00000000' : 'ffffffff'}${hex(n)}${'00'.repeat(8)}`
  return `${hex(scattered)}${hex(scattered * 31)}${hex(scattered * 37)}${hex(n)}`
}

/** Keys of which no two share their first words: long lists of those that do are another question. */
const scatteredKey = (n: number): SessionKey => keyOf(4 * n + 3)

/** After everything that is due. */
const LATER = Number.MAX_SAFE_INTEGER

const feedOf = (n: number): string => n.toString(16).padStart(32, '0')

interface Known extends Omit<IndexChange, 'dueAt'> {
  readonly isCorrupt: boolean
  readonly dueAt: number
}

/** What an index should say, from nothing but a map. */
class Model {
  readonly records = new Map<SessionKey, Known>()

  put(key: SessionKey, change: IndexChange): void {
    const before = this.records.get(key)
    // A deadline that moves away is noticed when the old one has passed.
    const dueAt = Math.min(before?.dueAt ?? Number.POSITIVE_INFINITY, change.dueAt)
    this.records.set(key, { ...change, isCorrupt: false, dueAt })
  }

  change(key: SessionKey, change: Partial<Known>): void {
    const before = this.records.get(key)
    if (before) this.records.set(key, { ...before, ...change })
  }

  markCorrupt(key: SessionKey, dueAt: number): void {
    if (this.records.get(key)?.isCorrupt === false) this.change(key, { isCorrupt: true, dueAt })
  }

  get counts() {
    const all = [...this.records.values()]
    const ended = all.filter(({ isEnded }) => isEnded).length
    const expired = all.filter(({ isEnded, isExpired }) => isExpired && !isEnded).length
    return { sessions: all.length - ended - expired, expired, tombstones: ended }
  }

  get keys(): SessionKey[] {
    return [...this.records.keys()].sort()
  }

  /** The record whose latest commit is the first one after a sequence. */
  after(sequence: number) {
    let next: { key: SessionKey; sequence: number; origin: Origin | undefined } | undefined
    for (const [key, known] of this.records)
      if (known.sequence > sequence && known.sequence < (next?.sequence ?? LATER))
        next = { key, sequence: known.sequence, origin: known.origin }
    return next
  }

  get summed(): { key: SessionKey; high: number; low: number }[] {
    return [...this.records]
      .filter(([, { isDue, isCorrupt }]) => !isDue && !isCorrupt)
      .map(([key, { version }]) => ({ key, ...version }))
  }

  get sum() {
    const add = (half: 'high' | 'low') => this.summed.reduce((sum, version) => (sum + version[half]) >>> 0, 0)
    return { high: add('high'), low: add('low') }
  }

  sumsOf(ranges: readonly number[], bits: number): number[] {
    return ranges.map((range) =>
      this.summed.reduce((sum, { key, low }) => (rangeOf(key, bits) === range ? (sum + low) >>> 0 : sum), 0),
    )
  }

  get nextDue(): number {
    return Math.min(Number.POSITIVE_INFINITY, ...[...this.records.values()].map(({ dueAt }) => dueAt))
  }
}

const rangeOf = (key: SessionKey, bits: number): number => Number.parseInt(key.slice(0, 8), 16) >>> (32 - bits)

const word = fc.oneof(
  fc.nat(3),
  fc.integer({ min: 2 ** 32 - 4, max: 2 ** 32 - 1 }),
  fc.integer({ min: 0, max: 2 ** 32 - 1 }),
)
const subjectOf = (n: number): string => (n + 1).toString(16).padStart(32, '0').split('').reverse().join('')
const time = fc.nat(50)
const change = fc.record({
  origin: fc.option(fc.record({ feed: fc.nat(3).map(feedOf), sequence: fc.maxSafeInteger().map(Math.abs) }), {
    nil: undefined,
  }),
  version: fc.record({ high: word, low: word }),
  isEnded: fc.boolean(),
  isExpired: fc.boolean(),
  isDue: fc.boolean(),
  isCutoff: fc.boolean(),
  subject: fc.option(fc.nat(3).map(subjectOf), { nil: undefined }),
  dueAt: time,
})
const key = fc.nat(23).map(keyOf)
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('put' as const), key, change }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('remove' as const), key }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('putCorrupt' as const), key, dueAt: time }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('markCorrupt' as const), key, dueAt: time }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('markPassed' as const), key, isExpired: fc.boolean(), isDue: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('setDue' as const), key, at: time }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('open' as const), share: fc.integer({ min: 0, max: 4 }) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('next' as const), cursor: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('close' as const), cursor: fc.nat() }) },
  // Beyond what there is room for at first; and away with most of it, so that slots are used again.
  { weight: 1, arbitrary: fc.record({ do: fc.constant('fill' as const), count: fc.integer({ min: 1, max: 400 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('thin' as const), each: fc.integer({ min: 1, max: 3 }) }) },
)
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

/** An index and its model, and the cursors that are open in both. */
class Pair {
  readonly index: SessionIndex
  readonly model = new Model()
  sequence = 0
  #filled = 1_000
  #cursors: { readonly cursor: FeedCursor; passed: number }[] = []

  constructor(seed: number) {
    this.index = new SessionIndex(seed)
  }

  put(key: SessionKey, change: Omit<IndexChange, 'sequence'>): void {
    const whole = { ...change, sequence: ++this.sequence }
    this.index.put(key, whole)
    this.model.put(key, whole)
  }

  remove(key: SessionKey): void {
    this.index.remove(key)
    this.model.records.delete(key)
  }

  take(step: Step): void {
    const { index, model } = this
    if (step.do === 'put') this.put(step.key, step.change)
    else if (step.do === 'remove') this.remove(step.key)
    else if (step.do === 'putCorrupt') this.#putCorrupt(step.key, step.dueAt)
    else if (step.do === 'markCorrupt') {
      index.markCorrupt(step.key, step.dueAt)
      model.markCorrupt(step.key, step.dueAt)
    } else if (step.do === 'markPassed') {
      index.markPassed(step.key, step.isExpired, step.isDue)
      model.change(step.key, { isExpired: step.isExpired, isDue: step.isDue })
    } else if (step.do === 'setDue') {
      index.setDue(step.key, step.at)
      model.change(step.key, { dueAt: step.at })
    } else if (step.do === 'fill') this.#fill(step.count)
    else if (step.do === 'thin') this.#thin(step.each)
    else this.#scan(step)
  }

  #thin(each: number): void {
    for (const [place, key] of this.model.keys.entries()) if (place % 4 >= each) this.remove(key)
  }

  #putCorrupt(key: SessionKey, dueAt: number): void {
    const sequence = ++this.sequence
    this.index.putCorrupt(key, sequence, dueAt)
    const known = { isEnded: false, isExpired: false, isDue: false, isCutoff: false, subject: undefined }
    this.model.put(key, { sequence, origin: undefined, version: { high: 0, low: 0 }, ...known, dueAt })
    this.model.markCorrupt(key, dueAt)
  }

  #fill(count: number): void {
    for (let left = count; left > 0; left--) {
      const n = this.#filled++
      const origin: Origin | undefined = n % 3 === 0 ? undefined : { feed: feedOf(n % 5), sequence: n }
      const version = { high: Math.imul(n, 0x85ebca6b) >>> 0, low: Math.imul(n, 0x9e3779b1) >>> 0 }
      this.put(keyOf(n), {
        origin,
        version,
        isEnded: n % 7 === 0,
        isExpired: n % 5 === 0,
        isDue: n % 11 === 0,
        isCutoff: n % 13 === 0,
        subject: n % 2 === 0 ? undefined : subjectOf(n % 9),
        dueAt: n % 40,
      })
    }
  }

  #scan(step: Extract<Step, { do: 'open' | 'next' | 'close' }>): void {
    if (step.do === 'open') {
      const after = Math.floor((this.sequence * step.share) / 4)
      this.#cursors.push({ cursor: this.index.openFeed(after), passed: after })
      return
    }
    const place = this.#cursors.length === 0 ? -1 : step.cursor % this.#cursors.length
    const each = this.#cursors[place]
    if (each === undefined) return
    if (step.do === 'next') this.#next(each)
    else {
      this.index.closeFeed(each.cursor)
      this.#cursors.splice(place, 1)
    }
  }

  /** The first record after what was passed, wherever that is by now. */
  #next(each: { readonly cursor: FeedCursor; passed: number }): boolean {
    const expected = this.model.after(each.passed)
    expect(this.index.nextInFeed(each.cursor)).toEqual(expected)
    each.passed = expected?.sequence ?? each.passed
    return expected !== undefined
  }

  /** Everything that can be asked. */
  check(): void {
    const { index, model } = this
    expect(index.size).toBe(model.records.size)
    expect(index.counts).toEqual(model.counts)
    expect(index.corrupt).toBe([...model.records.values()].filter(({ isCorrupt }) => isCorrupt).length)
    expect([...index.keys()].flat()).toEqual(model.keys)
    for (const [key, known] of model.records) {
      const { isCorrupt, dueAt: _, subject: __, ...entry } = known
      expect(index.get(key)).toEqual(entry)
      expect(index.isCorrupt(key)).toBe(isCorrupt)
      expect(index.sequenceOf(key)).toBe(known.sequence)
      expect(index.originOf(key)).toEqual(known.origin)
    }
    for (let n = 0; n < 10; n++) {
      const own = [...model.records].filter(([, { subject }]) => subject === subjectOf(n)).map(([key]) => key)
      expect(index.keysOfSubject(subjectOf(n)).sort()).toEqual(own.sort())
    }
    const isCutoff = (key: SessionKey) => model.records.get(key)!.isCutoff
    expect([...index.cutoffKeys()].sort()).toEqual(model.keys.filter(isCutoff))
    this.#checkAbsent()
    this.#checkSums()
    expect(index.nextDue).toBe(model.nextDue)
    const first = index.firstDue(Math.min(model.nextDue, LATER))
    if (model.records.size === 0) expect(first).toBeUndefined()
    else expect(model.records.get(first!)!.dueAt).toBe(model.nextDue)
    if (first) expect(index.firstDue(model.nextDue - 1)).toBeUndefined()
  }

  #checkAbsent(): void {
    const { index, model } = this
    for (let n = 0; n < 48; n++) {
      const key = keyOf(n)
      expect(index.has(key)).toBe(model.records.has(key))
      if (model.records.has(key)) continue
      expect(index.get(key)).toBeUndefined()
      expect(index.sequenceOf(key)).toBeUndefined()
      expect(index.isCorrupt(key)).toBe(false)
    }
  }

  #checkSums(): void {
    const { index, model } = this
    expect(index.sum).toEqual(model.sum)
    const bits = RANGE_BITS + 4
    const ranges = [...new Set(model.keys.map((key) => rangeOf(key, RANGE_BITS)))].slice(0, 20)
    const all = index.rangeSums
    expect(ranges.map((range) => all[range])).toEqual(model.sumsOf(ranges, RANGE_BITS))
    const children = ranges.flatMap((range) => Array.from({ length: 16 }, (_, child) => range * 16 + child))
    expect([...index.sumsBelow(ranges, RANGE_BITS, bits)]).toEqual(model.sumsOf(children, bits))
    const some = new Set(children.filter((_, place) => place % 3 > 0))
    const byKey = (versions: { key: SessionKey }[]) => versions.sort((a, b) => (a.key < b.key ? -1 : 1))
    expect(byKey(index.versionsIn(some, bits))).toEqual(
      byKey(model.summed.filter((version) => some.has(rangeOf(version.key, bits)))),
    )
  }

  /** Takes everything out in the order in which it is due, and the feed in its order before that. */
  drain(): void {
    for (const each of this.#cursors) while (this.#next(each));
    let last = Number.NEGATIVE_INFINITY
    while (this.model.records.size > 0) {
      const key = this.index.firstDue(LATER)!
      const { dueAt } = this.model.records.get(key)!
      expect(dueAt).toBeGreaterThanOrEqual(last)
      last = dueAt
      this.remove(key)
    }
    this.check()
  }
}

describe('[STORE-3] the index', () => {
  test('says what a plain map of the records says, whatever happens to them', () => {
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 1, maxLength: 120, size: 'max' }),
        fc.integer({ min: 0, max: 2 ** 32 - 1 }),
        (steps, seed) => {
          const pair = new Pair(seed)
          for (const [place, each] of steps.entries()) {
            pair.take(each)
            if (place % 15 === 0) pair.check()
          }
          pair.check()
          pair.drain()
        },
      ),
      { numRuns: runs(60) },
    )
  })

  test('brings records that were found in any order into the order of the feed', () => {
    const sequences = fc.uniqueArray(
      fc.oneof(
        fc.nat(100),
        fc.integer({ min: 2 ** 31 - 9, max: 2 ** 33 }),
        fc.integer({ min: 2 ** 52, max: 2 ** 53 - 1 }),
      ),
      { maxLength: 200 },
    )
    fc.assert(
      fc.property(sequences, fc.nat(), (list, after) => {
        const index = new SessionIndex(1)
        const known = {
          origin: undefined,
          version: { high: 1, low: 1 },
          isEnded: false,
          isExpired: false,
          isDue: false,
          isCutoff: false,
          subject: undefined,
        }
        for (const [n, sequence] of list.entries()) index.put(keyOf(n), { ...known, sequence, dueAt: 1 })
        index.sortFeed()
        const all = [...list].sort((a, b) => a - b)
        const from = all[after % (all.length + 1)] ?? -1
        const cursor = index.openFeed(from)
        const found: number[] = []
        for (let next = index.nextInFeed(cursor); next; next = index.nextInFeed(cursor)) {
          expect(next.key).toBe(keyOf(list.indexOf(next.sequence)))
          found.push(next.sequence)
        }
        expect(found).toEqual(all.filter((sequence) => sequence > from))
      }),
      { numRuns: runs(100) },
    )
  })

  test('lists the keys of the moment, a slice or all of them, whatever comes and goes meanwhile', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 60, size: 'max' }), fc.nat(255), (steps, random) => {
        const pair = new Pair(random)
        for (const each of steps) pair.take(each)
        const { index, model } = pair
        const before = model.keys
        const slice = before.length > 0 ? Number.parseInt(before[random % before.length]!.slice(0, 2), 16) : random
        expect([...index.keys(slice)].flat()).toEqual(
          before.filter((each) => Number.parseInt(each.slice(0, 2), 16) === slice),
        )
        const listed: SessionKey[] = []
        for (const keys of index.keys()) {
          listed.push(...keys)
          expect(new Set(keys.map((each) => each.slice(0, 2))).size).toBe(1)
          for (const each of model.keys.slice(0, 5)) pair.remove(each)
          pair.take({ do: 'fill', count: 7 })
        }
        expect(listed).toEqual(before)
      }),
      { numRuns: runs(40) },
    )
  })

  test('keeps no origin from more feeds than it can number, and all of those that it can', () => {
    const index = new SessionIndex(1)
    const none = { isEnded: false, isExpired: false, isDue: false, isCutoff: false, subject: undefined }
    const known = { version: { high: 1, low: 1 }, ...none, dueAt: 1 }
    const FEEDS = 0xffff
    for (let n = 0; n <= FEEDS; n++)
      index.put(scatteredKey(n), { ...known, sequence: n + 1, origin: { feed: feedOf(n), sequence: 7 } })
    expect(index.originOf(scatteredKey(FEEDS - 1))).toEqual({ feed: feedOf(FEEDS - 1), sequence: 7 })
    expect(index.originOf(scatteredKey(FEEDS))).toBeUndefined()
    index.put(scatteredKey(FEEDS), { ...known, sequence: FEEDS + 2, origin: { feed: feedOf(3), sequence: 8 } })
    expect(index.originOf(scatteredKey(FEEDS))).toEqual({ feed: feedOf(3), sequence: 8 })
  })
})

test.each([
  ['without subjects', undefined, 80],
  ['of a subject each', subjectOf(1), 92],
])(
  '[BOUND-4] the index of sessions %s has at most so many bytes a session, however many there are',
  (_, subject, limit) => {
    const index = new SessionIndex(1)
    const known = {
      origin: { feed: feedOf(1), sequence: 1 },
      version: { high: 1, low: 1 },
      isEnded: false,
      isCutoff: false,
    }
    let most = 0
    for (let n = 0; n < 200_000; n++) {
      index.put(scatteredKey(n), {
        ...known,
        sequence: n + 1,
        isExpired: false,
        isDue: false,
        dueAt: n,
        subject: subject && subjectOf(n),
      })
      if (n >= 10_000) most = Math.max(most, index.bytes / (n + 1))
    }
    expect(index.bytes / 200_000).toBeLessThanOrEqual(limit)
    expect(most).toBeLessThanOrEqual(limit)
  },
)
