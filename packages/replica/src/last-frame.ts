/** The last segment that was encoded: links that are equally far send the same one, so it is encoded once for all of them. */
import { encodeMessage, type Stretch } from '@sojourn/wire'

export class LastFrame {
  #stretch: Stretch | undefined
  #frame: Uint8Array | undefined

  of(stretch: Stretch): Uint8Array {
    if (this.#frame && this.#stretch && sameStretch(stretch, this.#stretch)) return this.#frame
    this.#stretch = stretch
    this.#frame = encodeMessage(stretch)
    return this.#frame
  }
}

/** Whether two are one, where that is easily told. An item is encoded once, so the same bytes are in the same place. */
const sameStretch = (a: Stretch, b: Stretch): boolean =>
  a.from === b.from &&
  a.through === b.through &&
  a.mode === b.mode &&
  a.epoch === b.epoch &&
  a.needs.length + a.holds.length + b.needs.length + b.holds.length === 0 &&
  a.items.length === b.items.length &&
  a.items.every((item, index) => item === b.items[index])
