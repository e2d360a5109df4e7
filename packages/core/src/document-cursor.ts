/** A cursor over the bytes of a sound document: finds actors, heads and fields without making any of them. */
import { LOST_BYTES, SCALAR } from './document-codec.js'

/** A map on the way to a field. */
export interface MapPlace {
  readonly counter: number
  /** Its actor's place in the table. */
  readonly actor: number
  /** The last operation of its making. */
  readonly end: number
  readonly parent: MapPlace | undefined
  /** Where the key that holds it begins, and its length. */
  readonly keyAt: number
  readonly keyLength: number
  /** Whether it, and each map that it is in, stands under its key alone. */
  readonly isAlone: boolean
  readonly depth: number
}

/** Where the fields of a map are. */
export interface FieldsPlace {
  readonly map: MapPlace | undefined
  /** Where their count is. */
  readonly countAt: number
  readonly count: number
  readonly firstAt: number
  endAt: number
}

/** A field's operations. Of the last one, what it is. */
export interface FieldPlace {
  readonly keyAt: number
  readonly keyLength: number
  readonly count: number
  readonly opsAt: number
  readonly endAt: number
  readonly actor: number
  readonly counter: number
  readonly type: number
}

export interface FieldVisitor {
  /** Whether the place of a field is asked for; the key is at so many bytes. */
  wants: (keyAt: number, keyLength: number, map: MapPlace | undefined) => boolean
  field: (place: FieldPlace, map: MapPlace | undefined) => void
  /** After the last field of a map. */
  fields: (place: FieldsPlace) => void
}

/** The bytes were checked before, so nothing is checked here. */
export class DocumentCursor {
  readonly bytes: Buffer
  at = 0

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  uint(): number {
    const byte = this.bytes[this.at++]!
    if (byte < 0x80) return byte
    let value = byte & 0x7f
    for (let scale = 0x80; ; scale *= 0x80) {
      const next = this.bytes[this.at++]!
      value += (next & 0x7f) * scale
      if (next < 0x80) return value
    }
  }

  int(): number {
    let value = 0
    for (let scale = 1; ; scale *= 0x80) {
      const byte = this.bytes[this.at++]!
      const low = byte & 0x7f
      if (byte < 0x80) return value + (low & 0x40 ? low - 0x80 : low) * scale
      value += low * scale
    }
  }

  #skipInt(): void {
    while (this.bytes[this.at++]! >= 0x80);
  }

  #skipBytes(): void {
    const length = this.uint()
    this.at += length
  }

  hex(count: number): string {
    this.at += count
    return this.bytes.toString('hex', this.at - count, this.at)
  }

  /** Goes through the fields of a map, and of those in it, from their count on. */
  visit(visitor: FieldVisitor, map?: MapPlace): void {
    const countAt = this.at
    const count = this.uint()
    const fields: FieldsPlace = { map, countAt, count, firstAt: this.at, endAt: 0 }
    for (let left = count; left > 0; left--) this.#visitField(visitor, map)
    fields.endAt = this.at
    visitor.fields(fields)
  }

  #visitField(visitor: FieldVisitor, map: MapPlace | undefined): void {
    const keyLength = this.uint()
    const keyAt = this.at
    this.at += keyLength
    const count = this.uint()
    const opsAt = this.at
    let [actor, counter, type] = [0, 0, 0]
    for (let left = count; left > 0; left--) {
      actor = this.uint()
      counter = this.uint()
      type = this.bytes[this.at++]!
      if (type !== SCALAR.map) this.#skipScalar(type)
      else {
        // Whether it is fresh.
        this.at++
        const end = counter + this.uint()
        this.#skipLost()
        const isAlone = count === 1 && map?.isAlone !== false
        const depth = (map?.depth ?? 0) + 1
        this.visit(visitor, { counter, actor, end, parent: map, keyAt, keyLength, isAlone, depth })
      }
    }
    if (visitor.wants(keyAt, keyLength, map))
      visitor.field({ keyAt, keyLength, count, opsAt, endAt: this.at, actor, counter, type }, map)
  }

  #skipScalar(type: number): void {
    if (type === SCALAR.text || type === SCALAR.bytes) this.#skipBytes()
    else if (type === SCALAR.date) this.#skipInt()
    else if (type === SCALAR.float) this.at += FLOAT_BYTES
    else if (type === SCALAR.integer) {
      this.#skipInt()
      for (let count = this.uint(); count > 0; count--) {
        this.#skipInt()
        this.#skipInt()
      }
    }
  }

  #skipLost(): void {
    for (let count = this.uint(); count > 0; count--) {
      this.#skipBytes()
      if (this.bytes[this.at++] === 0) this.at += LOST_BYTES
      else this.#skipLost()
    }
  }
}

const FLOAT_BYTES = 8
