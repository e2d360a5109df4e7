/** Holds back an Express answer while its session is saved, so that it leaves in one piece. */
import type { Clock } from '@sojourn/core/internal'

/** What express-session notes of a session, Express of a request, and Node.js of an answer whose turn on its connection has come. */
interface Requested {
  readonly req?: {
    readonly httpVersionMajor?: number
    readonly res?: {
      readonly headersSent?: boolean
      readonly socket?: { cork(): void; uncork(): void } | null
    }
  }
}

/**
 * express-session writes an answer but for its last byte, and that byte when the session is saved: two packets, and twice the system calls. A save
 * that waits for nothing but its turn's entry of the journal is over when this turn is, so for this turn the socket gathers both. An answer that has
 * begun is not held back, nor one whose save takes longer.
 *
 * @param session where it is one of express-session behind Express, it leads to the answer; else nothing is done
 */
export const holdForTurn = (session: object, clock: Clock): void => {
  const { httpVersionMajor, res } = (session as Requested).req ?? {}
  // HTTP/2 has no socket for each answer.
  if (httpVersionMajor !== 1 || res?.headersSent !== false || !res.socket) return
  const { socket } = res
  socket.cork()
  // After the append, which was asked for before. Where the answer has ended by then, Node.js has let go of it already.
  clock.soon(() => socket.uncork())
}
