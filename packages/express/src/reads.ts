/** Remembers what each holder of a session had read, also where a framework hands on a copy of what the store gave. */
import type { Data } from '@sojourn/core/internal'

/** What one request knows of one session. */
export interface Read {
  readonly sid: string
  /** What the request had read, or has written since; undefined where it begins the session. */
  base: Data | undefined
  /** Of objects of bases, and of what is saved, which of the request's objects each stands for: a new one was assigned, not changed. */
  readonly sources: WeakMap<object, object>
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

/**
 * Finds the read of a save: by the object that is saved, by the mark on its cookie, or by the context of the request, which koa-session names at each call
 * (its sessions are plain copies). Whatever is found counts for its own id only: a regenerated session carries the marks of the one before.
 */
export class Reads {
  readonly #byHolder = new WeakMap<object, Read>()
  readonly #byContext = new WeakMap<object, Map<string, Read>>()

  /** @param data what the store gives, not yet seen by anybody */
  given(data: object, read: Read, context: object | undefined): void {
    this.#hold(data, read, context)
    const { cookie } = data as { cookie?: unknown }
    if (typeof cookie !== 'object' || cookie === null) return
    const mark = {}
    ;(cookie as Marked)[MARK] = mark
    this.#byHolder.set(mark, read)
  }

  /** What a request that saves had read; a new one where it had not read the session. */
  of(sid: string, data: object, context: object | undefined): Read {
    const known = this.find(sid, data, context)
    if (known) return known
    const begun: Read = { sid, base: undefined, sources: new WeakMap(), createdAt: undefined, saving: undefined }
    this.#hold(data, begun, context)
    return begun
  }

  find(sid: string, data: object, context: object | undefined): Read | undefined {
    const held = this.#byHolder.get(data)
    if (held?.sid === sid) return held
    const named = context && this.#byContext.get(context)?.get(sid)
    return named ?? this.#marked(data).find((read) => read?.sid === sid)
  }

  #marked(data: object): (Read | undefined)[] {
    const { cookie } = data as { cookie?: unknown }
    const kept = Object.getOwnPropertySymbols(data).map((symbol) => (data as Record<symbol, unknown>)[symbol])
    return [cookie, ...kept].map((value) => {
      const mark = typeof value === 'object' && value !== null ? (value as Marked)[MARK] : undefined
      return mark && this.#byHolder.get(mark)
    })
  }

  /** Middleware made a session of what the store gave, and left some of its keys out: they are not to be deleted by that. */
  taken(from: object, made: object): void {
    const read = this.#byHolder.get(from)
    if (!read) return
    const base = read.base && Object.fromEntries(Object.entries(read.base).filter(([key]) => Object.hasOwn(made, key)))
    this.#byHolder.set(made, { ...read, base })
  }

  #hold(data: object, read: Read, context: object | undefined): void {
    this.#byHolder.set(data, read)
    if (context === undefined) return
    const reads = this.#byContext.get(context) ?? new Map<string, Read>()
    this.#byContext.set(context, reads.set(read.sid, read))
  }
}
