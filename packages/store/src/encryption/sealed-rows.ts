/** Rows whose values are sealed, each for its key: exchanged, moved or altered they do not open. */
import type { Row, Rows, RowWrite } from '@sojourn/core/internal'
import { SojournError } from '@sojourn/core/internal'
import { isDataKeyRow } from '../record-row.js'
import type { DataKeys } from './data-keys.js'

/** What a place begins with: a row's seal opens no entry of the journal. */
const ROW = 0x72

let scratch = Buffer.of(ROW)

/** The same memory for keys of the same length: it is read before this is called again. */
const placeOf = (key: Uint8Array): Uint8Array => {
  if (scratch.length !== 1 + key.length) {
    scratch = Buffer.alloc(1 + key.length)
    scratch[0] = ROW
  }
  scratch.set(key, 1)
  return scratch
}

/** What a row reads as that does not open: no value that the store wrote, so it is corrupt to whoever reads it. */
const UNREADABLE = new Uint8Array(0)

export class SealedRows implements Rows {
  readonly #rows: Rows
  readonly #keys: DataKeys
  /** Resolves when everything that was to be written is, or was refused. */
  #writing: Promise<void> = Promise.resolve()

  constructor(rows: Rows, keys: DataKeys) {
    this.#rows = rows
    this.#keys = keys
  }

  get(key: Uint8Array): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    if (isDataKeyRow(key)) return undefined
    const value = this.#rows.get(key)
    return value instanceof Promise ? value.then((late) => this.#opened(key, late)) : this.#opened(key, value)
  }

  #opened(key: Uint8Array, value: Uint8Array | undefined): Uint8Array | undefined {
    return value && (this.#keys.open(placeOf(key), value) ?? UNREADABLE)
  }

  write(writes: readonly RowWrite[], sync: boolean): Promise<void> {
    return this.#inTurn(async () => {
      const { length } = writes
      // The journal seals meanwhile, too: it is asked again until it is so in the very turn in which the rows are sealed.
      for (let more = this.#keys.ready(length); more; more = this.#keys.ready(length)) await more
      await this.#rows.write(
        writes.map((write) => this.#sealed(write)),
        sync,
      )
    })
  }

  /** One after the other, in the order of the calls: what is sealed anew comes between none of them. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const working = this.#writing.then(work)
    this.#writing = working.then(
      () => {},
      () => {},
    )
    return working
  }

  #sealed(write: RowWrite): RowWrite {
    if (isDataKeyRow(write.key)) throw new SojournError('STORE_FAILED', 'the row of the data keys is not for others')
    if (write.type === 'del') return write
    return { type: 'put', key: write.key, value: this.#keys.seal(placeOf(write.key), write.value) }
  }

  async *scan(): AsyncIterable<readonly Row[]> {
    for await (const rows of this.#rows.scan()) {
      const opened = rows.flatMap(([key, value]): Row[] =>
        isDataKeyRow(key) ? [] : [[key, this.#opened(key, value) ?? UNREADABLE]],
      )
      if (opened.length > 0) yield opened
    }
  }

  /** Seals rows with the data key in use that another one has sealed. What does not open stays as it is. @throws STORE_FAILED */
  reseal(keys: readonly Uint8Array[]): Promise<void> {
    return this.#inTurn(async () => {
      const old: Row[] = []
      for (const key of keys) {
        const value = await this.#rows.get(key)
        const body = value && !this.#keys.isCurrent(value) && this.#keys.open(placeOf(key), value)
        if (body) old.push([key, body])
      }
      if (old.length === 0) return
      for (let more = this.#keys.ready(old.length); more; more = this.#keys.ready(old.length)) await more
      await this.#rows.write(
        old.map(([key, value]) => this.#sealed({ type: 'put', key, value })),
        false,
      )
    })
  }

  async compact(): Promise<void> {
    await this.#rows.compact?.()
  }

  /** Resolves when nothing is being written any more. */
  idle(): Promise<void> {
    return this.#writing
  }
}
