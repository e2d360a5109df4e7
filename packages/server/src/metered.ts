/** The session API, with every call timed. */
import type {
  Clock,
  CreateOptions,
  Data,
  ElevateOptions,
  EndHandleOptions,
  EndOptions,
  EndReceipt,
  EndSubjectOptions,
  Level,
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

type Operation = Exclude<keyof SessionApi, 'answersWithinMs' | 'lifetimes' | 'sessions' | 'sessionsOf' | 'count'>

/** What is read at the level of reads. */
const READS: readonly Operation[] = ['get', 'isLive']

export interface CallSeen {
  readonly operation: Operation
  readonly level: Level
  /** `ok`; `absent`: there is no such session; else the code of the error, or `BUG`. */
  readonly outcome: string
  readonly seconds: number
}

export interface MeteredOptions {
  readonly sessions: SessionApi
  readonly clock: Clock
  /** The levels of calls that say none. */
  readonly read: Level
  readonly write: Level
  readonly seen: (call: CallSeen) => void
}

/** The session API, with every call timed. */
export class MeteredSessions implements SessionApi {
  readonly #options: MeteredOptions

  constructor(options: MeteredOptions) {
    this.#options = options
  }

  lifetimes(): Lifetimes {
    return this.#options.sessions.lifetimes()
  }

  async #run<T>(operation: Operation, level: Level | undefined, call: () => Promise<T>): Promise<T> {
    const { clock, seen, read, write } = this.#options
    const start = clock.monotonic()
    let outcome = 'ok'
    try {
      const result = await call()
      if (result === undefined || result === false) outcome = 'absent'
      return result
    } catch (error) {
      outcome = isSojournError(error) ? error.code : 'BUG'
      throw error
    } finally {
      const seconds = (clock.monotonic() - start) / 1_000
      seen({ operation, level: level ?? (READS.includes(operation) ? read : write), outcome, seconds })
    }
  }

  create<T extends object = Data>(data: T, options?: CreateOptions): Promise<Session<T>> {
    return this.#run('create', options?.write, () => this.#options.sessions.create(data, options))
  }

  get<T extends object>(id: string, options?: ReadOptions): Promise<Session<T> | undefined> {
    return this.#run('get', options?.read, () => this.#options.sessions.get<T>(id, options))
  }

  update<T extends object>(id: string, update: Update<T>, options?: UpdateOptions): Promise<Session<T>> {
    return this.#run('update', options?.write, () => this.#options.sessions.update(id, update, options))
  }

  replace<T extends object>(id: string, next: T, options?: ReplaceOptions): Promise<Session<T>> {
    return this.#run('replace', options?.write, () => this.#options.sessions.replace(id, next, options))
  }

  increment<T extends object>(id: string, path: string, by?: number, options?: UpdateOptions): Promise<Session<T>> {
    return this.#run('increment', options?.write, () => this.#options.sessions.increment<T>(id, path, by, options))
  }

  touch<T extends object>(id: string, options?: TouchOptions): Promise<Session<T> | undefined> {
    return this.#run('touch', options?.write, () => this.#options.sessions.touch<T>(id, options))
  }

  end(id: string, options?: EndOptions): Promise<boolean> {
    return this.#run('end', options?.write, () => this.#options.sessions.end(id, options))
  }

  elevate<T extends object>(id: string, options: ElevateOptions): Promise<Session<T>> {
    return this.#run('elevate', options.write, () => this.#options.sessions.elevate<T>(id, options))
  }

  rotate<T extends object>(id: string, options?: RotateOptions): Promise<Session<T>> {
    return this.#run('rotate', options?.write, () => this.#options.sessions.rotate<T>(id, options))
  }

  sessionsOf(subject: string): AsyncIterable<SubjectSession> {
    return this.#options.sessions.sessionsOf(subject)
  }

  isLive(handle: SessionKey): Promise<boolean> {
    return this.#run('isLive', 'local', () => this.#options.sessions.isLive(handle))
  }

  endHandle(handle: SessionKey, options?: EndHandleOptions): Promise<EndReceipt> {
    return this.#run('endHandle', options?.write, () => this.#options.sessions.endHandle(handle, options))
  }

  endOthers(id: string, options?: EndHandleOptions): Promise<EndReceipt> {
    return this.#run('endOthers', options?.write, () => this.#options.sessions.endOthers(id, options))
  }

  endSubject(subject: string, options?: EndSubjectOptions): Promise<EndReceipt> {
    return this.#run('endSubject', options?.write, () => this.#options.sessions.endSubject(subject, options))
  }

  sessions(): AsyncIterable<StoredSession> {
    return this.#options.sessions.sessions()
  }

  count(): Promise<number> {
    return this.#options.sessions.count()
  }

  endAll(options?: EndOptions): Promise<number> {
    return this.#run('endAll', options?.write, () => this.#options.sessions.endAll(options))
  }
}
