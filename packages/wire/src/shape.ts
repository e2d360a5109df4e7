import type { ByteReader, ByteWriter } from '@sojourn/core'

/**
 * A shape is both halves of a codec, declared once: what it writes is exactly what it reads, and reading checks. Lists and
 * byte strings are bounded by what is left of the frame, which has a limit itself; bounds that a rule states are given.
 */
export interface Shape<T> {
  write(out: ByteWriter, value: T): void
  read(from: ByteReader): T
}

/** A non-negative safe integer. */
export const uint: Shape<number> = { write: (out, value) => void out.uint(value), read: (from) => from.uint() }

/** Bytes with their length. Read as a view of the frame. */
export const bytes: Shape<Uint8Array> = {
  write: (out, value) => void out.bytes(value),
  read: (from) => from.bytes(from.left),
}

/** A fixed number of bytes, as hex. */
export const hex = (count: number): Shape<string> => ({
  write: (out, value) => void out.hex(value),
  read: (from) => from.hex(count),
})

/** Well-formed UTF-8 of at most `maxBytes`. */
export const text = (maxBytes: number): Shape<string> => ({
  write: (out, value) => void out.text(value),
  read: (from) => from.text(maxBytes),
})

/** One of a few words, by its place in the list. */
export const word = <const W extends readonly string[]>(words: W): Shape<W[number]> => ({
  write: (out, value) => void out.u8(words.indexOf(value)),
  read: (from) => words[from.u8()] ?? from.fail('an unknown word'),
})

export const list = <T>(item: Shape<T>, max = Number.MAX_SAFE_INTEGER): Shape<readonly T[]> => ({
  write(out, value) {
    out.uint(value.length)
    for (const each of value) item.write(out, each)
  },
  read(from) {
    // Every item takes a byte at least, so a list can never be longer than what is left of the frame.
    const count = from.uint(Math.min(max, from.left))
    const value: T[] = []
    for (let index = 0; index < count; index++) value.push(item.read(from))
    return value
  },
})

/** One byte. */
export const flag: Shape<boolean> = {
  write: (out, value) => void out.u8(value ? 1 : 0),
  read(from) {
    const value = from.u8()
    if (value > 1) from.fail('a flag is neither 0 nor 1')
    return value === 1
  },
}

export const optional = <T>(inner: Shape<T>): Shape<T | undefined> => ({
  write(out, value) {
    out.u8(value === undefined ? 0 : 1)
    if (value !== undefined) inner.write(out, value)
  },
  read(from) {
    const there = from.u8()
    if (there > 1) from.fail('a flag is neither 0 nor 1')
    return there === 1 ? inner.read(from) : undefined
  },
})

type Fields<T> = { readonly [K in keyof T]: Shape<T[K]> }

/** Fields one after the other, in the order of the declaration. */
export const struct = <T extends object>(fields: Fields<T>): Shape<Readonly<T>> => {
  const names = Object.keys(fields) as (keyof T)[]
  return {
    write(out, value) {
      for (const name of names) fields[name].write(out, value[name])
    },
    read(from) {
      const value = {} as T
      for (const name of names) value[name] = fields[name].read(from)
      return value
    },
  }
}

/** Fields most of which are left out: a mask of those that are there, and then they, in the order of the declaration. */
export const sparse = <T extends object>(
  fields: {
    readonly [K in keyof T]-?: Shape<Exclude<T[K], undefined>>
  },
): Shape<Readonly<T>> => {
  const names = Object.keys(fields) as (keyof T)[]
  const all = 2 ** names.length - 1
  const none = Object.freeze({}) as Readonly<T>
  return {
    write(out, value) {
      let mask = 0
      for (let index = 0; index < names.length; index++) if (value[names[index]!] !== undefined) mask |= 1 << index
      out.uint(mask)
      if (mask === 0) return
      for (const name of names) {
        const field = value[name]
        if (field !== undefined) fields[name].write(out, field as Exclude<T[keyof T], undefined>)
      }
    },
    read(from) {
      const mask = from.uint(all)
      if (mask === 0) return none
      const value = {} as T
      for (const [index, name] of names.entries()) if (mask & (1 << index)) value[name] = fields[name].read(from)
      return value
    },
  }
}

/** One of several structs, told apart by a first byte: `{ type, ...fields }`. */
export const union = <T extends { readonly type: string }>(
  variants: {
    readonly [K in T['type']]: readonly [tag: number, shape: Shape<Omit<Extract<T, { type: K }>, 'type'>>]
  },
): Shape<T> => {
  const entries = Object.entries(variants) as [string, readonly [number, Shape<object>]][]
  const byTag = new Map(entries.map(([type, [tag, shape]]) => [tag, { type, shape }]))
  return {
    write(out, value) {
      const [tag, shape] = variants[value.type as T['type']]
      out.u8(tag)
      ;(shape as Shape<object>).write(out, value)
    },
    read(from) {
      const variant = byTag.get(from.u8()) ?? from.fail('an unknown type')
      return { type: variant.type, ...variant.shape.read(from) } as T
    },
  }
}
