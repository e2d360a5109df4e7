/** How many regions a call needs, and the count of those that have answered. */
import { SojournError } from './errors.js'
import { quotedList, shownValue } from './wording.js'

/** How many regions hold a write, or are asked by a read, this one included. */
export type Level = 'local' | 'majority' | 'all' | number

/** How many of `members` regions a level asks for. @throws INVALID_OPTION */
export const regionsNeeded = (level: Level, members: number, option: string): number => {
  if (level === 'local') return 1
  if (level === 'majority') return Math.floor(members / 2) + 1
  if (level === 'all') return members
  if (Number.isInteger(level) && level >= 1 && level <= members) return level
  throw new SojournError(
    'INVALID_OPTION',
    `${option} is ${shownValue(level)}; give 'local', 'majority', 'all', or a number of regions from 1 to ${members}`,
    { option },
  )
}

/** The count of one quorum call: a value, so that who coordinates only does the I/O. */
export interface Tally {
  readonly need: number
  /** The regions that answered, each once, this one first. */
  readonly answered: readonly string[]
  /** The regions that cannot answer any more. */
  readonly failed: readonly string[]
  readonly members: number
}

/** `open`: wait. `met`: enough answered. `unmet`: enough can never answer. */
export type Verdict = 'open' | 'met' | 'unmet'

/** @param isCorrupt whether what this region has cannot be read: then only others can answer */
export const startTally = (need: number, members: number, self: string, isCorrupt = false): Tally => ({
  need,
  members,
  answered: isCorrupt ? [] : [self],
  failed: isCorrupt ? [self] : [],
})

/** A region answered. A second answer of one region changes nothing. */
export const answer = (tally: Tally, region: string): Tally =>
  tally.answered.includes(region)
    ? tally
    : { ...tally, answered: [...tally.answered, region], failed: tally.failed.filter((r) => r !== region) }

/** A region will not answer this call. */
export const fail = (tally: Tally, region: string): Tally =>
  tally.answered.includes(region) || tally.failed.includes(region)
    ? tally
    : { ...tally, failed: [...tally.failed, region] }

export const verdict = (tally: Tally): Verdict =>
  tally.answered.length >= tally.need ? 'met' : tally.members - tally.failed.length < tally.need ? 'unmet' : 'open'

/**
 * @param write whether the call was a write, which is durable here although its quorum was not met
 * @param made what the write gives its caller; a session is handed on with the error
 */
export const quorumUnmet = (tally: Tally, write: boolean, made?: unknown): SojournError =>
  new SojournError(
    'QUORUM_UNMET',
    `${tally.answered.length} of the ${tally.need} regions needed answered in time (${quotedList(tally.answered)})${
      write ? '. The write is durable here and will spread' : ''
    }`,
    {
      need: tally.need,
      got: tally.answered.length,
      regions: tally.answered,
      mayHaveApplied: write,
      session: typeof made === 'object' ? made : undefined,
    },
  )
