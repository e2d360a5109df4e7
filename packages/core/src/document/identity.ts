/** Which object somebody read: an edit belongs to the object on which it was made, not to another one that is in its place by now. */
import { hash } from 'node:crypto'
import type { LiveMap } from './live.js'
import { nameOf } from './live.js'
import type { OpId } from './op.js'
import type { Pointer } from './pointer.js'
import { childOf } from './pointer.js'
import { type Data, isPlainObject } from './value.js'

/** Whether a map is one of those that an object showed. */
export type Identity = (map: OpId) => boolean

/** Known for as long as the object lives. */
const maps = new WeakMap<object, readonly OpId[]>()

/** @param object of a view @param shown the maps that it shows, the highest first */
export const identify = (object: object, shown: readonly LiveMap[]): void =>
  void maps.set(
    object,
    shown.map(({ counter, actor }) => ({ counter, actor })),
  )

/** An object shows the maps that another one shows. */
export const identifyAs = (object: object, other: object): void => {
  const shown = maps.get(other)
  if (shown) maps.set(object, shown)
}

/** Undefined of a copy, of the whole data, and of an object that is one value. */
const identityOf = (object: object): Identity | undefined => {
  const shown = maps.get(object)
  return shown && ((map) => shown.some(({ counter, actor }) => counter === map.counter && actor === map.actor))
}

/** Hex digits of a token. Who makes two maps that collide mixes up its own. */
const TOKEN_DIGITS = 12
export const TOKEN_BYTES = TOKEN_DIGITS / 2
/** Of an object that has no identity. */
export const NO_TOKEN = '0'.repeat(TOKEN_DIGITS)

const tokenOf = (map: OpId): string => hash('sha256', nameOf(map), 'hex').slice(0, TOKEN_DIGITS)

/** The identity that a token stands for. */
const identityOfToken =
  (token: string): Identity =>
  (map) =>
    tokenOf(map) === token

/**
 * What stands for each object in data, so that who gets a copy of the data can say which object it read: for the highest of the maps that it shows.
 * In the order of {@link objectsIn}.
 */
export const tokensOf = (data: Data): string[] =>
  objectsIn(data).map((object) => {
    const top = maps.get(object)?.[0]
    return top ? tokenOf(top) : NO_TOKEN
  })

/** The objects in data, not those in arrays, each before what is in it. */
export const objectsIn = (data: object): object[] => {
  const found: object[] = []
  for (const value of Object.values(data)) if (isPlainObject(value)) found.push(value, ...objectsIn(value))
  return found
}

/** In the options of a call that a server makes for a client: which objects the client had read, where. Not for applications. */
export const READ_OBJECTS: unique symbol = Symbol('sojourn.read-objects')

export interface ReadObjects {
  readonly [READ_OBJECTS]?: ReadonlyMap<Pointer, string>
}

/** The objects that were read, by pointer, where a call says so. */
export const readObjectsOf = (options: object | undefined): ReadonlyMap<Pointer, string> | undefined =>
  (options as ReadObjects | undefined)?.[READ_OBJECTS]

/** @param base the object that was read at a pointer */
export const identityAt = (
  base: object,
  path: Pointer,
  read: ReadonlyMap<Pointer, string> | undefined,
): Identity | undefined => {
  const token = read?.get(path)
  return token === undefined || token === NO_TOKEN ? identityOf(base) : identityOfToken(token)
}

/** The tokens of the objects of `base` that a caller knows and that are there in `part`, by pointer. */
export const tokensIn = (
  base: object,
  part: object,
  tokenFor: (object: object) => string | undefined,
  path: Pointer = '',
): (readonly [Pointer, string])[] =>
  Object.entries(base).flatMap(([key, value]) => {
    const inner = Object.hasOwn(part, key) ? (part as Record<string, unknown>)[key] : undefined
    if (!isPlainObject(value) || !isPlainObject(inner)) return []
    const at = childOf(path, key)
    const token = tokenFor(value)
    return [...(token === undefined ? [] : [[at, token] as const]), ...tokensIn(value, inner, tokenFor, at)]
  })
