/** What a message may be made of: each shape says, once, how a value is packed, what is taken for it when it was unpacked, and its type. */
import { SojournError } from '@sojourn/core'

/**
 * Between a value and what msgpackr packs and unpacks. Nothing is taken that would not have been packed so: each value has one form.
 * Methods, so that a shape of any value is a `Shape<unknown>`.
 */
export interface Shape<T> {
  pack(value: T): unknown
  /** @throws FRAME_INVALID */
  check(unpacked: unknown): T
  /** Where a list of them has a shorter form than one after the other. */
  readonly list?: { pack(values: readonly T[]): unknown; check(unpacked: unknown, max: number): T[] }
}

/** The type of what a shape packs. */
export type Of<S> = S extends Shape<infer T> ? T : never

type Fields = { readonly [name: string]: Shape<unknown> }
export type Struct<F extends Fields> = { readonly [K in keyof F]: Of<F[K]> }
export type Sparse<F extends Fields> = { readonly [K in keyof F]?: Of<F[K]> | undefined }
type Variants = { readonly [type: string]: readonly [tag: number, fields: Fields] }
export type Union<V extends Variants> = {
  [K in keyof V & string]: { readonly type: K } & Struct<V[K][1]>
}[keyof V & string]

const refuse = (what: string): never => {
  throw new SojournError('FRAME_INVALID', what)
}

/** The array, of so many items at most. */
const arrayOf = (unpacked: unknown, min: number, max: number): readonly unknown[] => {
  if (!Array.isArray(unpacked)) return refuse('an array is missing')
  if (unpacked.length < min || unpacked.length > max) refuse(`an array of ${unpacked.length} items`)
  return unpacked
}

const bytesOf = (unpacked: unknown): Buffer =>
  Buffer.isBuffer(unpacked) ? unpacked : refuse('a byte string is missing')

const integer = (min: number): Shape<number> => ({
  pack: (value) => value,
  check: (unpacked) =>
    typeof unpacked === 'number' && Number.isSafeInteger(unpacked) && unpacked >= min
      ? unpacked
      : refuse('an integer is missing'),
})

/** A non-negative safe integer. */
export const uint = integer(0)

/** A safe integer. */
export const int = integer(Number.MIN_SAFE_INTEGER)

export const flag: Shape<boolean> = {
  pack: (value) => value,
  check: (unpacked) => (typeof unpacked === 'boolean' ? unpacked : refuse('a flag is neither true nor false')),
}

/** Bytes. Unpacked, a view of the frame. A list of them is their lengths, and all of them one after the other. */
export const bytes: Shape<Uint8Array> = {
  pack: (value) => value,
  check: bytesOf,
  list: {
    pack: (values) => [values.map(({ length }) => length), values.length === 1 ? values[0] : Buffer.concat(values)],
    check: (unpacked, max) => {
      const [lengths, all] = arrayOf(unpacked, 2, 2)
      const joined = bytesOf(all)
      let at = 0
      const values = arrayOf(lengths, 0, max).map((length) => {
        const start = at
        at += uint.check(length)
        return joined.subarray(start, at)
      })
      if (at !== joined.length) refuse('byte strings that are shorter or longer than announced')
      return values
    },
  },
}

/** A fixed number of bytes, as hex. A list of them is one byte string. */
export const hex = (count: number): Shape<string> => ({
  pack: (value) => Buffer.from(value, 'hex'),
  check: (unpacked) => {
    const value = bytesOf(unpacked)
    return value.length === count ? value.toString('hex') : refuse(`${value.length} bytes instead of ${count}`)
  },
  list: {
    pack: (values) => Buffer.from(values.join(''), 'hex'),
    check: (unpacked, max) => {
      const joined = bytesOf(unpacked)
      if (joined.length % count !== 0 || joined.length > max * count) refuse(`${joined.length} bytes of ids`)
      const values: string[] = []
      for (let at = 0; at < joined.length; at += count) values.push(joined.toString('hex', at, at + count))
      return values
    },
  },
})

/** What msgpackr takes away from the beginning of a text that is not short. */
const MARK = '\ufeff'

/** Well-formed UTF-8 of at most `maxBytes`; as a byte string where it begins with {@link MARK}. */
export const text = (maxBytes: number): Shape<string> => ({
  pack: (value) => (value.startsWith(MARK) ? Buffer.from(value) : value),
  check: (unpacked) => {
    const value = typeof unpacked === 'string' ? unpacked : markedText(bytesOf(unpacked))
    if (value.length * 3 > maxBytes && Buffer.byteLength(value) > maxBytes)
      refuse(`a text of more than ${maxBytes} bytes`)
    return value
  },
})

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const markedText = (unpacked: Uint8Array): string => {
  try {
    const value = utf8.decode(unpacked)
    if (value.startsWith(MARK)) return value
  } catch {
    // It is no text.
  }
  return refuse('a text is missing')
}

/** One of a few words, by its place in the list. */
export const word = <const W extends readonly string[]>(words: W): Shape<W[number]> => ({
  pack: (value) => words.indexOf(value),
  check: (unpacked) => words[uint.check(unpacked)] ?? refuse('an unknown word'),
})

/** Undefined where it is nil. */
export const optional = <T>(inner: Shape<T>): Shape<T | undefined> => ({
  pack: (value) => (value === undefined ? null : inner.pack(value)),
  check: (unpacked) => (unpacked === null ? undefined : inner.check(unpacked)),
})

/** Bounded by `max`, or by the frame. */
export const list = <T>(item: Shape<T>, max = Number.MAX_SAFE_INTEGER): Shape<readonly T[]> => {
  const together = item.list
  if (together) return { pack: (values) => together.pack(values), check: (unpacked) => together.check(unpacked, max) }
  return {
    pack: (values) => values.map((value) => item.pack(value)),
    check: (unpacked) => arrayOf(unpacked, 0, max).map((one) => item.check(one)),
  }
}

/** Fields one after the other, in the order of the declaration. A list of them is a list of each field. */
export const struct = <const F extends Fields>(fields: F): Shape<Struct<F>> => {
  type T = Struct<F>
  const { pack, check, names } = columnsOf(fields)
  return {
    pack: (value) => pack([], value),
    check: (unpacked) => check({}, arrayOf(unpacked, names.length, names.length), 0) as T,
    list: {
      pack: (values) => names.map((name) => list(fields[name]!).pack(values.map((value) => value[name]))),
      check: (unpacked, max) => {
        const columns = arrayOf(unpacked, names.length, names.length)
        const parts = names.map((name, place) => list(fields[name]!, max).check(columns[place]))
        const count = parts[0]!.length
        if (parts.some(({ length }) => length !== count)) refuse('lists of unequal length')
        return Array.from({ length: count }, (_, row) =>
          Object.fromEntries(names.map((name, place) => [name, parts[place]![row]])),
        ) as T[]
      },
    },
  }
}

const columnsOf = (fields: Fields) => {
  const names = Object.keys(fields)
  const shapes = Object.values(fields)
  return {
    names,
    /** Puts the fields behind what is there. */
    pack: (out: unknown[], value: { readonly [name: string]: unknown }): unknown[] => {
      for (let index = 0; index < names.length; index++) out.push(shapes[index]!.pack(value[names[index]!]))
      return out
    },
    check: (value: { [name: string]: unknown }, unpacked: readonly unknown[], from: number): object => {
      for (let index = 0; index < names.length; index++)
        value[names[index]!] = shapes[index]!.check(unpacked[from + index])
      return value
    },
  }
}

/** Fields most of which are left out: nil stands for one that is, and what follows the last one that is there is left out, too. */
export const sparse = <const F extends Fields>(fields: F): Shape<Sparse<F>> => {
  type T = Sparse<F>
  const names = Object.keys(fields)
  const shapes = Object.values(fields)
  const none = Object.freeze({}) as T
  return {
    pack: (value) => {
      const out: unknown[] = []
      for (let index = 0; index < names.length; index++) {
        const field = value[names[index]!]
        if (field === undefined) continue
        while (out.length < index) out.push(null)
        out.push(shapes[index]!.pack(field))
      }
      return out
    },
    check: (unpacked) => {
      const values = arrayOf(unpacked, 0, names.length)
      if (values.length === 0) return none
      if (values.at(-1) === null) refuse('a field that is left out is mentioned')
      const value: { [name: string]: unknown } = {}
      for (let index = 0; index < values.length; index++)
        if (values[index] !== null) value[names[index]!] = shapes[index]!.check(values[index])
      return value as T
    },
  }
}

/** One of several structs, told apart by a number in front: `{ type, ...fields }`. */
export const union = <const V extends Variants>(variants: V): Shape<Union<V>> => {
  const byType = new Map(
    Object.entries(variants).map(([type, [tag, fields]]) => [type, { type, tag, ...columnsOf(fields) }]),
  )
  const byTag = new Map([...byType.values()].map((variant) => [variant.tag, variant]))
  return {
    pack: (value) => {
      const { tag, pack } = byType.get(value.type)!
      return pack([tag], value)
    },
    check: (unpacked) => {
      const values = arrayOf(unpacked, 1, Number.MAX_SAFE_INTEGER)
      const { type, names, check } = byTag.get(values[0] as number) ?? refuse('an unknown type')
      if (values.length !== names.length + 1) refuse(`a ${type} message of ${values.length - 1} fields`)
      return check({ type }, values, 1) as Union<V>
    },
  }
}
