/** What a key shows: Automerge's rule, and one of our own for maps that were made at one time where there was nothing. */

import { shownCount } from './count.js'
import type { LiveMap, LiveOp, Register, Registers } from './live.js'
import { addedTo, counterSum, isCounter, isMap, liveValue, makingOf, makingsAgree } from './live.js'
import { compareOpIds, type Scalar } from './op.js'

/** What stands under one key, in all the maps that show as one. */
export interface Shown {
  /** All live operations, in ascending order; never empty. */
  readonly live: Register
  /** The one that shows. */
  readonly top: LiveOp
  /** Where that is a map: the maps that show as one with it, the highest first, itself included. */
  readonly maps: readonly LiveMap[] | undefined
}

const NOBODY: Register = []

/**
 * Where several live values under a key are maps that were each made where their writer saw nothing, they show as one map, field by field,
 * unless two makings themselves set one field differently; then the one with the highest id shows, with those that agree with it and with each other.
 * @param objects the registers of the maps that show as one, the highest first
 */
export const shownAt = (objects: readonly Registers[], key: string): Shown | undefined => {
  const live = liveAt(objects, key)
  const top = live[live.length - 1]
  if (top === undefined) return undefined
  return { live, top, maps: isMap(top) ? mergedWith(top, live) : undefined }
}

const liveAt = (objects: readonly Registers[], key: string): Register => {
  if (objects.length === 1) return objects[0]!.get(key) ?? NOBODY
  return objects.flatMap((registers) => registers.get(key) ?? NOBODY).sort(compareOpIds)
}

/**
 * How many maps show as one at most, the highest first: far more than writers make at one time, and few enough that a peer cannot make every
 * look at a session take seconds.
 */
export const MAX_AS_ONE = 64

const mergedWith = (top: LiveMap, live: Register): readonly LiveMap[] => {
  if (live.length === 1 || !top.value.isFresh) return [top]
  const maps = [top]
  for (let at = live.length - 2; at >= 0 && maps.length < MAX_AS_ONE; at--) {
    const other = live[at]!
    if (!isMap(other) || !other.value.isFresh) continue
    const making = makingOf(other)
    if (maps.every((map) => makingsAgree(makingOf(map), making))) maps.push(other)
  }
  return maps
}

/**
 * The scalar that shows. Of a counter in maps that show as one it is what was added in any of them, where each began with the same count: carts
 * that were made at one time lose nothing.
 */
export const scalarAt = (objects: readonly Registers[], key: string, top: LiveOp): Scalar =>
  objects.length === 1 || !isCounter(top) ? liveValue(top) : shownCount(sumAt(objects, key, top))

/** The sum of a counter that shows. */
export const sumAt = (objects: readonly Registers[], key: string, top: LiveOp): bigint => {
  let sum = counterSum(top)
  for (const registers of objects) {
    const other = registers.get(key)?.at(-1)
    if (other && other.value === top.value && isCounter(other) && compareOpIds(other, top) !== 0) sum += addedTo(other)
  }
  return sum
}
