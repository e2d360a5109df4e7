/** The last segment that was encoded: links that are equally far send the same one, so it is encoded once for all of them. */
import { encodeMessage, type Segment } from '@sojourn/wire'

export class LastFrame {
  #segment: Segment | undefined
  #frame: Uint8Array | undefined

  of(segment: Segment): Uint8Array {
    if (this.#frame && this.#segment && sameSegment(segment, this.#segment)) return this.#frame
    this.#segment = segment
    this.#frame = encodeMessage(segment)
    return this.#frame
  }
}

/** Whether two are one, where that is easily decided. An item is encoded once, so the same bytes are in the same place. */
const sameSegment = (a: Segment, b: Segment): boolean =>
  a.from === b.from &&
  a.through === b.through &&
  a.mode === b.mode &&
  a.epoch === b.epoch &&
  a.needs.length + a.holds.length + b.needs.length + b.holds.length === 0 &&
  a.items.length === b.items.length &&
  a.items.every((item, index) => item === b.items[index])
