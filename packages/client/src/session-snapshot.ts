/** A session as a server sent it, decoded when its data is read. */
import type { Authenticated, Data, Session, SessionSource, ShownIdentity } from '@sojourn/core/internal'
import { isPlainObject, LazySession, NO_TOKEN, objectsIn } from '@sojourn/core/internal'
import { decodeData, type Who } from '@sojourn/wire'

interface AnsweredSession {
  readonly data: Uint8Array
  /** Which objects are in it. */
  readonly objects: readonly string[]
  readonly createdAt: number
  readonly expiresAt: number
  /** Undefined: the server does not know of it. */
  readonly who?: Who
}

const tokens = new WeakMap<object, string>()

/** Which object of a session an object in its data is a copy of, where a server said so. */
export const tokenFor = (object: object): string | undefined => tokens.get(object)

/** An authentication as a session shows it: what is not known of it is not there. */
export const authOf = ({ time, acr, amr }: NonNullable<Who['auth']>): Authenticated => ({
  time,
  ...(acr !== undefined && { acr }),
  ...(amr.length > 0 && { amr }),
})

/** A session's data as a server sent it, for the id that was asked for: decoded when it is read, which many callers of a write never do. */
export class SessionSnapshot {
  /** A copy, since what it came in is a frame of many. */
  readonly bytes: Uint8Array
  readonly createdAt: number
  readonly expiresAt: number
  readonly #objects: readonly string[]
  readonly #who: Who | undefined
  #data: Data | undefined

  constructor({ data, objects, createdAt, expiresAt, who }: AnsweredSession) {
    this.bytes = new Uint8Array(data)
    this.#objects = objects
    this.createdAt = createdAt
    this.expiresAt = expiresAt
    this.#who = who
  }

  /** Milliseconds since the epoch: from then on the id shows nothing, unless its server says otherwise. */
  get showsUntil(): number {
    return Math.min(this.expiresAt, this.#who?.opensUntil ?? Number.POSITIVE_INFINITY)
  }

  /** Where its last commit is. */
  get written(): string | undefined {
    return this.#who?.written
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
    return new LazySession<T>(new SnapshotSession(id, this, this.#who))
  }
}

/** What a session shows of a snapshot. */
class SnapshotSession implements SessionSource {
  readonly id: string
  /** Few ask for it. */
  readonly handle = undefined
  readonly #snapshot: SessionSnapshot
  readonly #who: Who | undefined

  constructor(id: string, snapshot: SessionSnapshot, who: Who | undefined) {
    this.id = id
    this.#snapshot = snapshot
    this.#who = who
  }

  get createdAt(): number {
    return this.#snapshot.createdAt
  }

  get expiresAt(): number {
    return this.#snapshot.expiresAt
  }

  /** Of an older server it is only known that it was no earlier than the creation. */
  get lastUsedAt(): number {
    return this.#who?.lastUsedAt ?? this.#snapshot.createdAt
  }

  get isNamed(): boolean {
    const { subject, device, auth } = this.#who ?? {}
    return subject !== undefined || device !== undefined || auth !== undefined
  }

  data(): Data {
    return this.#snapshot.data
  }

  identity(): ShownIdentity {
    const { subject, device, auth } = this.#who!
    return { subject, device, auth: auth && authOf(auth) }
  }

  written(): string | undefined {
    return this.#snapshot.written
  }

  opensUntil(): number | undefined {
    return this.#who?.opensUntil
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
