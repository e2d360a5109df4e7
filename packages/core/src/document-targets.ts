/** The fields that a change sets or adds to, found in the bytes of a document. */
import type { Op } from './document/op.js'
import { SCALAR } from './document-codec.js'
import type { DocumentCursor, FieldPlace, FieldsPlace, FieldVisitor, MapPlace } from './document-cursor.js'

/** The operations of a usual change. */
export type UsualOp = Op & { action: 'set' | 'inc' }

/** A field that is to be set or added to, and where it is: `found` where it has a value, `fields` where it has none. */
export interface Target {
  readonly action: UsualOp['action']
  readonly key: string
  /** Which map it is in. */
  readonly isIn: (map: MapPlace | undefined) => boolean
  found: FieldPlace | undefined
  fields: FieldsPlace | undefined
}

export const targetOf = (action: Target['action'], key: string, isIn: Target['isIn']): Target => ({
  action,
  key,
  isIn,
  found: undefined,
  fields: undefined,
})

/** Finds the fields of targets, in one go through the document. */
class Finder implements FieldVisitor {
  readonly #bytes: Buffer
  readonly #targets: readonly Target[]

  constructor(bytes: Buffer, targets: readonly Target[]) {
    this.#bytes = bytes
    this.#targets = targets
  }

  wants(keyAt: number, keyLength: number, map: MapPlace | undefined): boolean {
    for (const { key, isIn } of this.#targets) if (isKey(this.#bytes, keyAt, keyLength, key) && isIn(map)) return true
    return false
  }

  field(place: FieldPlace, map: MapPlace | undefined): void {
    for (const target of this.#targets)
      if (isKey(this.#bytes, place.keyAt, place.keyLength, target.key) && target.isIn(map)) target.found = place
  }

  fields(place: FieldsPlace): void {
    for (const target of this.#targets) if (target.isIn(place.map)) target.fields = place
  }
}

/** Whether a key is this one, which is ASCII. */
const isKey = (bytes: Buffer, keyAt: number, keyLength: number, key: string): boolean => {
  if (keyLength !== key.length) return false
  for (let index = 0; index < keyLength; index++) if (bytes[keyAt + index] !== key.charCodeAt(index)) return false
  return true
}

export const isAscii = (text: string): boolean => {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) >= 0x80) return false
  return true
}

/**
 * Whether a field is one that can be set, or added to, here: there is at most one value, no map, and setting it leaves no trace in a making;
 * there is an integer.
 */
const isUsual = (target: Target): boolean => {
  const { action, found, fields } = target
  if (fields === undefined) return false
  const { map } = fields
  if (map && !map.isAlone) return false
  if (found === undefined) return action === 'set'
  if (found.count !== 1 || found.type === SCALAR.map) return false
  if (action === 'inc') return found.type === SCALAR.integer
  const isOfMaking = map && map.actor === found.actor && found.counter > map.counter && found.counter <= map.end
  return !isOfMaking
}

/** With at most one new field, so that fields are counted once. */
const areUsual = (targets: readonly Target[]): boolean =>
  targets.every(isUsual) &&
  (targets.length === 1 || (targets.filter(({ found }) => !found).length <= 1 && areDistinct(targets)))

/** Whether each is another field: a sound change sets a key once. */
const areDistinct = (targets: readonly Target[]): boolean =>
  targets.every(({ key, fields }, index) =>
    targets.every((other, at) => at >= index || other.key !== key || other.fields !== fields),
  )

/** An integer as it stands in a document. */
export interface Counter {
  /** What it was set to. */
  readonly value: number
  /** Where the additions begin. */
  readonly addedAt: number
  /** By the actor's place in the table. */
  readonly added: Map<number, number>
}

export const counterAt = (cursor: DocumentCursor, { opsAt }: FieldPlace): Counter => {
  cursor.at = opsAt
  // Actor, counter, type.
  cursor.uint()
  cursor.uint()
  cursor.uint()
  const value = cursor.int()
  const addedAt = cursor.at
  const added = new Map<number, number>()
  for (let count = cursor.uint(); count > 0; count--) added.set(cursor.uint(), cursor.int())
  return { value, addedAt, added }
}

/** What a counter shows after an addition; undefined where a sum on the way might not be exact. */
export const countAfter = ({ value, added }: Counter, by: number): number | undefined => {
  let [count, reach] = [value + by, Math.abs(value) + Math.abs(by)]
  for (const sum of added.values()) {
    count += sum
    reach += Math.abs(sum)
  }
  return reach <= Number.MAX_SAFE_INTEGER ? count : undefined
}

/** Whether a map is the one that a field of this path is in. */
export const isOnPath = (bytes: Buffer, map: MapPlace | undefined, path: readonly string[]): boolean => {
  if ((map?.depth ?? 0) !== path.length - 1) return false
  for (let at = map; at; at = at.parent) if (!isKey(bytes, at.keyAt, at.keyLength, path[at.depth - 1]!)) return false
  return true
}

export const pathOf = (bytes: Buffer, map: MapPlace | undefined): string[] => {
  const path: string[] = []
  for (let at = map; at; at = at.parent) path.unshift(bytes.toString('utf8', at.keyAt, at.keyAt + at.keyLength))
  return path
}

/** Finds the fields of targets. Returns whether all of them are usual. */
export const findTargets = (cursor: DocumentCursor, targets: readonly Target[]): boolean => {
  cursor.visit(new Finder(cursor.bytes, targets))
  return areUsual(targets)
}
