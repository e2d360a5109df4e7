/** What leads from the data that a caller read to the data that it wants, as edits of fields. */
import { type Identity, identityAt } from './identity.js'
import { isInteger } from './op.js'
import type { Pointer } from './pointer.js'
import { childOf } from './pointer.js'
import { type Content, checkTop, contentOf, dataKeys, isPlainObject, sameValue } from './value.js'

/** One edit of a field, before it is known what it overwrites. */
export type Edit = (
  | {
      readonly kind: 'set'
      readonly value: Content
      /** Whether nothing was read there. */
      readonly isNew?: boolean | undefined
    }
  | { readonly kind: 'delete' }
  | { readonly kind: 'increment'; readonly by: number }
) & {
  readonly path: Pointer
  /** The object, as it was read, in which the field is: where that was replaced or deleted meanwhile, the edit goes with it. */
  readonly within?: Identity | undefined
}

/** Whether an object was assigned in the place of another one, rather than changed. */
export type IsAssigned = (next: object, base: object, path: Pointer) => boolean

export interface DiffOptions {
  /** Nesting of objects and arrays. */
  readonly maxDepth: number
  /** Bytes of one key of an object. Default: no bound. */
  readonly maxKeyBytes?: number | undefined
  /** Which objects were read, by pointer, where the base is a copy: see `tokensOf`. */
  readonly objects?: ReadonlyMap<Pointer, string> | undefined
  /** Integer fields whose change is an addition, so that concurrent ones add up. */
  readonly counters?: ReadonlySet<Pointer> | undefined
  /** Objects that are one register, whole. */
  readonly atomic?: ReadonlySet<Pointer> | undefined
  /**
   * Whether an object was assigned in the place of another one, rather than changed: then it is a new object, whole. Default: that an
   * object stands in both places is a change of it.
   */
  readonly isAssigned?: ((next: object, base: object, path: Pointer) => boolean) | undefined
}

/**
 * The edits that lead from what a caller read to what it wants. Fields that it left alone give none, so they keep what
 * others wrote meanwhile.
 * @throws INVALID_DATA where `next` holds what a session cannot
 */
export const diff = (base: unknown, next: unknown, options: DiffOptions): Edit[] => {
  const edits: Edit[] = []
  diffObjects(isPlainObject(base) ? base : {}, checkTop(next), '', options.maxDepth, options, edits)
  return edits
}

type Plain = Record<string, unknown>

const diffObjects = (
  base: Plain,
  next: Plain,
  path: Pointer,
  maxDepth: number,
  options: DiffOptions,
  edits: Edit[],
): void => {
  const { maxKeyBytes, counters, atomic, isAssigned, objects } = options
  const keys = dataKeys(next, path, maxKeyBytes)
  let kept = 0
  for (const key of keys) {
    const value = next[key]
    const isKept = Object.hasOwn(base, key)
    if (isKept) kept++
    const old = isKept ? base[key] : undefined
    // Most fields of most updates are as they were, and cost no more than this.
    if (Object.is(old, value) && old !== undefined) continue
    const at = childOf(path, key)
    const isChange =
      isPlainObject(old) && isPlainObject(value) && maxDepth > 1 && !atomic?.has(at) && !isAssigned?.(value, old, at)
    if (isChange) diffObjects(old, value, at, maxDepth - 1, options, edits)
    else if (old === undefined || !sameValue(old, value)) {
      if (isInteger(value) && counters?.has(at) && (old === undefined || (isInteger(old) && isInteger(value - old))))
        edits.push({
          kind: 'increment',
          path: at,
          by: value - ((old as number | undefined) ?? 0),
          within: identityAt(base, path, objects),
        })
      else assign(value, at, maxDepth - 1, identityAt(base, path, objects), old === undefined, options, edits)
    }
  }
  const before = Object.keys(base)
  if (kept === before.length) return
  for (const key of before) {
    if (!Object.hasOwn(next, key))
      edits.push({ kind: 'delete', path: childOf(path, key), within: identityAt(base, path, objects) })
  }
}

/** The counters of a new object begin at nothing and are added to, so that those of two objects that show as one add up. */
const assign = (
  value: unknown,
  path: Pointer,
  maxDepth: number,
  within: Identity | undefined,
  isNew: boolean,
  { maxKeyBytes, counters, atomic }: DiffOptions,
  edits: Edit[],
): void => {
  const sums: Edit[] = []
  const skips = (at: Pointer, item: unknown): boolean => {
    if (!isInteger(item) || !counters?.has(at)) return false
    sums.push({ kind: 'increment', path: at, by: item })
    return true
  }
  edits.push(
    { kind: 'set', path, value: contentOf(value, path, { maxDepth, maxKeyBytes, atomic, skips }), within, isNew },
    ...sums,
  )
}

/** What the option `assigned` says. */
export const assignedAt = (pointers: Iterable<Pointer> = []): IsAssigned => {
  const paths = new Set(pointers)
  return (_next, _base, path) => paths.has(path)
}

/** The pointers of the objects that were assigned in the place of other ones, as `assigned` of `replace` has them. */
export const assignedIn = (base: unknown, next: unknown, isAssigned: IsAssigned, path: Pointer = ''): Pointer[] => {
  if (!isPlainObject(base) || !isPlainObject(next)) return []
  return Object.keys(next).flatMap((key) => {
    const [was, is] = [Object.hasOwn(base, key) ? base[key] : undefined, next[key]]
    if (!isPlainObject(was) || !isPlainObject(is)) return []
    const at = childOf(path, key)
    if (!isAssigned(is, was, at)) return assignedIn(was, is, isAssigned, at)
    return sameValue(was, is) ? [] : [at]
  })
}

/** Every edit that makes `data` from nothing. */
export const editsFor = (data: unknown, options: DiffOptions): Edit[] => diff({}, data, options)
