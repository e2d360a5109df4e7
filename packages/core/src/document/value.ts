/** What a session can hold: the values, whichever realm made them, and the scalars that hold them. */
import { types } from 'node:util'
import { SojournError } from '../errors.js'
import { shownValue } from '../wording.js'
import type { Scalar } from './op.js'
import type { Pointer } from './pointer.js'
import { childOf, segmentFault } from './pointer.js'

/** What a session can hold. Arrays are atomic: the last writer of an array replaces it whole. */
export type Value = null | boolean | string | number | Date | Uint8Array | readonly Value[] | Data
export interface Data {
  readonly [key: string]: Value
}

/**
 * The tags of a bytes register. Automerge has no scalar for an array or for an object that is one register, so both travel as tagged bytes,
 * and plain bytes carry a tag as well.
 */
const TAG_BYTES = 0
const TAG_ARRAY = 1
const TAG_OBJECT = 2

const refuse = (path: Pointer, what: string): never => {
  throw new SojournError('INVALID_DATA', `${what} at ${path === '' ? 'the top level' : shownValue(path)}`, { path })
}

export const isPlainObject = (value: unknown): value is Record<string, unknown> => {
  if (typeof value !== 'object' || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null || isForeignRoot(prototype)
}

/**
 * Whether this is the `Object.prototype` of another realm: jest runs tests in one, and gives them the `structuredClone` of the outer one. It
 * is the end of its chain, and has what only `Object.prototype` has of its own.
 */
const isForeignRoot = (prototype: object): boolean =>
  Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'isPrototypeOf')

/** By what the value is, not by its prototype, which another realm has its own of. */
export const isDate = (value: unknown): value is Date => types.isDate(value)

/** As {@link isDate}. Every `Buffer` is bytes, too. */
export const isBytes = (value: unknown): value is Uint8Array => types.isUint8Array(value)

/** The whole data of a session, as far as its top level goes. @throws INVALID_DATA where that is no plain object */
export const checkTop = (data: unknown): Record<string, unknown> => {
  if (!isPlainObject(data))
    throw new SojournError('INVALID_DATA', 'the data of a session must be a plain object', { path: '' })
  return data
}

/** A value as it is written: a scalar, or the map that an object becomes, key by key. */
export type Content = Scalar | ContentMap
export type ContentMap = ReadonlyMap<string, Content>

export const isContentMap = (content: Content): content is ContentMap => content instanceof Map

export interface ContentOptions {
  /** Nesting of objects and arrays below the value. */
  readonly maxDepth: number
  /** Bytes of one key of an object. Default: no bound. */
  readonly maxKeyBytes?: number | undefined
  /** What is one register, whole. */
  readonly atomic?: ReadonlySet<Pointer> | undefined
  /** Whether a field is left out, for it is written otherwise. */
  readonly skips?: (path: Pointer, value: unknown) => boolean
}

/** A value as the maps and scalars that hold it. @throws INVALID_DATA for anything that would not come back as it went in */
export const contentOf = (value: unknown, path: Pointer, options: ContentOptions): Content => {
  const { maxDepth, maxKeyBytes, atomic, skips } = options
  if (!isPlainObject(value) || atomic?.has(path)) return toScalar(value, path, maxDepth)
  if (maxDepth === 0) refuse(path, 'the data is nested too deep (limits.maxDepth), or in a cycle,')
  const content = new Map<string, Content>()
  const below = { ...options, maxDepth: maxDepth - 1 }
  for (const key of dataKeys(value, path, maxKeyBytes)) {
    const child = childOf(path, key)
    if (!skips?.(child, value[key])) content.set(key, contentOf(value[key], child, below))
  }
  return content
}

/** The value that a content stands for. */
export const contentToValue = (content: Content): Value =>
  isContentMap(content)
    ? Object.fromEntries([...content].map(([key, value]) => [key, contentToValue(value)]))
    : fromScalar(content)

/** The keys of an object, all of them fit for a session. @throws INVALID_DATA */
export const dataKeys = (
  object: Record<string, unknown>,
  path: Pointer,
  maxKeyBytes = Number.POSITIVE_INFINITY,
): string[] => {
  const keys = Object.keys(object)
  for (const key of keys) {
    const fault = segmentFault(key) ?? lengthFault(key, maxKeyBytes)
    if (fault) refuse(path, fault)
  }
  for (const symbol of Object.getOwnPropertySymbols(object)) refuse(path, `a symbol key (${String(symbol)})`)
  return keys
}

/** A UTF-16 unit is three bytes of UTF-8 at most. */
const MAX_UNIT_BYTES = 3

/** Why a key is too long: neither a peer nor the disk would give it back. */
export const lengthFault = (key: string, maxKeyBytes: number): string | undefined =>
  key.length * MAX_UNIT_BYTES > maxKeyBytes && Buffer.byteLength(key) > maxKeyBytes
    ? `a key of more than ${maxKeyBytes} bytes (limits.maxKeyBytes)`
    : undefined

/** The scalar that holds a value, whole. @throws INVALID_DATA */
export const toScalar = (value: unknown, path: Pointer, maxDepth: number): Scalar => {
  if (isBytes(value)) {
    const tagged = new Uint8Array(value.length + 1)
    tagged[0] = TAG_BYTES
    tagged.set(value, 1)
    return tagged
  }
  if (Array.isArray(value)) return asText(TAG_ARRAY, toJson(value, path, maxDepth))
  if (isPlainObject(value)) return asText(TAG_OBJECT, fieldsToJson(value, path, maxDepth))
  return checkLeaf(value, path)
}

const asText = (tag: number, json: unknown): Uint8Array => {
  const text = Buffer.from(JSON.stringify(json))
  const tagged = new Uint8Array(text.length + 1)
  tagged[0] = tag
  tagged.set(text, 1)
  return tagged
}

const checkLeaf = (value: unknown, path: Pointer): null | boolean | string | number | Date => {
  switch (typeof value) {
    case 'boolean':
      return value
    case 'string':
      return value.isWellFormed() ? value : refuse(path, 'a string with a lone surrogate')
    case 'number':
      return Number.isFinite(value) ? value : refuse(path, String(value))
    case 'undefined':
      return refuse(path, 'undefined (delete the key instead)')
    case 'object':
      if (value === null) return null
      // A copy, because the caller can change its Date after it was written.
      if (isDate(value)) return Number.isNaN(value.getTime()) ? refuse(path, 'an invalid Date') : new Date(value)
      return refuse(path, `an instance of ${value.constructor?.name ?? 'a class'}; sessions hold plain data`)
    default:
      return refuse(path, `a ${typeof value}`)
  }
}

/**
 * Arrays and atomic objects are stored as JSON (RFC 8259). What JSON lacks is an object with one key that starts with `$`; a key of the
 * data that starts with `$` gets another `$`.
 */
const toJson = (value: unknown, path: Pointer, maxDepth: number): unknown => {
  if (maxDepth === 0 && (Array.isArray(value) || isPlainObject(value)))
    refuse(path, 'the data is nested too deep (limits.maxDepth), or in a cycle,')
  if (Array.isArray(value)) {
    // Index keys come first and in order, so the last key shows whether there is any other.
    const keys = Object.keys(value)
    if (keys.length !== value.length || (keys.length > 0 && keys.at(-1) !== String(keys.length - 1)))
      refuse(path, 'an array with holes or with extra keys')
    return value.map((item, index) => toJson(item, `${path}/${index}`, maxDepth - 1))
  }
  if (isBytes(value)) return { $bytes: Buffer.from(value).toString('base64') }
  if (isPlainObject(value)) return fieldsToJson(value, path, maxDepth)
  const leaf = checkLeaf(value, path)
  if (leaf instanceof Date) return { $date: leaf.getTime() }
  return Object.is(leaf, -0) ? { $number: '-0' } : leaf
}

const fieldsToJson = (value: Record<string, unknown>, path: Pointer, maxDepth: number): object => {
  if (maxDepth === 0) refuse(path, 'the data is nested too deep (limits.maxDepth), or in a cycle,')
  const out: Record<string, unknown> = {}
  for (const key of dataKeys(value, path))
    out[key.startsWith('$') ? `$${key}` : key] = toJson(value[key], childOf(path, key), maxDepth - 1)
  return out
}

/** Thrown inside this file only; {@link scalarFault} turns it into a sentence. */
class Malformed extends Error {}

const fromJson = (json: unknown, depth: number): Value => {
  if (depth > MAX_STORED_DEPTH) throw new Malformed('it is nested too deep')
  if (Array.isArray(json)) return Object.freeze(json.map((item) => fromJson(item, depth + 1)))
  if (typeof json !== 'object' || json === null) return json as Value
  const keys = Object.keys(json)
  const only = keys.length === 1 ? keys[0]! : ''
  if (/^\$[^$]/.test(only)) return fromSpecial(only, (json as Record<string, unknown>)[only])
  return fieldsFromJson(json as Record<string, unknown>, depth)
}

const fieldsFromJson = (json: Record<string, unknown>, depth: number): Data => {
  const out: Record<string, Value> = {}
  for (const key of Object.keys(json)) {
    const own = key.startsWith('$$') ? key.slice(1) : key
    const fault = key.startsWith('$') && own === key ? 'it has an unknown special' : segmentFault(own)
    if (fault) throw new Malformed(fault)
    out[own] = fromJson(json[key], depth + 1)
  }
  return Object.freeze(out)
}

const fromSpecial = (kind: string, body: unknown): Value => {
  if (kind === '$date' && typeof body === 'number' && Math.abs(body) <= 8.64e15) return new Date(body)
  if (kind === '$bytes' && typeof body === 'string') return new Uint8Array(Buffer.from(body, 'base64'))
  if (kind === '$number' && body === '-0') return -0
  throw new Malformed('it has an unknown special')
}

/** Deeper than any limits.maxDepth that makes sense; keeps hostile bytes from exhausting the stack. */
const MAX_STORED_DEPTH = 256

const storedText = (scalar: Uint8Array): Value => {
  const json: unknown = JSON.parse(Buffer.from(scalar.buffer, scalar.byteOffset + 1, scalar.length - 1).toString())
  if (scalar[0] === TAG_ARRAY) return Array.isArray(json) ? fromJson(json, 0) : malformed('it is not an array')
  if (!isPlainObject(json)) return malformed('it is not an object')
  return fieldsFromJson(json, 0)
}

const malformed = (what: string): never => {
  throw new Malformed(what)
}

/** Why a scalar that came from a socket or a disk is none of ours, or undefined. */
export const scalarFault = (scalar: Scalar): string | undefined => {
  if (!(scalar instanceof Uint8Array)) return undefined
  const [tag] = scalar
  if (tag === TAG_BYTES) return undefined
  if (tag !== TAG_ARRAY && tag !== TAG_OBJECT) return 'a bytes value has an unknown tag'
  try {
    storedText(scalar)
    return undefined
  } catch (error) {
    return `a stored ${tag === TAG_ARRAY ? 'array' : 'object'} is malformed: ${(error as Error).message}`
  }
}

/** The value that a scalar holds, fresh where it is mutable. */
export const fromScalar = (scalar: Scalar): Value => {
  if (scalar instanceof Date) return new Date(scalar)
  if (!(scalar instanceof Uint8Array)) return scalar
  return scalar[0] === TAG_BYTES ? scalar.slice(1) : storedText(scalar)
}

/** Whether a scalar is an object that is one register. */
export const isAtomicObject = (scalar: Scalar): boolean => scalar instanceof Uint8Array && scalar[0] === TAG_OBJECT

/** Whether a value can be frozen through and through, so that one copy may serve every reader: no `Date`, no bytes. */
export const isShareable = (value: Value): boolean => {
  if (typeof value !== 'object' || value === null) return true
  if (isDate(value) || isBytes(value)) return false
  return Object.values(value).every(isShareable)
}

/** Whether two values are the same data: by content, -0 apart from 0. */
export const sameValue = (a: unknown, b: unknown): boolean => {
  if (Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (isDate(a)) return isDate(b) && a.getTime() === b.getTime()
  if (isBytes(a)) return isBytes(b) && Buffer.compare(a, b) === 0
  if (Array.isArray(a))
    return Array.isArray(b) && a.length === b.length && a.every((item, index) => sameValue(item, b[index]))
  if (!isPlainObject(a) || !isPlainObject(b)) return false
  const keys = Object.keys(a)
  return (
    keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && sameValue(a[key], b[key]))
  )
}

/**
 * A copy that may be changed. Anything that is no data is kept as it is, to be refused when it is written.
 * @param copied is given each object of the copy, and what it is a copy of
 */
export const thaw = <T>(value: T, copied?: Copied): T => {
  if (Array.isArray(value)) return value.map((item) => thaw(item)) as T
  if (isDate(value)) return new Date(value) as T
  if (isBytes(value)) return new Uint8Array(value) as T
  if (!isPlainObject(value)) return value
  const out: Record<string, unknown> = {}
  for (const key of Object.keys(value)) out[key] = thaw(value[key], copied)
  copied?.(out, value)
  return out as T
}

export type Copied = (copy: object, original: object) => void
