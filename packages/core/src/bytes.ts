/** Byte strings in and out. */
import type { ErrorCode } from './errors.js'
import { SojournError } from './errors.js'

/**
 * Byte strings in and out: LEB128 integers (the encoding of DWARF and WebAssembly), length-prefixed bytes and UTF-8.
 * The reader never trusts a length: each is checked against what is left and against the caller's bound before a byte
 * is copied, and an integer has exactly one accepted encoding (the shortest).
 */

/** Texts up to this length are tried as ASCII, character by character, before the machinery for UTF-8 is asked. */
const SHORT_TEXT = 48

/** A growing buffer. One writer may be used again after {@link ByteWriter.finish} or {@link ByteWriter.borrow}. */
export class ByteWriter {
  #bytes: Buffer
  /** The same memory: a copy of a part of it is one call, which for a `Buffer` it is not. */
  #memory: Uint8Array
  #length = 0

  constructor(initialBytes = 512) {
    this.#bytes = Buffer.alloc(initialBytes)
    this.#memory = memoryOf(this.#bytes)
  }

  get length(): number {
    return this.#length
  }

  #reserve(count: number): number {
    const at = this.#length
    this.#length += count
    if (this.#length > this.#bytes.length) {
      const grown = Buffer.alloc(Math.max(this.#length, this.#bytes.length * 2))
      grown.set(this.#bytes)
      this.#bytes = grown
      this.#memory = memoryOf(grown)
    }
    return at
  }

  u8(value: number): this {
    const at = this.#reserve(1)
    this.#bytes[at] = value
    return this
  }

  /** Unsigned LEB128 of a non-negative safe integer. */
  uint(value: number): this {
    let rest = value
    while (rest >= 0x80) {
      const at = this.#reserve(1)
      this.#bytes[at] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    return this.u8(rest)
  }

  /** Signed LEB128 of a safe integer. */
  int(value: number): this {
    let rest = value
    for (;;) {
      const low = ((rest % 0x80) + 0x80) % 0x80
      rest = Math.floor(rest / 0x80)
      const done = (rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)
      this.u8(done ? low : low | 0x80)
      if (done) return this
    }
  }

  /** IEEE 754 double, little endian. */
  f64(value: number): this {
    const at = this.#reserve(8)
    this.#bytes.writeDoubleLE(value, at)
    return this
  }

  /** Bytes as they are, without a length. */
  raw(bytes: Uint8Array): this {
    return this.copy(bytes, 0, bytes.length)
  }

  /** A part of some bytes. */
  copy(bytes: Uint8Array, from: number, until: number): this {
    const length = until - from
    const at = this.#reserve(length)
    if (length > FEW_BYTES) this.#bytes.set(length === bytes.length ? bytes : bytes.subarray(from, until), at)
    else for (let index = 0; index < length; index++) this.#bytes[at + index] = bytes[from + index]!
    return this
  }

  /** A part of what another writer has written, which keeps it. */
  part(inner: ByteWriter, from: number, until: number): this {
    return this.copy(inner.#bytes, from, until)
  }

  /** Forgets what was written. */
  clear(): void {
    this.#length = 0
  }

  /** What another writer has written, which starts anew. */
  append(inner: ByteWriter): this {
    this.copy(inner.#bytes, 0, inner.#length)
    inner.#length = 0
    return this
  }

  /** A length and the bytes. */
  bytes(bytes: Uint8Array): this {
    return this.uint(bytes.length).raw(bytes)
  }

  /** A length and what another writer has written, which starts anew. */
  nested(inner: ByteWriter): this {
    return this.uint(inner.#length).append(inner)
  }

  /** A length and the UTF-8 of a string. */
  text(value: string): this {
    if (value.length <= SHORT_TEXT && this.#ascii(value)) return this
    const size = Buffer.byteLength(value)
    this.uint(size)
    const at = this.#reserve(size)
    this.#bytes.write(value, at, size, 'utf8')
    return this
  }

  /** Writes a short text if it is ASCII. */
  #ascii(value: string): boolean {
    const start = this.#length
    const at = this.uint(value.length).#reserve(value.length)
    for (let index = 0; index < value.length; index++) {
      const code = value.charCodeAt(index)
      if (code >= 0x80) {
        this.#length = start
        return false
      }
      this.#bytes[at + index] = code
    }
    return true
  }

  /** Bytes given as hex, without a length. */
  hex(value: string): this {
    const at = this.#reserve(value.length / 2)
    this.#bytes.write(value, at, value.length / 2, 'hex')
    return this
  }

  /** A copy of what was written, in memory of its own; the writer starts anew. */
  finish(): Uint8Array {
    const out = this.#memory.slice(0, this.#length)
    this.#length = 0
    return out
  }

  /**
   * A copy in memory that is shared with other small buffers: cheaper, and right for bytes that are soon written and forgotten. Kept,
   * it would keep the rest of the memory, too.
   */
  borrow(): Uint8Array {
    const out = Buffer.allocUnsafe(this.#length)
    this.#bytes.copy(out, 0, 0, this.#length)
    this.#length = 0
    return out
  }
}

/** Up to here, copying byte by byte is cheaper than to make the view that a copy at once needs. */
const FEW_BYTES = 96

const memoryOf = ({ buffer, byteOffset, byteLength }: Buffer): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength)

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Reads what {@link ByteWriter} writes, from bytes that nobody vouches for. */
export class ByteReader {
  readonly #buffer: Buffer
  readonly #code: ErrorCode
  #at = 0

  /** @param code the error code of everything that this reader refuses */
  constructor(bytes: Uint8Array, code: ErrorCode) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#code = code
  }

  get offset(): number {
    return this.#at
  }

  get left(): number {
    return this.#buffer.length - this.#at
  }

  fail(what: string): never {
    throw new SojournError(this.#code, `${what} (at byte ${this.#at} of ${this.#buffer.length})`)
  }

  u8(): number {
    if (this.#at >= this.#buffer.length) this.fail('the bytes end too soon')
    return this.#buffer[this.#at++]!
  }

  /** One byte, 0 or 1. */
  flag(): boolean {
    const flag = this.u8()
    if (flag > 1) this.fail('a flag is neither 0 nor 1')
    return flag === 1
  }

  /** Unsigned LEB128 up to `max`, in its shortest form. */
  uint(max = Number.MAX_SAFE_INTEGER): number {
    let value = 0
    let scale = 1
    for (let count = 1; ; count++) {
      const byte = this.u8()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        if (byte === 0 && count > 1) this.fail('an integer is not in its shortest form')
        if (value > max) this.fail(`an integer is above ${max}`)
        return value
      }
      if (count === 8) this.fail('an integer is too long')
      scale *= 0x80
    }
  }

  /** Signed LEB128 of a safe integer, in its shortest form. */
  int(): number {
    let value = 0
    let scale = 1
    let previous = 0
    for (let count = 1; ; count++) {
      const byte = this.u8()
      const low = byte & 0x7f
      if (byte < 0x80) {
        if (count > 1 && ((low === 0 && (previous & 0x40) === 0) || (low === 0x7f && (previous & 0x40) !== 0)))
          this.fail('an integer is not in its shortest form')
        // The sign goes in with the last seven bits: added after them, it would meet a sum beyond 2^53, already rounded.
        value += (low & 0x40 ? low - 0x80 : low) * scale
        if (!Number.isSafeInteger(value)) this.fail('an integer is beyond 2^53')
        return value
      }
      if (count === 8) this.fail('an integer is too long')
      value += low * scale
      scale *= 0x80
      previous = byte
    }
  }

  f64(): number {
    if (this.left < 8) this.fail('the bytes end too soon')
    const value = this.#buffer.readDoubleLE(this.#at)
    this.#at += 8
    return value
  }

  /** `count` bytes as a view of the input (not a copy). */
  raw(count: number): Uint8Array {
    const at = this.#at
    this.skip(count)
    return this.#buffer.subarray(at, this.#at)
  }

  /** Passes `count` bytes. */
  skip(count: number): void {
    if (count > this.left) this.fail(`${count} bytes are announced, ${this.left} are left`)
    this.#at += count
  }

  /** Length-prefixed bytes, at most `max`, as a view of the input (not a copy). */
  bytes(max: number): Uint8Array {
    return this.raw(this.uint(max))
  }

  /** Length-prefixed well-formed UTF-8 of at most `max` bytes. */
  text(max: number): string {
    const size = this.uint(max)
    if (size <= SHORT_TEXT && size <= this.left) {
      const ascii = this.#ascii(size)
      if (ascii !== undefined) return ascii
    }
    const bytes = this.raw(size)
    try {
      return utf8.decode(bytes)
    } catch {
      return this.fail('a text is not well-formed UTF-8')
    }
  }

  /** The next bytes as text, if they are ASCII. */
  #ascii(size: number): string | undefined {
    const end = this.#at + size
    for (let at = this.#at; at < end; at++) if (this.#buffer[at]! >= 0x80) return undefined
    const text = this.#buffer.toString('latin1', this.#at, end)
    this.#at = end
    return text
  }

  /** `count` bytes as lower-case hex. */
  hex(count: number): string {
    const at = this.#at
    this.skip(count)
    return this.#buffer.toString('hex', at, this.#at)
  }

  /** Refuses bytes after the end. */
  end(): void {
    if (this.left !== 0) this.fail(`${this.left} bytes are left over`)
  }
}
