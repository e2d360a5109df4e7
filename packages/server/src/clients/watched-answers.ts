/** The answer to a read that its client keeps until it hears of a change. */
import { resolveId } from '@sojourn/core/internal'
import type { Answer, GetRequest } from '@sojourn/wire'
import { answerRequest } from './answers.js'
import type { ConnectionHost } from './connection-host.js'
import type { Watcher } from './watches.js'

/**
 * Reads a session, and has its client notified of the next change.
 * @param isIdentified whether the client knows of identity
 * @throws what the session API throws
 */
export const answerWatched = async (
  { sessions, watches }: Pick<ConnectionHost, 'sessions' | 'watches'>,
  request: GetRequest,
  watcher: Watcher,
  isIdentified: boolean,
): Promise<Answer> => {
  const { key, secret } = resolveId(request.id)
  // An older client names a session by the hash of the whole id. Where that is another one than ours, it would not know what has changed.
  const watched = isIdentified || secret === undefined ? watches.watch(key, watcher) : undefined
  if (watched === undefined) return answerRequest(sessions, request, { isIdentified })
  const { watch, isNew } = watched
  let isFound = false
  try {
    const isWatched = () => watches.isStanding(key, watch)
    const answer = await answerRequest(sessions, request, { isWatched, isIdentified })
    isFound = answer.type !== 'none'
    return answer
  } finally {
    // What does not exist is not kept by its client, and need not be kept track of here.
    if (isNew && !isFound) watches.unwatch(key, watch)
  }
}
