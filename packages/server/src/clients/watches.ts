/** Which clients are notified of the next change of which sessions. */
import type { SessionKey } from '@sojourn/core/internal'

/** Who is to be notified when a session changes. */
export interface Watcher {
  changed(key: SessionKey): void
  /** Takes the bytes that one watching weighs; false where there is no room for it. */
  takeWatch(): boolean
  giveWatch(): void
}

/** One watching. A read that finds another one in its place was overtaken by a change. */
export interface Watch {
  readonly watcher: Watcher
  /** Another watcher of the same session. */
  next: Watch | undefined
}

/** Which clients keep what they read of which sessions. Each may watch so many; the longest watched gives way, and its client is notified. */
export class Watches {
  readonly #maxPerWatcher: number
  readonly #byKey = new Map<SessionKey, Watch>()
  readonly #byWatcher = new Map<Watcher, Set<SessionKey>>()
  #count = 0

  constructor(maxPerWatcher: number) {
    this.#maxPerWatcher = maxPerWatcher
  }

  get count(): number {
    return this.#count
  }

  /**
   * From now on the watcher is notified, once, of the next change. To be called before the session is read.
   * @returns undefined where there is no room: the session is read, and not watched
   */
  watch(key: SessionKey, watcher: Watcher): { readonly watch: Watch; readonly isNew: boolean } | undefined {
    const standing = this.#find(key, watcher)
    if (standing) return { watch: standing, isNew: false }
    const keys = this.#byWatcher.get(watcher) ?? new Set()
    if (keys.size >= this.#maxPerWatcher) {
      const [oldest] = keys
      this.#drop(oldest!, watcher)
      watcher.changed(oldest!)
    }
    if (!watcher.takeWatch()) return undefined
    const watch: Watch = { watcher, next: this.#byKey.get(key) }
    this.#byKey.set(key, watch)
    this.#byWatcher.set(watcher, keys.add(key))
    this.#count++
    return { watch, isNew: true }
  }

  #find(key: SessionKey, watcher: Watcher): Watch | undefined {
    let watch = this.#byKey.get(key)
    while (watch !== undefined && watch.watcher !== watcher) watch = watch.next
    return watch
  }

  /** Whether nothing has changed since this watching began. */
  isStanding(key: SessionKey, watch: Watch): boolean {
    return this.#find(key, watch.watcher) === watch
  }

  /** There is nothing to watch: the session does not exist. */
  unwatch(key: SessionKey, watch: Watch): void {
    if (this.isStanding(key, watch)) this.#drop(key, watch.watcher)
  }

  changed(keys: readonly SessionKey[]): void {
    if (this.#byKey.size === 0) return
    for (const key of keys) {
      let watch = this.#byKey.get(key)
      if (watch === undefined) continue
      this.#byKey.delete(key)
      for (; watch !== undefined; watch = watch.next) {
        this.#forgotten(key, watch.watcher)
        watch.watcher.changed(key)
      }
    }
  }

  forget(watcher: Watcher): void {
    for (const key of [...(this.#byWatcher.get(watcher) ?? [])]) this.#drop(key, watcher)
    this.#byWatcher.delete(watcher)
  }

  #drop(key: SessionKey, watcher: Watcher): void {
    let before: Watch | undefined
    let watch = this.#byKey.get(key)
    while (watch !== undefined && watch.watcher !== watcher) {
      before = watch
      watch = watch.next
    }
    if (watch === undefined) return
    if (before) before.next = watch.next
    else if (watch.next) this.#byKey.set(key, watch.next)
    else this.#byKey.delete(key)
    this.#forgotten(key, watcher)
  }

  #forgotten(key: SessionKey, watcher: Watcher): void {
    this.#count--
    watcher.giveWatch()
    this.#byWatcher.get(watcher)?.delete(key)
  }
}
