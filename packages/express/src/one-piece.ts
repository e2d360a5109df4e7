/** Holds back an Express answer that waits for its session to be saved, so that it leaves in one piece. */
import { ServerResponse } from 'node:http'

/** What express-session notes of a session, and Express of a request. */
type Requested = { readonly req?: { readonly res?: unknown } }

/**
 * express-session writes an answer but for its last byte, and that byte when the session is saved: two packets, and twice the system calls. As saves
 * take less than a turn of the event loop, the socket gathers both. Nothing is held back of an answer that has begun, nor where the session is not
 * one of express-session behind Express.
 *
 * @returns what lets go, once the session is saved; undefined where nothing is held back
 */
export const holdAnswer = (session: object): (() => void) | undefined => {
  const response = (session as Requested).req?.res
  if (!(response instanceof ServerResponse) || response.headersSent) return undefined
  const { socket } = response
  if (!socket) return undefined
  socket.cork()
  // The end of an answer has let go already, as Node.js does it; then this does nothing.
  return () => socket.uncork()
}
