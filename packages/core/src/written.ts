/** Where a write is: the feed and the sequence of its commit, as a token that a cookie may carry from region to region. */
import { SojournError } from './errors.js'
import { secretOption, textRule } from './option-rules.js'
import type { FeedId } from './vector.js'

const FORM = /^([0-9a-f]{32})\.([0-9a-z]{1,11})$/

/** What can be such a token. What is none may be an id, and is not shown. */
export const WRITTEN_RULE = secretOption(textRule('the `written` of a session', (text) => FORM.test(text)))

/** A commit, by the feed and the sequence that it first had. */
export interface Written {
  readonly feed: FeedId
  readonly sequence: number
}

/** @example writtenToken({ feed, sequence: 71 }) // '0f3c….1z' */
export const writtenToken = ({ feed, sequence }: Written): string => `${feed}.${sequence.toString(36)}`

/** @throws INVALID_OPTION */
export const parseWritten = (token: string): Written => {
  const [, feed, digits] = FORM.exec(token) ?? []
  const sequence = Number.parseInt(digits ?? '', 36)
  if (feed === undefined || !Number.isSafeInteger(sequence))
    throw new SojournError('INVALID_OPTION', `after: it is ${WRITTEN_RULE.allowed}`, { option: 'after' })
  return { feed, sequence }
}

/** Whether who shows `written` has the write `after`, as far as the two say: they are of one feed. */
export const hasWrite = (written: string, after: string): boolean => {
  const [, feed, digits = ''] = FORM.exec(written) ?? []
  const [, wanted, wantedDigits = ''] = FORM.exec(after) ?? []
  return feed !== undefined && feed === wanted && Number.parseInt(digits, 36) >= Number.parseInt(wantedDigits, 36)
}
