/** Stands between a server's connections and its replica, and writes down what clients had done there. */
import type {
  CreateOptions,
  Data,
  ElevateOptions,
  EndHandleOptions,
  EndOptions,
  EndReceipt,
  EndSubjectOptions,
  Lifetimes,
  ReadOptions,
  ReplaceOptions,
  RotateOptions,
  Session,
  SessionApi,
  SessionKey,
  StoredSession,
  SubjectSession,
  TouchOptions,
  Update,
  UpdateOptions,
} from '@sojourn/core/internal'
import { isSojournError } from '@sojourn/core/internal'
import type { Service } from './history.js'
import { shownOf } from './shown.js'

export interface WitnessOptions {
  readonly sessions: SessionApi
  readonly region: string
  readonly incarnation: number
  readonly now: () => number
  readonly isAlive: () => boolean
  readonly seen: (service: Service) => void
}

export class Witness implements SessionApi {
  readonly #options: WitnessOptions

  constructor(options: WitnessOptions) {
    this.#options = options
  }

  async #note<T>(kind: string, id: string | undefined, n: number | undefined, call: () => Promise<T>): Promise<T> {
    const { region, incarnation, now, isAlive, seen } = this.#options
    const service: Service = {
      region,
      incarnation,
      kind,
      id,
      n,
      from: now(),
      until: undefined,
      outcome: 'pending',
      shown: undefined,
    }
    seen(service)
    try {
      const result = await call()
      if (!isAlive()) return result
      service.until = now()
      service.outcome = result === undefined || result === false ? 'absent' : 'ok'
      if (isSession(result)) {
        service.shown = shownOf(result)
        service.id ??= result.id
      }
      return result
    } catch (error) {
      service.until = now()
      service.outcome = 'failed'
      // It was written, and others have yet to say so.
      if (isSojournError(error, 'QUORUM_UNMET')) {
        if (error.mayHaveApplied) service.outcome = 'ok'
        const session = error.session as Session<object> | undefined
        if (session) {
          service.shown = shownOf(session)
          service.id ??= session.id
        }
      }
      throw error
    }
  }

  lifetimes(): Lifetimes {
    return this.#options.sessions.lifetimes()
  }

  create<T extends object = Data>(data: T, options?: CreateOptions): Promise<Session<T>> {
    return this.#note('create', options?.id, numberIn(data), () => this.#options.sessions.create(data, options))
  }

  get<T extends object>(id: string, options?: ReadOptions): Promise<Session<T> | undefined> {
    return this.#note('get', id, undefined, () => this.#options.sessions.get<T>(id, options))
  }

  update<T extends object>(id: string, update: Update<T>, options?: UpdateOptions): Promise<Session<T>> {
    return this.#note('update', id, undefined, () => this.#options.sessions.update(id, update, options))
  }

  replace<T extends object>(id: string, next: T, options?: ReplaceOptions): Promise<Session<T>> {
    return this.#note('replace', id, numberIn(next), () => this.#options.sessions.replace(id, next, options))
  }

  increment<T extends object>(id: string, path: string, by?: number, options?: UpdateOptions): Promise<Session<T>> {
    return this.#note('increment', id, by, () => this.#options.sessions.increment<T>(id, path, by, options))
  }

  touch<T extends object>(id: string, options?: TouchOptions): Promise<Session<T> | undefined> {
    return this.#note('touch', id, undefined, () => this.#options.sessions.touch<T>(id, options))
  }

  end(id: string, options?: EndOptions): Promise<boolean> {
    return this.#note('end', id, undefined, () => this.#options.sessions.end(id, options))
  }

  elevate<T extends object>(id: string, options: ElevateOptions): Promise<Session<T>> {
    return this.#note('elevate', id, undefined, () => this.#options.sessions.elevate<T>(id, options))
  }

  rotate<T extends object>(id: string, options?: RotateOptions): Promise<Session<T>> {
    return this.#note('rotate', id, undefined, () => this.#options.sessions.rotate<T>(id, options))
  }

  sessionsOf(subject: string): AsyncIterable<SubjectSession> {
    return this.#options.sessions.sessionsOf(subject)
  }

  isLive(handle: SessionKey): Promise<boolean> {
    return this.#note('isLive', undefined, undefined, () => this.#options.sessions.isLive(handle))
  }

  endHandle(handle: SessionKey, options?: EndHandleOptions): Promise<EndReceipt> {
    return this.#note('endHandle', undefined, undefined, () => this.#options.sessions.endHandle(handle, options))
  }

  endOthers(id: string, options?: EndHandleOptions): Promise<EndReceipt> {
    return this.#note('endOthers', id, undefined, () => this.#options.sessions.endOthers(id, options))
  }

  endSubject(subject: string, options?: EndSubjectOptions): Promise<EndReceipt> {
    return this.#note('endSubject', undefined, undefined, () => this.#options.sessions.endSubject(subject, options))
  }

  sessions(): AsyncIterable<StoredSession> {
    return this.#options.sessions.sessions()
  }

  count(): Promise<number> {
    return this.#options.sessions.count()
  }

  endAll(options?: EndOptions): Promise<number> {
    return this.#options.sessions.endAll(options)
  }
}

const isSession = (value: unknown): value is Session<object> =>
  typeof value === 'object' && value !== null && 'expiresAt' in value

/** Which step wrote this: users of worlds write each value once, and it says which step's it is. */
const numberIn = (data: object): number | undefined => {
  const { f0, f1, f2, cart } = data as { readonly [name: string]: unknown }
  const values = [f0, f1, f2, ...Object.keys((cart as object | undefined) ?? {})]
  for (const value of values) {
    const [, n] = (typeof value === 'string' && /^[vi](\d+)$/.exec(value)) || []
    if (n !== undefined) return Number(n)
  }
  return undefined
}
