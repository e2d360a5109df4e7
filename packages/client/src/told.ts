import type { Data, Session } from '@sojourn/core'
import { isPlainObject, LazySession } from '@sojourn/core'
import { decodeData } from '@sojourn/wire'

/** A session's data as a server told it: decoded when it is read, which many callers of a write never do. */
export class Told {
  /** A copy, since what it came in is a frame of many. */
  readonly bytes: Uint8Array
  readonly createdAt: number
  readonly expiresAt: number
  #data: Data | undefined

  constructor({ data, createdAt, expiresAt }: { data: Uint8Array; createdAt: number; expiresAt: number }) {
    this.bytes = new Uint8Array(data)
    this.createdAt = createdAt
    this.expiresAt = expiresAt
  }

  /** Deep-frozen. What holds a Date or bytes, which cannot be frozen, is made anew each time. */
  get data(): Data {
    if (this.#data) return this.#data
    const data = decodeData(this.bytes)
    if (freeze(data)) this.#data = data
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
