import type { Data, Session } from '@sojourn/core'
import { isPlainObject, LazySession } from '@sojourn/core'
import { decodeData } from '@sojourn/wire'

/** A session's data as a server told it: decoded when it is read, which many callers of a write never do. */
export class Told {
  readonly text: string
  readonly createdAt: number
  readonly expiresAt: number
  #data: Data | undefined

  constructor({ data, createdAt, expiresAt }: { data: string; createdAt: number; expiresAt: number }) {
    this.text = data
    this.createdAt = createdAt
    this.expiresAt = expiresAt
  }

  /** Deep-frozen. What holds a Date or bytes, which cannot be frozen, is made anew each time. */
  get data(): Data {
    if (this.#data) return this.#data
    const data = freeze(decodeData(this.text))
    if (this.text.startsWith('{')) this.#data = data
    return data
  }

  session<T extends object>(id: string): Session<T> {
    return new LazySession<T>(id, () => this.data, this.createdAt, this.expiresAt)
  }
}

const freeze = <V>(value: V): V => {
  if (typeof value !== 'object' || value === null) return value
  if (!Array.isArray(value) && !isPlainObject(value)) return value
  for (const key in value) {
    const part: unknown = (value as Record<string, unknown>)[key]
    if (typeof part === 'object') freeze(part)
  }
  return Object.freeze(value)
}
