/** Holds back an Express answer while its session is saved, so that it leaves in one piece. */
import { ServerResponse } from 'node:http'
import type { Clock } from '@sojourn/core'

/** What express-session notes of a session, and Express of a request. */
type Requested = { readonly req?: { readonly res?: unknown } }

/**
 * express-session writes an answer but for its last byte, and that byte when the session is saved: two packets, and twice the system calls. A save
 * that waits for nothing but its turn's entry of the journal is over when this turn is, so for this turn the socket gathers both. An answer that has
 * begun is not held back, nor one whose save takes longer.
 *
 * @param session where it is one of express-session behind Express, it leads to the answer; else nothing is done
 */
export const holdForTurn = (session: object, clock: Clock): void => {
  const response = (session as Requested).req?.res
  if (!(response instanceof ServerResponse) || response.headersSent) return
  const { socket } = response
  if (!socket) return
  socket.cork()
  // After the append, which was asked for before. Where the answer has ended by then, Node.js has let go of it already.
  clock.soon(() => socket.uncork())
}
