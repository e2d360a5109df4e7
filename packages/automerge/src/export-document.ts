/** A session as an ordinary Automerge document. */
import { change, type Doc, init } from '@automerge/automerge'
import { type SessionApi, sessionKey } from '@sojourn/core'
import { thaw } from '@sojourn/core/internal'

/**
 * Makes an Automerge document of a session's data; undefined where no live session has the id. Sojourn does not keep the history of a
 * session, so the document holds one change, by an actor that is named by the session's key. The same data gives the same bytes in
 * every region.
 *
 * @example const bytes = save(await exportDocument(replica, id)) // save: of @automerge/automerge
 * @param sessions a replica, or a client of a server
 * @throws what `sessions.get` throws
 */
export const exportDocument = async (
  sessions: Pick<SessionApi, 'get'>,
  id: string,
): Promise<Doc<Record<string, unknown>> | undefined> => {
  const session = await sessions.get(id)
  if (!session) return undefined
  return change(init<Record<string, unknown>>({ actor: sessionKey(id) }), { time: 0 }, (document) => {
    Object.assign(document, thaw(session.data))
  })
}
