/** Changes the data of a session, and renews its lease with it. */
import type {
  ActorId,
  Data,
  DataOptions,
  DiffOptions,
  Edit,
  Session,
  Soon,
  UpdateOptions,
} from '@sojourn/core/internal'
import { changeSession, optionalDuration, resolveId } from '@sojourn/core/internal'
import type { Commits } from './commits.js'
import type { Runtime } from './runtime.js'

/** Makes of a session's data the edits that are to be written. */
export type Edits = (data: Data) => readonly Edit[]

/** What every call that changes data has in common. */
export class Changes {
  readonly #runtime: Runtime
  readonly #commits: Commits

  constructor(runtime: Runtime, commits: Commits) {
    this.#runtime = runtime
    this.#commits = commits
  }

  /** What bounds an edit, and which objects of it are written as one. */
  dataOptions({ atomic }: DataOptions): DiffOptions {
    const { limits, atomic: always } = this.#runtime.settings
    const { maxDepth, maxKeyBytes } = limits
    return { maxDepth, maxKeyBytes, atomic: atomic ? new Set([...always, ...atomic]) : always }
  }

  /** The common path of everything that changes data: read, edit, commit. */
  change<T extends object>(id: string, options: UpdateOptions, edit: Edits): Soon<Session<T>> {
    const { store, actors, settings } = this.#runtime
    const resolved = resolveId(id)
    const { key } = resolved
    const touch = options.touch !== false
    const idleTimeoutMs = optionalDuration(options.idleTimeout, 'idleTimeout')
    const renewal = { idleTimeoutMs, granularityMs: settings.touchGranularityMs }
    const writer = { stamps: store.actor, actorFor: (seen: Iterable<ActorId>) => actors.for(key, seen) }
    return this.#commits.change(
      resolved,
      options,
      (record, now, entry) =>
        changeSession(record, now, { key, edit, view: () => store.viewOf(entry!)!.data, touch, renewal, writer }),
      (made) => this.#commits.session<T>(id, key, made.entry!),
    )
  }
}
