import type { Storage, StorageEngine, StorageRange, StorageRow, StorageWrite } from '@sojourn/core'
import { SojournError } from '@sojourn/core'
import type { Host } from './network.js'
import type { Prng } from './prng.js'
import type { WorldTime } from './time.js'

type Rows = Map<string, Uint8Array>

/** A batch that the disk took, and may yet lose with the power. */
interface Unsynced {
  readonly writes: readonly StorageWrite[]
  readonly at: number
}

export interface DiskSpeed {
  /** How long a batch takes on average, milliseconds. */
  readonly writeMs: number
  /** How long the disk takes to be sure, on top. */
  readonly syncMs: number
}

/** Since when what was written may be missing; undefined where nothing is. Milliseconds of the world. */
export type LostFrom = number | undefined

const hex = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')
const unhex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'))

/**
 * A machine's disk, as LevelDB behaves on one: a batch is all or nothing, batches are kept in order, a `kill -9` loses none that was
 * taken, and the loss of power loses a tail of those that were not synced, perhaps all of them.
 */
export class Disk {
  readonly #time: WorldTime
  readonly #random: Prng
  /** What reads see. */
  #rows: Rows = new Map()
  /** The keys of the rows, in order; undefined where a key came or went since. */
  #sorted: string[] | undefined
  /** What the loss of power leaves, before the batches that chance keeps. */
  #durable: Rows = new Map()
  #unsynced: Unsynced[] = []
  /** Batches on their way, oldest first; taken all or nothing when the process dies. */
  #underWay: { readonly writes: readonly StorageWrite[] }[] = []
  #readyAt = 0
  #lockedBy: Host | undefined
  #copy: { readonly rows: Rows; readonly at: number } | undefined
  readonly speed: DiskSpeed
  /** Whether writes are refused. */
  full = false
  /** While this is in the future, nothing is written: a disk that hangs. */
  stalledUntil = 0
  readonly totals = { batches: 0, refused: 0 }

  constructor(time: WorldTime, random: Prng, speed: DiskSpeed) {
    this.#time = time
    this.#random = random
    this.speed = speed
  }

  engine(host: Host): StorageEngine {
    return {
      open: async (location) => {
        if (this.#lockedBy) throw new SojournError('STORE_LOCKED', location)
        this.#lockedBy = host
        return this.#storage(host)
      },
    }
  }

  #storage(host: Host): Storage {
    return {
      get: (key) => this.#rows.get(hex(key)),
      write: (writes, sync) => this.#write(host, writes, sync),
      scan: (range) => this.#scan(host, range),
      close: async () => {
        if (this.#lockedBy === host) this.#lockedBy = undefined
      },
    }
  }

  #write(host: Host, writes: readonly StorageWrite[], sync: boolean): Promise<void> {
    if (!host.isAlive()) return new Promise(() => {})
    const batch = { writes: [...writes] }
    this.#underWay.push(batch)
    const { writeMs, syncMs } = this.speed
    const takes = this.#random.exponential(writeMs) + (sync ? this.#random.exponential(syncMs) : 0)
    this.#readyAt = Math.max(this.#readyAt, this.#time.now, this.stalledUntil) + takes
    return new Promise((resolve, reject) => {
      this.#time.schedule(this.#readyAt - this.#time.now, () => {
        if (!host.isAlive()) return
        this.#underWay.shift()
        if (this.full) {
          this.totals.refused++
          host.deliver(() => reject(new SojournError('STORE_FAILED', 'no space left on device')))
          return
        }
        this.#take(batch.writes)
        if (sync) this.#sync()
        host.deliver(resolve)
      })
    })
  }

  #take(writes: readonly StorageWrite[]): void {
    this.totals.batches++
    for (const write of writes) {
      const key = hex(write.key)
      if (write.type === 'put') {
        if (!this.#rows.has(key)) this.#sorted = undefined
        this.#rows.set(key, write.value.slice())
      } else if (this.#rows.delete(key)) this.#sorted = undefined
    }
    this.#unsynced.push({ writes, at: this.#time.now })
  }

  #sync(): void {
    for (const { writes } of this.#unsynced) applyTo(this.#durable, writes)
    this.#unsynced = []
  }

  async *#scan(host: Host, { gte, lt, limit = Number.POSITIVE_INFINITY, reverse = false }: StorageRange) {
    this.#sorted ??= [...this.#rows.keys()].sort()
    const [from, to] = [lowerBound(this.#sorted, hex(gte)), lowerBound(this.#sorted, hex(lt))]
    const keys = this.#sorted.slice(from, to)
    if (reverse) keys.reverse()
    const rows: StorageRow[] = keys.slice(0, limit).map((key) => [unhex(key), this.#rows.get(key)!])
    while (rows.length > 0) {
      const chunk = rows.splice(0, this.#random.int(1, 64))
      // Others run between two steps of a walk.
      await new Promise<void>((resolve) =>
        this.#time.schedule(this.#random.between(0, 0.5), () => host.deliver(resolve)),
      )
      yield chunk
    }
  }

  /** The process died: what it had under way was taken, or not. */
  crashed(host: Host): void {
    if (this.#lockedBy !== host) return
    this.#lockedBy = undefined
    for (const { writes } of this.#underWay) {
      if (this.full || this.#random.chance(0.5)) break
      this.#take(writes)
    }
    this.#underWay = []
    this.#readyAt = this.#time.now
  }

  /** The power went: some of what was not synced is gone, from the end. Call {@link crashed} first. */
  lostPower(): LostFrom {
    const kept = this.#random.int(0, this.#unsynced.length)
    const lost = this.#unsynced[kept]
    for (const { writes } of this.#unsynced.slice(0, kept)) applyTo(this.#durable, writes)
    this.#unsynced = []
    this.#rows = new Map(this.#durable)
    this.#sorted = undefined
    return lost?.at
  }

  /** Somebody deleted the directory. */
  wipe(): LostFrom {
    const wasEmpty = this.#rows.size === 0
    this.#rows = new Map()
    this.#durable = new Map()
    this.#unsynced = []
    this.#sorted = undefined
    return wasEmpty ? undefined : Number.NEGATIVE_INFINITY
  }

  /** Puts a copy of the directory aside. */
  copy(): void {
    this.#copy = { rows: new Map(this.#rows), at: this.#time.now }
  }

  /** Puts the copy in the directory's place. */
  restore(): LostFrom {
    if (this.#copy === undefined) return undefined
    const { rows, at } = this.#copy
    this.#rows = new Map(rows)
    this.#durable = new Map(rows)
    this.#unsynced = []
    this.#sorted = undefined
    return at
  }

  /** Flips a bit of a row of the kind; its key, or undefined where there is none. */
  rot(kind: string): string | undefined {
    const keys = [...this.#rows.keys()].filter((key) => key.startsWith(hex(Buffer.from(kind)))).sort()
    if (keys.length === 0) return undefined
    const key = this.#random.pick(keys)
    const value = this.#rows.get(key)!.slice()
    if (value.length === 0) return undefined
    const bit = this.#random.int(0, value.length * 8 - 1)
    value[bit >> 3]! ^= 1 << (bit & 7)
    this.#rows.set(key, value)
    if (this.#durable.has(key)) this.#durable.set(key, value)
    return key
  }

  /** How many rows of each kind (the first byte of the key) there are. */
  count(): { readonly [kind: string]: number } {
    const out: Record<string, number> = {}
    for (const key of this.#rows.keys()) {
      const kind = String.fromCharCode(Number.parseInt(key.slice(0, 2), 16))
      out[kind] = (out[kind] ?? 0) + 1
    }
    return out
  }
}

const applyTo = (rows: Rows, writes: readonly StorageWrite[]): void => {
  for (const write of writes) {
    if (write.type === 'put') rows.set(hex(write.key), write.value.slice())
    else rows.delete(hex(write.key))
  }
}

const lowerBound = (sorted: readonly string[], key: string): number => {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (sorted[middle]! < key) low = middle + 1
    else high = middle
  }
  return low
}
