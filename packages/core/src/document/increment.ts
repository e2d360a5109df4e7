/** Increments: where one can be made, and what it takes. */
import { SojournError } from '../errors.js'
import { shownValue } from '../wording.js'
import type { Edit } from './diff.js'
import { isInteger } from './op.js'
import type { Pointer } from './pointer.js'
import { keysOf, segmentsOf } from './pointer.js'
import {
  type ContentMap,
  type ContentOptions,
  type Data,
  isBytes,
  isDate,
  isPlainObject,
  lengthFault,
  type Value,
} from './value.js'

/** What an increment adds. @throws INVALID_OPTION where that is no integer */
export const checkIncrement = (by: number): number => {
  if (isInteger(by)) return by
  const hint = typeof by === 'object' && by !== null ? ', and the options after it' : ''
  throw new SojournError('INVALID_OPTION', `by is ${shownValue(by)}; give an integer below 2^53${hint}`, {
    option: 'by',
  })
}

/**
 * The edits that add to a field, which is made where there is none, with the objects around it.
 * @throws INVALID_DATA where the field would be in what is no object (it would have to replace that), too deep, or in a key too long
 */
export const incrementEdits = (data: Data, path: Pointer, by: number, bounds: Bounds = NO_BOUNDS): Edit[] => {
  checkPlace(path, bounds)
  let around: Value | undefined = data
  let at: Pointer = ''
  const edits: Edit[] = [{ kind: 'increment', path, by }]
  for (const { segment, pointer } of segmentsOf(path)) {
    if (around === undefined) {
      // Objects in objects, down to the one that the field is in.
      const made = segmentsOf(path).slice(segmentsOf(at).length, -1)
      const value = made.reduceRight<ContentMap>((inner, { segment: key }) => new Map([[key, inner]]), new Map())
      edits.unshift({ kind: 'set', path: at, value })
      break
    }
    if (!isPlainObject(around))
      throw new SojournError(
        'INVALID_DATA',
        `${shownValue(path)} cannot be incremented: ${shownValue(at)} holds ${kindOfData(around)} instead of an object`,
        { path },
      )
    around = Object.hasOwn(around, segment) ? (around as Data)[segment] : undefined
    at = pointer
  }
  return edits
}

type Bounds = Pick<ContentOptions, 'maxDepth' | 'maxKeyBytes'>
const NO_BOUNDS: Bounds = { maxDepth: Number.POSITIVE_INFINITY }

const checkPlace = (path: Pointer, { maxDepth, maxKeyBytes = Number.POSITIVE_INFINITY }: Bounds): void => {
  const keys = keysOf(path)
  const tooDeep = keys.length > maxDepth ? 'a field nested too deep (limits.maxDepth)' : undefined
  const fault = tooDeep ?? keys.map((key) => lengthFault(key, maxKeyBytes)).find(Boolean)
  if (fault) throw new SojournError('INVALID_DATA', `${shownValue(path)} names ${fault}`, { path })
}

/** What stands somewhere, without saying what it holds: for errors, which reach logs. */
export const kindOfData = (value: Value | undefined): string => {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (isDate(value)) return 'a date'
  if (isBytes(value)) return 'bytes'
  if (typeof value === 'number') return 'a number that is not an integer below 2^53'
  return typeof value === 'object' || value === undefined ? 'an object' : `a ${typeof value}`
}
