/** What an answer of the server holds, where it fits the question. */
import { SojournError } from '@sojourn/core/internal'
import type { PageAnswer } from '@sojourn/wire'
import type { Answered } from './calls.js'
import { SessionSnapshot } from './session-snapshot.js'

export const unexpected = ({ type }: Answered): SojournError =>
  new SojournError('FRAME_UNEXPECTED', `the server gave an answer (${type}) that does not match the request`)

/** @throws FRAME_UNEXPECTED */
export const foundIn = (answer: Answered): SessionSnapshot | undefined => {
  if (answer.type === 'found') return new SessionSnapshot(answer)
  if (answer.type === 'none') return undefined
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
