import type { Connection, ConnectionHandler } from '@sojourn/core/internal'
import { CLIENT_PROTOCOL } from '@sojourn/wire'
import { WebSocket } from 'ws'

/** As in Node's `tls.connect`. */
export interface TlsOptions {
  readonly ca?: string | Buffer | readonly (string | Buffer)[]
  readonly cert?: string | Buffer
  readonly key?: string | Buffer
  /** The name that the server's certificate must have, where it is not that of the address. */
  readonly servername?: string
}

export interface DialOptions {
  readonly maxFrameBytes: number
  /** How long the connection may take to stand. */
  readonly connectTimeoutMs: number
  readonly tls: TlsOptions
}

/** See `Transport` in @sojourn/core. */
export type Dial = (url: string, handler: ConnectionHandler, options: DialOptions) => Connection

/** A close code of RFC 6455's private range. */
const CLOSE_CODE = 4_000

export const dialWebSocket: Dial = (url, handler, { maxFrameBytes, connectTimeoutMs, tls }) => {
  const { ca, ...rest } = tls
  const socket = new WebSocket(url, CLIENT_PROTOCOL, {
    ...rest,
    ...(ca !== undefined && { ca: Array.isArray(ca) ? [...ca] : (ca as string | Buffer) }),
    perMessageDeflate: false,
    autoPong: false,
    maxPayload: maxFrameBytes,
    handshakeTimeout: connectTimeoutMs,
    followRedirects: false,
  })
  let failure: string | undefined
  socket.on('open', () => handler.opened())
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    if (isBinary) handler.received(data)
    else socket.terminate()
  })
  socket.on('error', (error: Error & { code?: string }) => {
    const code =
      error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'
        ? 'FRAME_TOO_LARGE: '
        : error.code?.startsWith('WS_ERR_')
          ? 'FRAME_INVALID: '
          : ''
    failure ??= `${code}${error.message || error.code}`
  })
  socket.on('close', (_code: number, reason: Buffer) => handler.closed(failure ?? reason.toString()))
  return {
    send(frame) {
      if (socket.readyState === WebSocket.OPEN) socket.send(frame, { binary: true }, () => handler.drained())
    },
    get bufferedBytes() {
      return socket.bufferedAmount
    },
    close(why) {
      socket.close(CLOSE_CODE, why.slice(0, 100))
      // Whoever closes has given the connection up: nobody waits for what the other side has to say to that.
      socket.terminate()
    },
  }
}
