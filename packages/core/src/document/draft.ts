/** Draft functions: the caller's edits, made on a copy. */
import { SojournError } from '../errors.js'
import { isThenable } from '../wording.js'
import { checkTop, type Data, thaw } from './value.js'

/**
 * What a draft function makes of the data: what it returns, or else the copy that it was given to change.
 * @throws INVALID_OPTION where the function is async: it would read at one time and write at another; INVALID_DATA where it returns what
 * is no plain object; and whatever the function throws
 */
export const runDraft = <T extends object>(data: Data, change: (draft: T) => unknown): Record<string, unknown> => {
  const draft = thaw(data) as unknown as T
  const result = change(draft)
  if (isThenable(result))
    throw new SojournError('INVALID_OPTION', 'update: the draft function must not be async; read first, then update', {
      option: 'update',
    })
  return checkTop(result === undefined ? draft : result)
}
