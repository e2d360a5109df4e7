/** What a client has sent and is not heard yet: read so much in a turn, and nothing while its answers lie unread. */
import type { Clock } from '@sojourn/core/internal'
import type { SocketConnection } from '@sojourn/net'
import type { FromClient } from '@sojourn/wire'

/** Messages of one client that are heard before there is a moment to answer. */
const MAX_PER_TURN = 256

export interface IncomingOptions {
  readonly clock: Clock
  readonly socket: SocketConnection
  /** Bytes of unread answers, half of which a client must have taken before it is heard again. */
  readonly maxBufferedBytes: number
  /** A message, in the order in which they came. */
  readonly heard: (message: FromClient) => void
  /** A frame could not be read, or a message not be heard. */
  readonly failed: (error: unknown) => void
  /** How many bytes are here, of whole frames and of one that has come in part. */
  readonly holds: (bytes: number) => void
}

export class Incoming {
  readonly #options: IncomingOptions
  /** The frames of which something is left. */
  #frames: { readonly messages: Iterator<FromClient>; readonly bytes: number }[] = []
  #frameBytes = 0
  #partBytes = 0
  /** Messages heard since there was a moment to answer. */
  #heardInTurn = 0
  #isPaused = false
  /** Enough was heard in this turn: what it is answered is not even made yet, so nothing is known of whether the client reads it. */
  #isTurnOver = false
  #isClosed = false

  constructor(options: IncomingOptions) {
    this.#options = options
  }

  received(messages: Iterator<FromClient>, bytes: number): void {
    this.#frames.push({ messages, bytes })
    this.#frameBytes += bytes
    if (!this.#isPaused) this.#read()
    this.#note()
  }

  /** @param bytes of a frame that is not whole yet */
  receiving(bytes: number): void {
    this.#partBytes = bytes
    this.#note()
  }

  #note(): void {
    if (!this.#isClosed) this.#options.holds(this.#partBytes + this.#frameBytes)
  }

  /** Hears what has come; not all at once, so that it is seen in between whether the client reads its answers. */
  #read(): void {
    try {
      for (let first = this.#frames[0]; first !== undefined && !this.#isClosed; ) {
        const { done, value } = first.messages.next()
        if (done) {
          this.#frames.shift()
          this.#frameBytes -= first.bytes
          first = this.#frames[0]
          continue
        }
        this.#options.heard(value)
        if (++this.#heardInTurn < MAX_PER_TURN) continue
        this.pause()
        this.#isTurnOver = true
        this.#options.clock.soon(() => {
          this.#isTurnOver = false
          this.turned()
          this.resume()
        })
        return
      }
    } catch (error) {
      this.#options.failed(error)
    }
  }

  /** There was a moment to answer. */
  turned(): void {
    this.#heardInTurn = 0
  }

  pause(): void {
    if (!this.#isPaused) this.#options.socket.pause()
    this.#isPaused = true
  }

  /** Goes on, where the client has taken most of what it was sent. */
  resume(): void {
    const { socket, maxBufferedBytes } = this.#options
    if (!this.#isPaused || this.#isTurnOver || this.#isClosed) return
    if (socket.bufferedBytes > maxBufferedBytes / 2) return
    this.#isPaused = false
    this.#read()
    this.#note()
    if (!this.#isPaused) socket.resume()
  }

  close(): void {
    this.#isClosed = true
    this.#frames = []
  }
}
