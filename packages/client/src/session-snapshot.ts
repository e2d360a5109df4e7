/** A session as a server sent it, decoded when its data is read. */
import type { Data, Session } from '@sojourn/core/internal'
import { isPlainObject, LazySession, NO_TOKEN, objectsIn } from '@sojourn/core/internal'
import { decodeData } from '@sojourn/wire'

interface AnsweredSession {
  readonly data: Uint8Array
  /** Which objects are in it. */
  readonly objects: readonly string[]
  readonly createdAt: number
  readonly expiresAt: number
}

const tokens = new WeakMap<object, string>()

/** Which object of a session an object in its data is a copy of, where a server said so. */
export const tokenFor = (object: object): string | undefined => tokens.get(object)

/** A session's data as a server sent it: decoded when it is read, which many callers of a write never do. */
export class SessionSnapshot {
  /** A copy, since what it came in is a frame of many. */
  readonly bytes: Uint8Array
  readonly createdAt: number
  readonly expiresAt: number
  readonly #objects: readonly string[]
  #data: Data | undefined

  constructor({ data, objects, createdAt, expiresAt }: AnsweredSession) {
    this.bytes = new Uint8Array(data)
    this.#objects = objects
    this.createdAt = createdAt
    this.expiresAt = expiresAt
  }

  /** Deep-frozen. What holds a Date or bytes, which cannot be frozen, is made anew each time. */
  get data(): Data {
    if (this.#data) return this.#data
    const data = decodeData(this.bytes)
    if (freeze(data)) this.#data = data
    if (this.#objects.length > 0)
      for (const [index, object] of objectsIn(data).entries()) tokens.set(object, this.#objects[index] ?? NO_TOKEN)
    return data
  }

  session<T extends object>(id: string): Session<T> {
    return new LazySession<T>(id, () => this.data, this.createdAt, this.expiresAt)
  }
}

/** @returns whether all of it can be frozen, and is */
const freeze = (value: unknown): boolean => {
  if (typeof value !== 'object' || value === null) return true
  if (!Array.isArray(value) && !isPlainObject(value)) return false
  let isWhole = true
  for (const key in value) {
    const part: unknown = (value as Record<string, unknown>)[key]
    if (typeof part === 'object' && !freeze(part)) isWhole = false
  }
  Object.freeze(value)
  return isWhole
}
