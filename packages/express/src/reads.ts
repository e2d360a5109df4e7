/** Remembers what each holder of a session had read, also where a framework hands on a copy of what the store gave. */
import type { Data } from '@sojourn/core/internal'

/** Of objects of data, which of a request's objects each stands for; undefined where there are none. */
export type Sources = ReadonlyMap<object, object> | undefined

/** What one request knows of one session. */
export interface Read {
  /** Of which store: a session may be saved in more than one. */
  readonly owner: Reads
  readonly sid: string
  /** What the request had read, or has written since; undefined where it begins the session. */
  base: Data | undefined
  /** Of the objects in the base, which of the request's objects each stands for: a new one was assigned, not changed. */
  sources: Sources
  /** Milliseconds since the epoch; undefined where the session has not begun. */
  createdAt: number | undefined
  /** The last save: the next one waits for it, because its base is what that one wrote. */
  saving: Promise<void> | undefined
}

/**
 * Stands on the cookie that the store gives. @fastify/session copies a session key by key, and symbols are left behind; but it spreads the cookie
 * into the options that it keeps with its session, which takes symbols along. An empty object, so that nothing is shown where a session is printed.
 */
const MARK = Symbol('sojourn.read')

type Marked = { [MARK]?: object }

/** What is constructed of it is the object that it is given, so that a class below adds private fields to that. */
class Given {
  constructor(object: object) {
    // biome-ignore lint/correctness/noConstructorReturn: that is what it is for.
    return object
  }
}

/**
 * Holds an object's read in a private field of it, which nobody else sees, prints or copies. A WeakMap would do the same; but each of its entries
 * costs the collector, and there are three for each request.
 */
class Holder extends Given {
  #read: Read

  private constructor(object: object, read: Read) {
    super(object)
    this.#read = read
  }

  static readOf(object: object): Read | undefined {
    return #read in object ? object.#read : undefined
  }

  static give(object: object, read: Read): void {
    if (#read in object) object.#read = read
    else new Holder(object, read)
  }
}

/**
 * Finds the read of a save: by the object that is saved, by the mark on its cookie, or by the context of the request, which koa-session names at each call
 * (its sessions are plain copies). Whatever is found counts for its own id only: a regenerated session carries the marks of the one before.
 */
export class Reads {
  /** Of objects that hold another store's read, or take no field any more. */
  readonly #byHolder = new WeakMap<object, Read>()
  readonly #byContext = new WeakMap<object, Map<string, Read>>()

  /** @param data what the store gives, not yet seen by anybody */
  given(data: object, found: Omit<Read, 'owner'>, context: object | undefined): void {
    const read: Read = { owner: this, ...found }
    this.#hold(data, read, context)
    const { cookie } = data as { cookie?: unknown }
    if (typeof cookie !== 'object' || cookie === null) return
    const mark = {}
    ;(cookie as Marked)[MARK] = mark
    this.#give(mark, read)
  }

  /** What a request that saves had read; a new one where it had not read the session. */
  of(sid: string, data: object, context: object | undefined): Read {
    const known = this.find(sid, data, context)
    if (known) return known
    const begun: Read = {
      owner: this,
      sid,
      base: undefined,
      sources: undefined,
      createdAt: undefined,
      saving: undefined,
    }
    this.#hold(data, begun, context)
    return begun
  }

  find(sid: string, data: object, context: object | undefined): Read | undefined {
    const held = this.#readOf(data)
    if (held?.sid === sid) return held
    const named = context && this.#byContext.get(context)?.get(sid)
    return named ?? this.#marked(data).find((read) => read?.sid === sid)
  }

  #marked(data: object): (Read | undefined)[] {
    const { cookie } = data as { cookie?: unknown }
    const kept = Object.getOwnPropertySymbols(data).map((symbol) => (data as Record<symbol, unknown>)[symbol])
    return [cookie, ...kept].map((value) => {
      const mark = typeof value === 'object' && value !== null ? (value as Marked)[MARK] : undefined
      return mark && this.#readOf(mark)
    })
  }

  /** Middleware made a session of what the store gave, and left some of its keys out: they are not to be deleted by that. */
  taken(from: object, made: object): void {
    const read = this.#readOf(from)
    if (read) this.#give(made, { ...read, base: read.base && partOf(read.base, made) })
  }

  #give(object: object, read: Read): void {
    const held = Holder.readOf(object)
    if (held ? held.owner === this : Object.isExtensible(object)) Holder.give(object, read)
    else this.#byHolder.set(object, read)
  }

  #readOf(object: object): Read | undefined {
    const held = Holder.readOf(object)
    return held?.owner === this ? held : this.#byHolder.get(object)
  }

  #hold(data: object, read: Read, context: object | undefined): void {
    this.#give(data, read)
    if (context === undefined) return
    const reads = this.#byContext.get(context) ?? new Map<string, Read>()
    this.#byContext.set(context, reads.set(read.sid, read))
  }
}

/** What of a base is in what was made of it: the base itself, where that is all of it. */
const partOf = (base: Data, made: object): Data =>
  Object.keys(base).every((key) => Object.hasOwn(made, key))
    ? base
    : Object.fromEntries(Object.entries(base).filter(([key]) => Object.hasOwn(made, key)))
