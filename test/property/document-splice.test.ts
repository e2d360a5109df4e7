/** The change that is made on a document's bytes is the one that is made on its maps: the same change, the same bytes, the same view. */
import type { ActorId, ChangeDelta, Data, Edit, Fold } from '@sojourn/core/internal'
import {
  decodeChange,
  diff,
  encodeRecord,
  isPlainObject,
  materialize,
  mutate,
  setInView,
  spliceChange,
  spliceEdits,
  type Value,
} from '@sojourn/core/internal'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { tokensOf } from '../../packages/core/src/document/identity.js'
import { decodeDocument } from '../../packages/core/src/document-codec.js'
import { restIn } from '../../packages/core/src/record-codec.js'
import { mapWorlds } from '../support/map-worlds.js'
import { newRecordOf } from '../support/records.js'
import { runs } from '../support/runs.js'
import {
  CHANGE_LIMITS,
  createdFold,
  leaf,
  MAX_DEPTH,
  pathsOf,
  pointerTo,
  receive,
  type World,
  withField,
  worlds,
} from '../support/worlds.js'

const ACTOR = '0a'.repeat(16)

const bytesOf = (document: Fold): Uint8Array => restIn(encodeRecord(newRecordOf(document, ACTOR))).document

/** As it is after a while on a disk: the order of its fields is that of its bytes. */
const rested = (fold: Fold): Fold => decodeDocument(bytesOf(fold))

const both = (maxSteps: number): fc.Arbitrary<World> => fc.oneof(worlds(maxSteps), mapWorlds(maxSteps / 5))

/** Some fields that are there, and some that are not, with another scalar in each, or more in a counter. */
const value = fc.oneof(leaf, fc.integer({ min: -5, max: 5 }))
const changes = fc.array(fc.record({ pick: fc.nat(999), isNew: fc.boolean(), value }), {
  minLength: 1,
  maxLength: 3,
})

interface Draw {
  readonly pick: number
  readonly isNew: boolean
  readonly value: Value
}

const editsOf = (data: Data, draws: readonly Draw[]): Edit[] => {
  let next = data
  for (const { pick, isNew, value } of draws) {
    const paths = pathsOf(data)
    const objects = [[], ...paths.filter((path) => isPlainObject(at(data, path)))]
    const path = isNew ? [...objects[pick % objects.length]!, `n${pick % 3}`] : paths[pick % paths.length]
    if (path && !isPlainObject(at(data, path))) next = withField(next, path, value)
  }
  // By reference, so that each edit belongs to the object that was read.
  return diff(data, next, { maxDepth: MAX_DEPTH, counters: new Set(pathsOf(data).map(pointerTo)) })
}

const at = (data: Data, path: readonly string[]): unknown =>
  path.reduce<unknown>(
    (value, key) => (isPlainObject(value) && Object.hasOwn(value, key) ? value[key] : undefined),
    data,
  )

const expectSplicedEdits = (fold: Fold, actor: ActorId, edits: readonly Edit[]): boolean => {
  const spliced = spliceEdits(bytesOf(fold), () => actor, edits)
  if (spliced === undefined) return false
  const plain = mutate(fold, actor, edits)!
  expect([spliced.change]).toEqual(plain.changes.map(({ bytes, context }) => ({ bytes, context })))
  expect(new Uint8Array(spliced.document)).toEqual(new Uint8Array(bytesOf(plain.fold)))
  const view = setInView(materialize(fold), spliced.sets)
  if (view === undefined) return true
  const whole = materialize(plain.fold)
  expect(JSON.stringify(view.data)).toBe(JSON.stringify(whole.data))
  expect(view).toEqual(whole)
  expect(tokensOf(view.data)).toEqual(tokensOf(whole.data))
  return true
}

const expectSplicedChange = (fold: Fold, delta: ChangeDelta): boolean => {
  const { change, hash } = decodeChange(delta.bytes, CHANGE_LIMITS)
  const spliced = spliceChange(bytesOf(fold), change, hash, delta.context)
  if (spliced === undefined) return false
  const plain = receive(fold, delta)
  expect(new Uint8Array(spliced.document)).toEqual(new Uint8Array(bytesOf(plain)))
  const view = setInView(materialize(fold), spliced.sets)
  if (view) expect(view).toEqual(materialize(plain))
  return true
}

describe('a change on the bytes of a document', () => {
  test('[REC-2] that edits fields is the change, and gives the bytes and the view, that it gives on maps', () => {
    let count = 0
    fc.assert(
      fc.property(both(20), changes, fc.boolean(), ({ states, authors }, draws, isOurs) => {
        for (const [index, state] of states.entries()) {
          const fold = rested(state.fold)
          const actor = isOurs ? [...fold.seen.keys()][index % Math.max(1, fold.seen.size)] : undefined
          const edits = editsOf(materialize(fold).data, draws)
          if (expectSplicedEdits(fold, actor ?? ACTOR, edits)) count++
        }
        expect(authors.length).toBeGreaterThan(0)
      }),
      { numRuns: runs(300) },
    )
    expect(count).toBeGreaterThan(runs(300))
  })

  test('[REC-2] that came from a peer gives the bytes and the view that it gives on maps', () => {
    let count = 0
    fc.assert(
      fc.property(both(20), changes, ({ states }, draws) => {
        for (const state of states) {
          const fold = rested(state.fold)
          const made = mutate(fold, ACTOR, editsOf(materialize(fold).data, draws))
          for (const delta of made?.changes ?? []) if (expectSplicedChange(fold, delta)) count++
          // Also those that are known, that are concurrent, or that come too early.
          for (const other of states.slice(0, 5))
            for (const delta of other.history.values()) if (expectSplicedChange(fold, delta)) count++
        }
      }),
      { numRuns: runs(100) },
    )
    expect(count).toBeGreaterThan(runs(100))
  })

  test('[REC-2] is the usual way: an edit of one field, at the top or in an object, and the next one', () => {
    const data = { views: 4, user: 'ada', cart: { tea: 1 }, roles: ['a'], big: 2 ** 40, at: new Date(5), none: null }
    let fold = rested(createdFold(data, '0b'.repeat(16)))
    let fields: Record<string, Value> = { ...data }
    for (const [path, value] of [
      [['user'], 'grace'],
      [['user'], 'x'.repeat(200)],
      [['cart', 'milk'], 2],
      [['cart', 'milk'], 3],
      [['roles'], ['b']],
      [['big'], 1.5],
      [['at'], 7],
      [['none'], new Date(9)],
      [['fresh'], true],
      [['views'], 5],
      [['views'], 3],
      [['cart', 'milk'], 4],
      [['cart', 'tea'], 9],
    ] as const) {
      const next = withField(fields as Data, path, value as Value)
      const counters = new Set(['/views', '/cart/tea'])
      const edits = diff(materialize(fold).data, next, { maxDepth: MAX_DEPTH, counters })
      expect(expectSplicedEdits(fold, ACTOR, edits), path.join('/')).toBe(true)
      const { changes } = mutate(fold, ACTOR, edits)!
      expect(expectSplicedChange(fold, changes[0]!), path.join('/')).toBe(true)
      fold = rested(receive(fold, changes[0]!))
      fields = next as Record<string, Value>
      expect(materialize(fold).data).toEqual(fields)
    }
  })

  test('[REC-2] leaves an edit of an object that was replaced meanwhile to the plain way, which drops it', () => {
    const before = rested(createdFold({ cart: { tea: 1 } }, '0b'.repeat(16)))
    const { data } = materialize(before)
    const edits = diff(data, withField(data, ['cart', 'milk'], 2), { maxDepth: MAX_DEPTH })
    expect(expectSplicedEdits(before, ACTOR, edits)).toBe(true)
    const isAssigned = () => true
    const assigned = diff(data, { cart: { honey: 1 } }, { maxDepth: MAX_DEPTH, isAssigned })
    const after = rested(mutate(before, '0c'.repeat(16), assigned)!.fold)
    expect(materialize(after).data).toEqual({ cart: { honey: 1 } })
    expect(spliceEdits(bytesOf(after), () => ACTOR, edits)).toBeUndefined()
    expect(mutate(after, ACTOR, edits)).toBeUndefined()
  })
})
