/** What is said in one turn of the event loop, gathered into as few frames as its size allows. */
import { ByteWriter, type Clock } from '@sojourn/core/internal'

export interface FrameBatchOptions {
  readonly clock: Pick<Clock, 'endOfTurn'>
  /** Bytes to begin with; it grows. */
  readonly initialBytes: number
  /** A batch that has so many bytes is sent before its turn ends, so that the other side can begin with it. */
  readonly targetBytes: number
  /** Sends what has gathered, which is `out.borrow()`. */
  readonly flush: () => void
  /** A turn in which something was written ends, and `flush` comes next. */
  readonly turned?: () => void
}

/**
 * @example
 * const batch = new FrameBatch({ clock, initialBytes: 4_096, targetBytes: 1_024, flush: () => socket.send(batch.out.borrow()) })
 * writeFromClient(batch.out, message)
 * batch.written()
 */
export class FrameBatch {
  /** Where messages are written to. */
  readonly out: ByteWriter
  readonly #options: FrameBatchOptions
  #isAwaited = false

  constructor(options: FrameBatchOptions) {
    this.#options = options
    this.out = new ByteWriter(options.initialBytes)
  }

  /** Something was written: flushes when there is enough of it, and at the end of this turn at the latest. */
  written(): void {
    const { clock, targetBytes, flush, turned } = this.#options
    if (this.out.length >= targetBytes) {
      flush()
      return
    }
    if (this.#isAwaited) return
    this.#isAwaited = true
    clock.endOfTurn(() => {
      this.#isAwaited = false
      turned?.()
      flush()
    })
  }
}
