/** How errors write what a caller gave: the value, the name of a region, and the name that was probably meant. */

const MAX_SHOWN_CHARS = 200
/** As long as the shortest secret: a string that stands where none belongs, and could be one, is not repeated. */
const MAX_UNKNOWN_CHARS = 15
/** One mistake for each so many characters of a name; of shorter names, only other cases of its letters. */
const CHARS_PER_SLIP = 3

/** A name that somebody else chose, so that it cannot be read as a word of the sentence around it. */
export const quoted = (name: string): string => JSON.stringify(name)

/** `"eu", "us"` */
export const quotedList = (names: readonly string[]): string => names.map(quoted).join(', ')

/** A value as an error shows it: scalars as they are, at most 200 characters of them, everything else by its kind. */
export const shownValue = (value: unknown): string => {
  if (typeof value === 'string') return JSON.stringify(withoutPassword(value).slice(0, MAX_SHOWN_CHARS))
  if (typeof value === 'bigint') return `${value}n`
  return kindOf(value)
}

/** As {@link shownValue}, where the value may be a secret, an id or a session's data: strings by their length only. */
export const maskedValue = (value: unknown): string =>
  typeof value === 'string' ? `a string of ${value.length} characters` : kindOf(value)

/** A value under a name that nothing is known of: short ones are shown, what could be a secret is not. */
export const strangeValue = (value: unknown): string =>
  typeof value === 'string' && value.length > MAX_UNKNOWN_CHARS ? maskedValue(value) : shownValue(value)

const kindOf = (value: unknown): string => {
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'symbol') return 'a symbol'
  if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? '-0' : String(value)
  if (Array.isArray(value)) return 'an array'
  if (isThenable(value)) return 'a promise that was not awaited'
  if (Object.prototype.toString.call(value) === '[object Date]') return 'a Date'
  if (ArrayBuffer.isView(value)) return 'bytes'
  return 'an object'
}

/** Also promises of another realm, and of libraries. */
export const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function'

const withoutPassword = (text: string): string => text.replace(/\/\/[^/@]*@/, '//…@')

/** The one of `names` that was probably meant: the same but for the case of letters and a slip or two; undefined where none is near. */
export const nearestName = (name: string, names: Iterable<string>): string | undefined => {
  const wanted = name.toLowerCase()
  let nearest: string | undefined
  let fewest = Math.floor(wanted.length / CHARS_PER_SLIP) + 1
  for (const each of names) {
    if (Math.abs(each.length - wanted.length) >= fewest) continue
    const slips = slipsBetween(wanted, each.toLowerCase())
    if (slips >= fewest) continue
    fewest = slips
    nearest = each
  }
  return nearest
}

/** Letters to add, drop, change, or swap with their neighbour (the optimal string alignment distance). */
const slipsBetween = (a: string, b: string): number => {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const changed = last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const swapped = isSwap ? beforeLast[j - 2]! + 1 : changed
      row.push(Math.min(last[j]! + 1, row[j - 1]! + 1, changed, swapped))
    }
    beforeLast = last
    last = row
  }
  return last[b.length]!
}
