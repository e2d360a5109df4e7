/** Counts what a connection has sent of a frame that ws keeps until it is whole. */
import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'

/** Bytes of a frame's header from a client, with its mask (RFC 6455, 5.2). */
const headerBytes = (length: number): number => (length < 126 ? 6 : length < 65_536 ? 8 : 14)

export class PartialFrame {
  readonly #changed: (bytes: number) => void
  #bytes = 0

  /** @param raw what the WebSocket is on */
  constructor(socket: WebSocket, raw: Socket, changed: (bytes: number) => void) {
    this.#changed = changed
    // Before ws gets it, so that it is known in time.
    raw.prependListener('data', (chunk: Buffer) => this.#count(chunk.length))
    socket.on('ping', (data: Buffer) => this.whole(data.length))
    socket.on('pong', (data: Buffer) => this.whole(data.length))
  }

  /** A frame has come whole. @param length bytes of what is in it */
  whole(length: number): void {
    this.#count(-Math.min(this.#bytes, length + headerBytes(length)))
  }

  #count(bytes: number): void {
    this.#bytes += bytes
    this.#changed(this.#bytes)
  }
}
