/** How little need be sent to have an edit written. */
import { checkTop, childOf, diff, editsFor, isPlainObject, isSojournError, sameValue } from '@sojourn/core/internal'

/** Deeper than any `limits.maxDepth` that makes sense; it keeps a cycle from being followed for ever. The server has the real bound. */
const MAX_DEPTH = 256

type Plain = Record<string, unknown>

/** @throws INVALID_DATA for what no session can hold */
export const checkData = (data: unknown): Plain => {
  editsFor(data, { maxDepth: MAX_DEPTH })
  return data as Plain
}

/**
 * What differs between two states of a session's data, as a pair of smaller ones with the same difference: what need be sent to have it
 * written.
 * @param whole JSON pointers of objects that are sent as they are, where anything in them differs
 * @throws INVALID_DATA where what is new in `next` cannot be held
 */
export const difference = (
  base: unknown,
  next: unknown,
  whole: ReadonlySet<string> = new Set(),
): { readonly base: Plain; readonly next: Plain } => {
  const wanted = checkTop(next)
  diff(base, wanted, { maxDepth: MAX_DEPTH })
  return (
    (isPlainObject(base) && prune(base, wanted, whole, '')) || { base: {}, next: isPlainObject(base) ? {} : wanted }
  )
}

const prune = (
  base: Plain,
  next: Plain,
  whole: ReadonlySet<string>,
  path: string,
): { base: Plain; next: Plain } | undefined => {
  const out: { base: Plain; next: Plain } = { base: {}, next: {} }
  let differs = false
  for (const key of Object.keys(next)) {
    const [was, is] = [base[key], next[key]]
    if (!Object.hasOwn(base, key)) out.next[key] = is
    else if (isPlainObject(was) && isPlainObject(is) && !whole.has(childOf(path, key))) {
      const inner = prune(was, is, whole, childOf(path, key))
      if (inner === undefined) continue
      out.base[key] = inner.base
      out.next[key] = inner.next
    } else if (sameValue(was, is)) continue
    else {
      out.next[key] = is
      // What no session holds was never read from one: to go on from it is to go on from nothing.
      if (isData(was)) out.base[key] = was
    }
    differs = true
  }
  for (const key of Object.keys(base)) {
    if (Object.hasOwn(next, key) || !isData(base[key])) continue
    out.base[key] = base[key]
    differs = true
  }
  return differs ? out : undefined
}

const isData = (value: unknown): boolean => {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return true
  try {
    editsFor({ value }, { maxDepth: MAX_DEPTH })
    return true
  } catch (error) {
    if (isSojournError(error, 'INVALID_DATA')) return false
    throw error
  }
}
