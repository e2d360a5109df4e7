/** How a client's connections are dialed: a port, so that tests and simulators can bring their own. */
import { type Connection, type ConnectionHandler, systemClock } from '@sojourn/core/internal'
import { dialWebSocket as dial, type TlsOptions } from '@sojourn/net'
import { CLIENT_PROTOCOL } from '@sojourn/wire'

export type { TlsOptions } from '@sojourn/net'

export interface DialOptions {
  readonly maxFrameBytes: number
  /** How long the connection may take to stand, milliseconds. */
  readonly connectTimeoutMs: number
  readonly tls: TlsOptions
}

/** See `Transport` in @sojourn/core. */
export type Dial = (url: string, handler: ConnectionHandler, options: DialOptions) => Connection

/** Whoever closes has given the connection up: nobody waits for what the other side has to say to that. */
const CLOSE_TIMEOUT_MS = 0

export const dialWebSocket: Dial = (url, handler, options) =>
  dial(url, handler, {
    ...options,
    protocol: CLIENT_PROTOCOL,
    closeTimeoutMs: CLOSE_TIMEOUT_MS,
    clock: systemClock,
  })
