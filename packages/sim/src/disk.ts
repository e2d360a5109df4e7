/** A machine's disk: a journal and rows, and what can go wrong with either. */
import type { Journal, JournalEntry, Row, Rows, RowWrite, Storage, StorageEngine } from '@sojourn/core/internal'
import { SojournError } from '@sojourn/core/internal'
import type { Host } from './network.js'
import type { Prng } from './prng.js'
import type { WorldTime } from './time.js'

type RowMap = Map<string, Uint8Array>

/** A batch of rows that the disk took, and may yet lose with the power. */
interface Unsynced {
  readonly writes: readonly RowWrite[]
  readonly at: number
}

interface Appended {
  bytes: Uint8Array | undefined
  readonly at: number
}

export interface DiskSpeed {
  /** How long a batch of rows takes on average, milliseconds. */
  readonly writeMs: number
  /** How long the disk takes to be sure, on top. */
  readonly syncMs: number
  /** How long an append takes on average, milliseconds; 0: it is taken at once, as by a file of this machine. */
  readonly appendMs: number
}

/** Since when what was written may be missing; undefined where nothing is. Milliseconds of the world. */
export type LostFrom = number | undefined

/** What is full. */
export type Part = 'journal' | 'rows'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')
const unhex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'))

/** The key of the row with what the store knows of itself. */
const STATE_ROW = '73'

/** An entry that says nothing: what another owner of the journal would append. */
const NOTHING_ENTRY = Uint8Array.of(4)

/**
 * An append, and a batch of rows, are all or nothing and kept in order; a `kill -9` loses none that was taken; the loss of power loses a tail of
 * what was not synced, of the journal and of the rows each, perhaps all of it.
 */
export class Disk {
  readonly #time: WorldTime
  readonly #random: Prng
  /** What reads see. */
  #rows: RowMap = new Map()
  /** What stood in a row before its latest value; undefined: nothing. */
  #older = new Map<string, Uint8Array | undefined>()
  /** What the loss of power leaves, before the batches that chance keeps. */
  #durableRows: RowMap = new Map()
  #unsynced: Unsynced[] = []
  /** Entries of the journal; the first one has the number `#dropped + 1`. */
  #journal: Appended[] = []
  #dropped = 0
  /** Through this number the loss of power leaves the journal. */
  #durableThrough = 0
  /** Writes on their way, oldest first; taken or not when the process dies. */
  #underWay: { readonly take: () => void }[] = []
  #readyAt = 0
  #lockedBy: Host | undefined
  /** Whoever had it when another owner appended: an append of its own must be refused from then on. */
  #intruded: Host | undefined
  #copy:
    | { readonly rows: RowMap; readonly journal: Appended[]; readonly dropped: number; readonly at: number }
    | undefined
  readonly speed: DiskSpeed
  /** Which part refuses what is written. */
  readonly full = new Set<Part>()
  /** While this is in the future, nothing is written: a disk that hangs. */
  stalledUntil = 0
  readonly totals = { batches: 0, appends: 0, refused: 0 }

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
        this.#intruded = undefined
        return this.#storage(host)
      },
    }
  }

  #storage(host: Host): Storage {
    return {
      journal: this.#journalOf(host),
      rows: this.#rowsOf(host),
      close: async () => {
        if (this.#lockedBy === host) this.#lockedBy = undefined
      },
    }
  }

  get #head(): number {
    return this.#dropped + this.#journal.length
  }

  #journalOf(host: Host): Journal {
    const disk = this
    return {
      get head() {
        return disk.#head
      },
      get bytes() {
        return disk.#journal.reduce((sum, { bytes }) => sum + (bytes?.length ?? 0), 0)
      },
      append: (after, bytes) => this.#append(host, after, new Uint8Array(bytes)),
      sync: () => {
        const through = this.#head
        return this.#later(host, 'journal', this.#random.exponential(this.speed.syncMs), () => {
          this.#durableThrough = Math.max(this.#durableThrough, Math.min(through, this.#head))
        })
      },
      read: (after) => this.#read(host, after),
      drop: (through) =>
        this.#later(host, 'journal', 0, () => {
          // By whole segments, as files are: some entries stay.
          const whole = Math.max(0, Math.min(through, this.#durableThrough) - this.#dropped - this.#random.int(0, 3))
          this.#journal.splice(0, whole)
          this.#dropped += whole
        }),
    }
  }

  #append(host: Host, after: number, bytes: Uint8Array): Promise<void> | undefined {
    const check = () => {
      if (after !== this.#head)
        throw new SojournError('STORE_FENCED', `the journal ends at entry ${this.#head}, not at ${after}`)
    }
    const take = () => {
      check()
      if (this.#intruded === host) throw new Error('it went on after what another owner has appended')
      this.totals.appends++
      this.#journal.push({ bytes, at: this.#time.now })
    }
    const isIdle = this.#underWay.length === 0 && this.stalledUntil <= this.#time.now
    if (this.speed.appendMs > 0 || !isIdle || !host.isAlive())
      return this.#later(host, 'journal', this.#random.exponential(Math.max(this.speed.appendMs, 0.01)), take)
    if (this.full.has('journal')) throw this.#refusal()
    take()
    return undefined
  }

  #refusal(): SojournError {
    this.totals.refused++
    return new SojournError('STORE_FAILED', 'no space left on device')
  }

  /** Something that takes time, after all that was begun before it. */
  #later(host: Host, part: Part, takesMs: number, take: () => void): Promise<void> {
    if (!host.isAlive()) return new Promise(() => {})
    this.#underWay.push({ take })
    this.#readyAt = Math.max(this.#readyAt, this.#time.now, this.stalledUntil) + takesMs
    return new Promise((resolve, reject) => {
      this.#time.schedule(this.#readyAt - this.#time.now, () => {
        if (!host.isAlive()) return
        this.#underWay.shift()
        try {
          if (this.full.has(part)) throw this.#refusal()
          take()
          host.deliver(resolve)
        } catch (error) {
          host.deliver(() => reject(error))
        }
      })
    })
  }

  async *#read(host: Host, after: number): AsyncIterable<readonly JournalEntry[]> {
    const entries = this.#journal
      .map(({ bytes }, index) => ({ number: this.#dropped + index + 1, bytes }))
      .filter(({ number }) => number > after)
    while (entries.length > 0) {
      yield entries.splice(0, this.#random.int(1, 16))
      await this.#moment(host)
    }
  }

  #moment(host: Host): Promise<void> {
    return new Promise((resolve) => this.#time.schedule(this.#random.between(0, 0.5), () => host.deliver(resolve)))
  }

  #rowsOf(host: Host): Rows {
    return {
      get: (key) => this.#rows.get(hex(key)),
      write: (writes, sync) => {
        const kept = [...writes]
        const { writeMs, syncMs } = this.speed
        const takes = this.#random.exponential(writeMs) + (sync ? this.#random.exponential(syncMs) : 0)
        return this.#later(host, 'rows', takes, () => {
          this.#take(kept)
          if (sync) this.#sync()
        })
      },
      scan: () => this.#scan(host),
    }
  }

  #take(writes: readonly RowWrite[]): void {
    this.totals.batches++
    for (const write of writes) {
      const key = hex(write.key)
      this.#older.set(key, this.#rows.get(key))
      if (write.type === 'put') this.#rows.set(key, new Uint8Array(write.value))
      else this.#rows.delete(key)
    }
    this.#unsynced.push({ writes, at: this.#time.now })
  }

  #sync(): void {
    for (const { writes } of this.#unsynced) applyTo(this.#durableRows, writes)
    this.#unsynced = []
  }

  async *#scan(host: Host): AsyncIterable<readonly Row[]> {
    const rows: Row[] = [...this.#rows.keys()].sort().map((key) => [unhex(key), this.#rows.get(key)!])
    while (rows.length > 0) {
      yield rows.splice(0, this.#random.int(1, 64))
      await this.#moment(host)
    }
  }

  /** The process died: what it had under way was taken, or not. */
  crashed(host: Host): void {
    if (this.#lockedBy !== host) return
    this.#lockedBy = undefined
    for (const { take } of this.#underWay) {
      if (this.full.size > 0 || this.#random.chance(0.5)) break
      try {
        take()
      } catch {
        break
      }
    }
    this.#underWay = []
    this.#readyAt = this.#time.now
  }

  /** The power went: some of what was not synced is gone, from the end. Call {@link crashed} first. */
  lostPower(): LostFrom {
    const kept = this.#random.int(0, this.#unsynced.length)
    for (const { writes } of this.#unsynced.slice(0, kept)) applyTo(this.#durableRows, writes)
    this.#unsynced = []
    this.#rows = new Map(this.#durableRows)
    this.#older.clear()
    const through = this.#random.int(Math.max(this.#durableThrough, this.#dropped), this.#head)
    const [lost] = this.#journal.splice(through - this.#dropped)
    this.#durableThrough = through
    return lost?.at
  }

  /** Somebody deleted the directory. */
  wipe(): LostFrom {
    const wasEmpty = this.#rows.size === 0 && this.#journal.length === 0
    this.#set(new Map(), [], 0)
    return wasEmpty ? undefined : Number.NEGATIVE_INFINITY
  }

  #set(rows: RowMap, journal: Appended[], dropped: number): void {
    this.#rows = new Map(rows)
    this.#durableRows = new Map(rows)
    this.#unsynced = []
    this.#older.clear()
    this.#journal = journal.map((entry) => ({ ...entry }))
    this.#dropped = dropped
    this.#durableThrough = this.#head
  }

  /** Puts a copy of the directory aside. */
  copy(): void {
    const [rows, journal] = [new Map(this.#rows), this.#journal.map((entry) => ({ ...entry }))]
    this.#copy = { rows, journal, dropped: this.#dropped, at: this.#time.now }
  }

  /** Puts the copy in the directory's place. */
  restore(): LostFrom {
    if (this.#copy === undefined) return undefined
    const { rows, journal, dropped, at } = this.#copy
    this.#set(rows, journal, dropped)
    return at
  }

  /** Another owner appends to the journal. */
  intrude(): void {
    this.#intruded = this.#lockedBy
    this.#journal.push({ bytes: NOTHING_ENTRY, at: this.#time.now })
  }

  /** Flips a bit of a record's row; its key, or undefined where there is none. */
  rotRow(): string | undefined {
    const key = this.#pickRow([...this.#rows.keys()])
    const value = key && this.#rows.get(key)!
    if (!value || value.length === 0) return undefined
    this.#replace(key, this.#flipped(value))
    return key.slice(2)
  }

  /** An older value of a record's row comes back, or a row that was deleted; its key. */
  bringBack(): string | undefined {
    const changed = [...this.#older].filter(([key, value]) => value !== undefined && this.#rows.get(key) !== value)
    const key = this.#pickRow(changed.map(([name]) => name))
    if (key === undefined) return undefined
    this.#replace(key, this.#older.get(key)!)
    return key.slice(2)
  }

  /** Nothing that was written before brings back what stood there. */
  #replace(key: string, value: Uint8Array): void {
    this.#rows.set(key, value)
    this.#durableRows.set(key, value)
    this.#unsynced = this.#unsynced.map(({ writes, at }) => ({
      writes: writes.filter((write) => hex(write.key) !== key),
      at,
    }))
  }

  #pickRow(keys: readonly string[]): string | undefined {
    const records = keys.filter((key) => key.startsWith('72')).sort()
    return records.length === 0 ? undefined : this.#random.pick(records)
  }

  /** An entry of the journal does not pass its checksum any more. Since when what it says may be missing. */
  rotEntry(): LostFrom {
    if (this.#journal.length === 0) return undefined
    const entry = this.#random.pick(this.#journal)
    entry.bytes = undefined
    return entry.at
  }

  /** What the store knows of itself is corrupt; whether there is such a row. */
  rotState(): boolean {
    const value = this.#rows.get(STATE_ROW)
    if (value === undefined) return false
    this.#replace(STATE_ROW, this.#flipped(value))
    return true
  }

  /** A copy, for who has read the row keeps what was read: the `slice` of a Buffer would not be one. */
  #flipped(value: Uint8Array): Uint8Array {
    const copy = new Uint8Array(value)
    const bit = this.#random.int(0, copy.length * 8 - 1)
    copy[bit >> 3]! ^= 1 << (bit & 7)
    return copy
  }

  /** The journal's end is lost, synced or not. Since when what it says may be missing. */
  tear(): LostFrom {
    const through = this.#random.int(this.#dropped, this.#head)
    const [lost] = this.#journal.splice(through - this.#dropped)
    this.#durableThrough = Math.min(this.#durableThrough, through)
    return lost?.at
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

const applyTo = (rows: RowMap, writes: readonly RowWrite[]): void => {
  for (const write of writes) {
    if (write.type === 'put') rows.set(hex(write.key), new Uint8Array(write.value))
    else rows.delete(hex(write.key))
  }
}
