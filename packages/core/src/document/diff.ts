import type { Scalar } from './op.js'
import { isInteger } from './op.js'
import type { Pointer } from './pointer.js'
import { childOf } from './pointer.js'
import { checkTop, dataKeys, isPlainObject, sameValue, toScalar, walkRegisters } from './value.js'

/** One field operation, before it is known what it overwrites. */
export type Edit =
  | { readonly kind: 'set'; readonly path: Pointer; readonly value: Scalar }
  | { readonly kind: 'delete'; readonly path: Pointer }
  | { readonly kind: 'increment'; readonly path: Pointer; readonly by: number }

export interface DiffOptions {
  readonly maxDepth: number
  /** Integer fields whose change is an addition, so that concurrent ones add up. */
  readonly counters?: ReadonlySet<Pointer>
}

/**
 * The edits that lead from what a caller read to what it wants. Fields that it left alone give none, so they keep what
 * others wrote meanwhile.
 * @throws INVALID_DATA where `next` holds what a session cannot
 */
export const diff = (base: unknown, next: unknown, options: DiffOptions): Edit[] => {
  const edits: Edit[] = []
  diffAt(base, checkTop(next), '', options.maxDepth, options, edits)
  return edits
}

const diffAt = (
  base: unknown,
  next: unknown,
  path: Pointer,
  maxDepth: number,
  options: DiffOptions,
  edits: Edit[],
): void => {
  if (isPlainObject(base) && isPlainObject(next) && maxDepth > 0) {
    for (const key of dataKeys(next, path)) {
      const value = next[key]
      if (!Object.hasOwn(base, key)) add(value, childOf(path, key), maxDepth - 1, options, edits)
      // Most fields of most updates are as they were, and cost no more than this.
      else if (isPlainObject(value) || !sameValue(base[key], value))
        diffAt(base[key], value, childOf(path, key), maxDepth - 1, options, edits)
    }
    for (const key of Object.keys(base)) {
      if (!Object.hasOwn(next, key)) remove(base[key], childOf(path, key), edits)
    }
  } else if (isPlainObject(next)) {
    add(next, path, maxDepth, options, edits)
  } else {
    const scalar = toScalar(next, path, maxDepth)
    removeBelow(base, path, edits)
    if (isInteger(base) && isInteger(next) && isInteger(next - base) && options.counters?.has(path))
      edits.push({ kind: 'increment', path, by: next - base })
    else edits.push({ kind: 'set', path, value: scalar })
  }
}

const add = (value: unknown, path: Pointer, maxDepth: number, options: DiffOptions, edits: Edit[]): void =>
  walkRegisters(value, path, maxDepth, (at, scalar) => {
    if (isInteger(scalar) && options.counters?.has(at)) edits.push({ kind: 'increment', path: at, by: scalar })
    else edits.push({ kind: 'set', path: at, value: scalar })
  })

const remove = (base: unknown, path: Pointer, edits: Edit[]): void => {
  edits.push({ kind: 'delete', path })
  removeBelow(base, path, edits)
}

/** Only what the caller has seen below is deleted: a field that somebody adds meanwhile stays, and keeps its object. */
const removeBelow = (base: unknown, path: Pointer, edits: Edit[]): void => {
  if (!isPlainObject(base)) return
  for (const key of Object.keys(base)) remove(base[key], childOf(path, key), edits)
}

/** Every edit that makes `data` from nothing. */
export const editsFor = (data: unknown, options: DiffOptions): Edit[] => diff({}, data, options)
