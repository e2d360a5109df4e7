import type { SessionKey } from '@sojourn/core'

/** Who is to be told when a session changes. */
export interface Watcher {
  changed(key: SessionKey): void
}

/** Stands for one watching: a read that finds another one in its place was overtaken by a change. */
export type WatchToken = object

/** Which clients keep what they read of which sessions. Each may watch so many; the longest watched gives way, and its client is told. */
export class Watches {
  readonly #maxPerWatcher: number
  readonly #byKey = new Map<SessionKey, Map<Watcher, WatchToken>>()
  readonly #byWatcher = new Map<Watcher, Set<SessionKey>>()
  #count = 0

  constructor(maxPerWatcher: number) {
    this.#maxPerWatcher = maxPerWatcher
  }

  get count(): number {
    return this.#count
  }

  /** From now on the watcher is told, once, of the next change. To be called before the session is read. */
  watch(key: SessionKey, watcher: Watcher): WatchToken {
    const watchers = this.#byKey.get(key) ?? new Map<Watcher, WatchToken>()
    this.#byKey.set(key, watchers)
    const standing = watchers.get(watcher)
    if (standing) return standing
    const token = {}
    watchers.set(watcher, token)
    this.#count++
    const keys = this.#byWatcher.get(watcher) ?? new Set()
    this.#byWatcher.set(watcher, keys.add(key))
    if (keys.size > this.#maxPerWatcher) {
      const [oldest] = keys
      this.#drop(oldest!, watcher)
      watcher.changed(oldest!)
    }
    return token
  }

  /** Whether nothing has changed since the watching began for which the token stands. */
  isStanding(key: SessionKey, watcher: Watcher, token: WatchToken): boolean {
    return this.#byKey.get(key)?.get(watcher) === token
  }

  changed(keys: readonly SessionKey[]): void {
    if (this.#byKey.size === 0) return
    for (const key of keys) {
      const watchers = this.#byKey.get(key)
      if (watchers === undefined) continue
      for (const watcher of [...watchers.keys()]) {
        this.#drop(key, watcher)
        watcher.changed(key)
      }
    }
  }

  forget(watcher: Watcher): void {
    for (const key of [...(this.#byWatcher.get(watcher) ?? [])]) this.#drop(key, watcher)
    this.#byWatcher.delete(watcher)
  }

  #drop(key: SessionKey, watcher: Watcher): void {
    const watchers = this.#byKey.get(key)
    if (!watchers?.delete(watcher)) return
    this.#count--
    if (watchers.size === 0) this.#byKey.delete(key)
    this.#byWatcher.get(watcher)?.delete(key)
  }
}
