/** Draft functions: the caller's edits, made on a copy. */
import { SojournError } from '../errors.js'
import { isThenable } from '../wording.js'
import type { DiffOptions } from './diff.js'
import { checkTop, type Data, thaw } from './value.js'

/** What a draft function made of the data. */
export interface Drafted {
  readonly next: Record<string, unknown>
  /** Reports which objects it assigned, and which ones it changed. */
  readonly isAssigned: NonNullable<DiffOptions['isAssigned']>
}

/**
 * What a draft function makes of the data: what it returns, or else the copy that it was given to change.
 * @throws INVALID_OPTION where the function is async: it would read at one time and write at another; INVALID_DATA where it returns what
 * is no plain object; and whatever the function throws
 */
export const runDraft = <T extends object>(data: Data, change: (draft: T) => unknown): Drafted => {
  const copies: (readonly [copy: object, original: object])[] = []
  const draft = thaw(data, (copy, original) => copies.push([copy, original])) as unknown as T
  const result = change(draft)
  if (isThenable(result))
    throw new SojournError('INVALID_OPTION', 'update: the draft function must not be async. Read first, then update', {
      option: 'update',
    })
  // Most updates change scalars only, and are never asked.
  let originals: ReadonlyMap<object, object> | undefined
  return {
    next: checkTop(result === undefined ? draft : result),
    isAssigned(next, base) {
      originals ??= new Map(copies)
      return originals.get(next) !== base
    },
  }
}
