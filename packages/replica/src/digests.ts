import { createHash } from 'node:crypto'
import type { Clock, SessionKey, Timer } from '@sojourn/core'
import { dueAt, isSojournError, recordVersion } from '@sojourn/core'
import type { RecordStore } from '@sojourn/store'
import type { Digest, Versions } from '@sojourn/wire'
import type { Link } from './link.js'

/** Keys are compared in slices, by their first byte. */
export const SLICES = 256
const VERSIONS_A_MESSAGE = 8_192
const FIRST_KEY = '00'.repeat(16)
const LAST_KEY = 'ff'.repeat(16)

export interface DigestsOptions {
  readonly store: RecordStore
  readonly clock: Clock
  readonly intervalMs: number
  readonly links: () => Iterable<Link>
  /** Sends our records of these keys to a peer, and asks for its own. */
  readonly repair: (link: Link, keys: readonly SessionKey[]) => Promise<void>
  readonly rotten: (key: SessionKey) => void
  readonly failed: (error: unknown) => void
}

type KeyVersion = Versions['versions'][number]

/**
 * The last resort: whatever made two regions differ, comparing a slice of the keys with each peer now and then finds it. On
 * the way every record is read, so that rot is found before it is needed.
 */
export class Digests {
  readonly #options: DigestsOptions
  #slice = 0
  #timer: Timer | undefined
  #closed = false

  constructor(options: DigestsOptions) {
    this.#options = options
  }

  start(): void {
    if (this.#closed) return
    this.#timer = this.#options.clock.after(this.#options.intervalMs, () => {
      this.compare(this.#slice)
        .catch((error: unknown) => this.#options.failed(error))
        .then(() => this.start())
      this.#slice = (this.#slice + 1) % SLICES
    })
  }

  /** Compares one slice, or all of them, with every peer in step. */
  async compareAll(): Promise<void> {
    for (let slice = 0; slice < SLICES && !this.#closed; slice++) await this.compare(slice)
  }

  async compare(slice: number): Promise<void> {
    const live = [...this.#options.links()].filter((link) => link.isLive)
    const asOf = this.#options.clock.now()
    // Walked also without peers: it finds rot.
    const digest = this.#digest(await this.versions(slice, asOf))
    for (const link of live) link.send({ type: 'digest', slice, asOf, digest })
  }

  /** A peer sent its digest: answers with our versions where ours is another. */
  async received(link: Link, { slice, asOf, digest }: Digest): Promise<void> {
    const ours = await this.versions(slice, asOf)
    if (!link.isLive || this.#digest(ours) === digest) return
    let after = FIRST_KEY
    for (let start = 0; start === 0 || start < ours.length; start += VERSIONS_A_MESSAGE) {
      const versions = ours.slice(start, start + VERSIONS_A_MESSAGE)
      const upTo = start + VERSIONS_A_MESSAGE >= ours.length ? LAST_KEY : versions[versions.length - 1]!.key
      link.send({ type: 'versions', slice, asOf, after, upTo, versions })
      after = upTo
    }
  }

  /** A peer's versions: whatever differs is exchanged, both ways. */
  async compared(link: Link, { slice, asOf, after, upTo, versions }: Versions): Promise<void> {
    const theirs = new Map(versions.map(({ key, version }) => [key, version]))
    const differing: SessionKey[] = []
    for (const { key, version } of await this.versions(slice, asOf)) {
      if (key > upTo || (key <= after && after !== FIRST_KEY)) continue
      if (theirs.get(key) !== version) differing.push(key)
      theirs.delete(key)
    }
    differing.push(...theirs.keys())
    if (differing.length > 0) await this.#options.repair(link, differing)
  }

  /** Tombstones and sessions that are not due by `asOf`: what is due may be purged on one side and not yet on the other. */
  async versions(slice: number, asOf: number): Promise<KeyVersion[]> {
    const { store, rotten } = this.#options
    const out: KeyVersion[] = []
    for await (const keys of store.keys(slice & 0xff))
      for (const key of keys) {
        try {
          const entry = store.peek(key)
          if (entry && dueAt(entry.record) > asOf) out.push({ key, version: recordVersion(entry.record) })
        } catch (error) {
          if (!isSojournError(error, 'STORE_CORRUPT')) throw error
          rotten(key)
        }
      }
    return out
  }

  async digestOf(slice: number, asOf: number): Promise<{ readonly records: number; readonly digest: string }> {
    const versions = await this.versions(slice, asOf)
    return { records: versions.length, digest: this.#digest(versions) }
  }

  #digest(versions: readonly KeyVersion[]): string {
    const sum = createHash('sha256')
    for (const { key, version } of versions) sum.update(`${key} ${version}\n`)
    return sum.digest('hex')
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
  }
}
