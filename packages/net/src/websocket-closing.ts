/** How a WebSocket is closed with a reason, and what is wrong with one that broke. */
import type { Clock, ErrorCode } from '@sojourn/core/internal'
import type { WebSocket } from 'ws'

/** How long the other side may take to answer a close before the socket is torn down. */
export const CLOSE_TIMEOUT_MS = 1_000
/** A close code of RFC 6455's private range; the reason begins with one of our error codes. */
const CLOSE_CODE = 4_000
/** RFC 6455 allows 123 bytes of reason. */
const MAX_REASON_BYTES = 123

const closing = new WeakSet<WebSocket>()

/** Closes, and sends the other side why; tears the socket down where it does not answer that in time. The first call counts. */
export const closeWebSocket = (socket: WebSocket, clock: Clock, why: string, timeoutMs = CLOSE_TIMEOUT_MS): void => {
  // Who sends many bad frames has one timer, not one for each.
  if (closing.has(socket)) return
  closing.add(socket)
  const reason = Buffer.from(why)
    .subarray(0, MAX_REASON_BYTES)
    .toString()
    .replace(/\uFFFD+$/, '')
  socket.close(CLOSE_CODE, reason)
  if (timeoutMs === 0) {
    socket.terminate()
    return
  }
  const timer = clock.after(timeoutMs, () => socket.terminate())
  socket.once('close', () => timer.cancel())
}

/** The code of what the other side sent that is no WebSocket's frame; undefined for errors of another kind. */
export const frameFault = ({ code }: Error & { code?: string }): ErrorCode | undefined => {
  if (code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') return 'FRAME_TOO_LARGE'
  return code?.startsWith('WS_ERR_') ? 'FRAME_INVALID' : undefined
}
