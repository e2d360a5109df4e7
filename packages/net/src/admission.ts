/** A WebSocket whose other side is not known yet: it may say little, and it can be ended to make room. */
import type { Duplex } from 'node:stream'
import { type Clock, SojournError } from '@sojourn/core/internal'
import type { WebSocket } from 'ws'
import { closeWebSocket } from './websocket-closing.js'

/**
 * What may come before the other side is known, in all: the frames of a handshake have 2,048 bytes at most, and there are two. ws keeps a
 * frame until it is whole, so without this a frame of maxFrameBytes would be kept of everybody.
 */
const MAX_UNAUTHENTICATED_BYTES = 4_096

export class Admission {
  readonly #socket: WebSocket
  readonly #raw: Duplex
  readonly #clock: Clock
  #refused: ((error: SojournError) => void) | undefined
  #admitted: (() => void) | undefined
  #receivedBytes = 0
  #isOver = false

  /** @param raw what the WebSocket is on */
  constructor(socket: WebSocket, raw: Duplex, clock: Clock) {
    this.#socket = socket
    this.#raw = raw
    this.#clock = clock
    // After ws's own listener: a frame that says who it is counts before the bytes after it do.
    raw.on('data', this.#count)
  }

  /** Calls once, where the connection is ended from here; the WebSocket closes afterwards. */
  onRefused(listener: (error: SojournError) => void): void {
    this.#refused = listener
  }

  /** Calls once, when the other side is known. */
  onAuthenticated(listener: () => void): void {
    this.#admitted = listener
  }

  /** The other side is known. */
  authenticated(): void {
    if (this.#isOver) return
    this.#end()
    this.#admitted?.()
  }

  /** Ends the connection, and gives the other side a reason if that can be done at once. */
  refuse(error: SojournError): void {
    if (this.#isOver) return
    this.#end()
    this.#refused?.(error)
    closeWebSocket(this.#socket, this.#clock, error.message)
    this.#socket.pause()
    this.#clock.soon(() => this.#socket.terminate())
  }

  #end(): void {
    this.#isOver = true
    this.#raw.off('data', this.#count)
  }

  readonly #count = (chunk: Buffer): void => {
    this.#receivedBytes += chunk.length
    if (this.#isOver || this.#receivedBytes <= MAX_UNAUTHENTICATED_BYTES) return
    this.refuse(
      new SojournError('FRAME_TOO_LARGE', `more than ${MAX_UNAUTHENTICATED_BYTES} bytes before authentication`, {
        limit: MAX_UNAUTHENTICATED_BYTES,
      }),
    )
  }
}
