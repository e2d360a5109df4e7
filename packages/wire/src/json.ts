/** What a JSON value may be: each shape says, once, what is taken, how an error names that, and its type. */
import { type ErrorCode, type OptionRule, SojournError } from '@sojourn/core/internal'

/** What is wrong with a value: where, and what belongs there. */
interface Fault {
  readonly path: readonly string[]
  readonly give: string
}

export interface JsonShape<T> {
  /** Undefined: the value is of this shape. */
  fault(value: unknown): Fault | undefined
  /** The type that stands for; no value has this. */
  readonly type?: T
}

/** The type of what has a shape. */
export type JsonOf<S> = S extends JsonShape<infer T> ? T : never

type Fields = { readonly [name: string]: JsonShape<unknown> }
/** Mapped over the keys of `F` as they are, so that what is said of a field is seen where it is used. */
type Struct<F extends Fields> = {
  readonly [K in keyof F as undefined extends JsonOf<F[K]> ? never : K]: JsonOf<F[K]>
} & {
  readonly [K in keyof F as undefined extends JsonOf<F[K]> ? K : never]?: JsonOf<F[K]>
}

const single = <T>(give: string, takes: (value: unknown) => boolean): JsonShape<T> => ({
  fault: (value) => (takes(value) ? undefined : { path: [], give }),
})

/** Whatever JSON can say. */
export const anything = single<unknown>('anything', () => true)

export const flag = single<boolean>('true or false', (value) => typeof value === 'boolean')

/** Also with a fraction, also negative. */
export const figure = single<number>('a number', Number.isFinite)

export const whole = (max = Number.MAX_SAFE_INTEGER): JsonShape<number> =>
  single(
    `a whole number from 0 to ${max}`,
    (value) => Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= max,
  )

/** Text of `min` to `max` characters. `T`: words that are known; others may come from a later version. */
export const text = <T extends string = string>(min = 0, max = Number.MAX_SAFE_INTEGER): JsonShape<T> =>
  single(
    max === Number.MAX_SAFE_INTEGER ? 'a text' : `a text of ${min} to ${max} characters`,
    (value) => typeof value === 'string' && value.length >= min && value.length <= max,
  )

/** What an option takes that is no object, in its words. */
export const ruled = <T>({ allowed, takes }: OptionRule<T, unknown>): JsonShape<T> =>
  single(allowed, (value) => takes(value, '', ''))

export const word = <const W extends readonly string[]>(...words: W): JsonShape<W[number]> =>
  single(words.length === 1 ? words[0]! : `one of ${words.join(', ')}`, (value) => words.includes(value as string))

export const either = <A, B>(a: JsonShape<A>, b: JsonShape<B>, give: string): JsonShape<A | B> =>
  single(give, (value) => a.fault(value) === undefined || b.fault(value) === undefined)

export const nothing = single<null>('null', (value) => value === null)

/** What may be left out. What a later version adds is so: a command may ask a server of the version before. */
export const maybe = <T>(inner: JsonShape<T>): JsonShape<T | undefined> => ({
  fault: (value) => (value === undefined ? undefined : inner.fault(value)),
})

const faultIn = (entries: readonly (readonly [name: string, value: unknown, shape: JsonShape<unknown>])[]) => {
  for (const [name, value, shape] of entries) {
    const fault = shape.fault(value)
    if (fault) return { ...fault, path: [name, ...fault.path] }
  }
  return undefined
}

export const list = <T>(item: JsonShape<T>, max = Number.MAX_SAFE_INTEGER): JsonShape<readonly T[]> => ({
  fault: (value) =>
    Array.isArray(value) && value.length <= max
      ? faultIn(value.map((each, at) => [String(at), each, item]))
      : { path: [], give: max === Number.MAX_SAFE_INTEGER ? 'a list' : `a list of at most ${max}` },
})

const isObject = (value: unknown): value is { readonly [name: string]: unknown } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** One value for each name, whatever the names. */
export const record = <T>(item: JsonShape<T>): JsonShape<{ readonly [name: string]: T }> => ({
  fault: (value) =>
    isObject(value)
      ? faultIn(Object.entries(value).map(([name, each]) => [name, each, item]))
      : { path: [], give: 'an object' },
})

/** An object that may have other fields, too: those of a later version are left as they are. */
export const struct = <const F extends Fields>(fields: F): JsonShape<Struct<F>> => ({
  fault: (value) =>
    isObject(value)
      ? faultIn(Object.entries(fields).map(([name, shape]) => [name, value[name], shape]))
      : { path: [], give: 'an object' },
})

/** An object with no other fields: one that is not understood is not ignored. The error does not repeat its name. */
export const exactly = <const F extends Fields>(fields: F): JsonShape<Struct<F>> => {
  const inner = struct(fields)
  return {
    fault: (value) => {
      const isStrange = isObject(value) && Object.keys(value).some((name) => !Object.hasOwn(fields, name))
      return isStrange ? { path: [], give: `no fields but ${Object.keys(fields).join(', ')}` } : inner.fault(value)
    },
  }
}

/** One of several objects, distinguished by a word in the field `call`. */
export const call = <const V extends { readonly [name: string]: Fields }>(
  variants: V,
): JsonShape<{ [K in keyof V & string]: { readonly call: K } & Struct<V[K]> }[keyof V & string]> => {
  const shapes = new Map(
    Object.entries(variants).map(([name, fields]) => [name, exactly({ call: word(name), ...fields })]),
  )
  const known = struct({ call: word(...shapes.keys()) })
  return {
    fault: (value) => known.fault(value) ?? shapes.get((value as { readonly call: string }).call)!.fault(value),
  }
}

/**
 * The value, which is of this shape. The error does not repeat it: it can be an id.
 *
 * @example checkJson(exactly({ id: text(1, 4_096) }), { id: 7 }, 'INVALID_OPTION', 'the body') // INVALID_OPTION: id: give a text of …
 * @param what the value is, where all of it is wrong
 * @throws `code`, with the path as `option`
 */
export const checkJson = <T>(shape: JsonShape<T>, value: unknown, code: ErrorCode, what: string): T => {
  const fault = shape.fault(value)
  if (fault === undefined) return value as T
  const option = fault.path.join('.')
  throw new SojournError(code, `${option || what}: give ${fault.give}`, { option })
}
