/** Which sessions there are to pick from: a list of ids, or numbers, which each process turns into the same ids without a list of a million. */
export interface SessionIds {
  readonly length: number
  at(index: number): string | undefined
}

/** As long as the ids that a store makes. */
const ID_CHARS = 43

export const numberedId = (number: number): string => String(number).padStart(ID_CHARS, 'session-')

/** The sessions 0, 1, 2, … below `length`. */
export const numberedIds = (length: number): SessionIds => ({ length, at: numberedId })

/** So many numbers below `among`, evenly spread, the first of them `offset`. */
export const spread = (count: number, among: number, offset = 0): number[] => {
  const step = Math.floor(among / count)
  return Array.from({ length: count }, (_, index) => index * step + offset)
}
