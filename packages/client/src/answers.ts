/** What an answer of the server holds, where it fits the question. */
import type { EndReceipt, Session } from '@sojourn/core/internal'
import { SojournError } from '@sojourn/core/internal'
import type { PageAnswer, SubjectPageAnswer } from '@sojourn/wire'
import type { Answered } from './calls.js'
import { SessionSnapshot } from './session-snapshot.js'

export const unexpected = ({ type }: Answered): SojournError =>
  new SojournError('FRAME_UNEXPECTED', `the server gave an answer (${type}) that does not match the request`)

/** @throws FRAME_UNEXPECTED */
export const foundIn = (answer: Answered): SessionSnapshot | undefined => {
  if (answer.type === 'found' || answer.type === 'foundWho') return new SessionSnapshot(answer)
  if (answer.type === 'none') return undefined
  throw unexpected(answer)
}

/**
 * @param id the one that was asked for; undefined: the server made one
 * @throws FRAME_UNEXPECTED
 */
export const madeIn = <T extends object>(answer: Answered, id?: string): Session<T> => {
  if (answer.type === 'made' || answer.type === 'madeWho')
    return new SessionSnapshot(answer).session<T>(id ?? answer.id)
  throw unexpected(answer)
}

/** @throws FRAME_UNEXPECTED */
export const countedIn = (answer: Answered): number => {
  if (answer.type === 'counted') return answer.count
  throw unexpected(answer)
}

/** @throws FRAME_UNEXPECTED */
export const pageIn = (answer: Answered): PageAnswer => {
  if (answer.type === 'page') return answer
  throw unexpected(answer)
}

/** @throws FRAME_UNEXPECTED */
export const subjectPageIn = (answer: Answered): SubjectPageAnswer => {
  if (answer.type === 'pageOf') return answer
  throw unexpected(answer)
}

/** @throws FRAME_UNEXPECTED */
export const receiptIn = (answer: Answered): EndReceipt => {
  if (answer.type !== 'receipt') throw unexpected(answer)
  const { ended, regions } = answer
  return {
    ended,
    regions: Object.fromEntries(regions.map(({ region, isHeld }) => [region, isHeld ? 'held' : 'pending'])),
  }
}
