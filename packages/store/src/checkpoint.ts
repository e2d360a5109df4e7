/** Brings records that changed from the journal to the rows, in the background. Then drops the part of the journal that held them. */
import type { Clock, Journal, Limits, Rows, RowWrite, SessionKey, Timer } from '@sojourn/core/internal'
import { SojournError } from '@sojourn/core/internal'
import { droppedIndexCopy } from './index-copy.js'
import { encodeRecordRow, type RecordRow, recordRowKey, STATE_KEY } from './record-row.js'
import { encodeState, type StoreState } from './store-state.js'

/** Records that changed are in the rows after so long, however few they are. Milliseconds. */
const MAX_AGE_MS = 300_000

/** After a checkpoint that failed, the next one is tried after so long; each further one waits up to twice as long. */
const MIN_RETRY_MS = 500
const MAX_RETRY_MS = 10_000

/** What a row beside a record costs in memory. Bytes. */
const ROW_OVERHEAD = 256

export interface CheckpointOptions {
  readonly journal: Journal
  readonly rows: Rows
  readonly clock: Clock
  readonly limits: Pick<Limits, 'checkpointBytes' | 'checkpointRows' | 'maxUncheckpointedBytes'>
  /** The last entry of the journal. */
  readonly head: () => number
  /** What to note when the rows hold all through an entry. */
  readonly state: (checkpoint: number) => StoreState
  /** Rows of a copy of the index that is out of date. */
  readonly staleIndexRows: number
  readonly failed: (error: unknown) => void
}

/** What the row of a key must become; `undefined`: it goes. */
interface Unchecked {
  readonly row: RecordRow | undefined
  readonly bytes: number
}

/** Records that are in the journal and not in the rows, and what brings them there. */
export class Checkpoint {
  readonly #options: CheckpointOptions
  readonly #unchecked = new Map<SessionKey, Unchecked>()
  #bytes = 0
  #running: Promise<void> | undefined
  #timer: Timer | undefined
  #retryMs = MIN_RETRY_MS
  #isWaiting = false
  /** Those who wait for {@link room}. */
  #roomless: (() => void)[] = []
  /** The journal is needed after this entry. */
  #through: number
  #journalBytes: number
  #staleIndexRows: number
  #closed = false
  readonly totals = { checkpoints: 0, rows: 0, failed: 0 }

  /** @param through what the rows hold all of */
  constructor(options: CheckpointOptions, through: number) {
    this.#options = options
    this.#through = through
    this.#journalBytes = options.journal.bytes
    this.#staleIndexRows = options.staleIndexRows
  }

  /** Bytes of records that are not in the rows. */
  get bytes(): number {
    return this.#bytes
  }

  get count(): number {
    return this.#unchecked.size
  }

  /** Resolves when the checkpoint under way is through; undefined where none is. */
  get running(): Promise<void> | undefined {
    return this.#running
  }

  has(key: SessionKey): boolean {
    return this.#unchecked.has(key)
  }

  /** The latest row of a key that is not in the rows. */
  row(key: SessionKey): RecordRow | undefined {
    return this.#unchecked.get(key)?.row
  }

  /** @throws OVERLOADED, before anything is changed */
  admit(): void {
    const { maxUncheckpointedBytes } = this.#options.limits
    if (this.#hasRoom) return
    throw new SojournError(
      'OVERLOADED',
      `${maxUncheckpointedBytes} bytes wait for a checkpoint (limits.maxUncheckpointedBytes)`,
      { limit: maxUncheckpointedBytes },
    )
  }

  get #hasRoom(): boolean {
    return this.#bytes < this.#options.limits.maxUncheckpointedBytes
  }

  /** Resolves when less waits than may, or nothing more is taken; undefined where that is so. */
  room(): Promise<void> | undefined {
    if (this.#hasRoom || this.#closed) return undefined
    return new Promise((resolve) => this.#roomless.push(resolve))
  }

  #giveRoom(): void {
    if (this.#hasRoom || this.#closed) for (const resolve of this.#roomless.splice(0)) resolve()
  }

  /** A record changed, and the journal has it. */
  put(key: SessionKey, row: RecordRow | undefined): void {
    this.#bytes -= this.#unchecked.get(key)?.bytes ?? 0
    const bytes = ROW_OVERHEAD + (row?.encoded.length ?? 0)
    this.#unchecked.set(key, { row, bytes })
    this.#bytes += bytes
  }

  /** Begins a checkpoint where one is due. Called after each append. */
  poll(): void {
    const { journal, limits, clock } = this.#options
    if (this.#running || this.#isWaiting || this.#closed) return
    const isDue =
      journal.bytes - this.#journalBytes >= limits.checkpointBytes || this.#bytes * 4 >= limits.maxUncheckpointedBytes
    if (isDue) this.#start()
    else this.#timer ??= clock.after(MAX_AGE_MS, () => this.#start())
  }

  #start(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#running = this.run()
      .then(
        () => {
          this.#retryMs = MIN_RETRY_MS
        },
        (error: unknown) => this.#retry(error),
      )
      .then(() => {
        this.#running = undefined
        this.#giveRoom()
        // What came meanwhile may be all that is taken until the next one.
        if (this.#unchecked.size > 0) this.poll()
      })
  }

  /** Brings all that is in the journal now to the rows. @throws REPLICA_CLOSED, STORE_FAILED, STORE_CORRUPT */
  async now(): Promise<void> {
    // One that is under way knows nothing of what came after it began.
    while (this.#running) await this.#running
    if (this.#closed) throw new SojournError('REPLICA_CLOSED', 'the replica was closed')
    const run = this.run()
    this.#running = run
      .catch(() => {})
      .then(() => {
        this.#running = undefined
        this.#giveRoom()
      })
    await run
  }

  #retry(error: unknown): void {
    this.totals.failed++
    this.#options.failed(error)
    this.#isWaiting = true
    this.#timer?.cancel()
    this.#timer = this.#options.clock.after(this.#retryMs, () => {
      this.#timer = undefined
      this.#isWaiting = false
      if (!this.#closed && !this.#running) this.#start()
    })
    this.#retryMs = Math.min(2 * this.#retryMs, MAX_RETRY_MS)
  }

  /** Writes every record that has changed until now, and drops the journal through here. @throws STORE_FAILED, STORE_CORRUPT */
  async run(): Promise<void> {
    const { journal, rows: into, clock, head, state } = this.#options
    const through = head()
    // What the store holds of feeds now: what it holds later, the rows need not have.
    const noted = state(through)
    this.#journalBytes = journal.bytes
    const keys = [...this.#unchecked.keys()]
    for (let start = 0, rows = 0; start < keys.length; start += rows) {
      rows = this.#rowsABatch
      await this.#write(keys.slice(start, start + rows))
      await new Promise<void>((resolve) => clock.soon(resolve))
    }
    if (through === this.#through) return
    const stale = droppedIndexCopy(this.#staleIndexRows)
    // What it says of feeds: a loss of power must not leave it, and take what it speaks of.
    await journal.sync()
    await into.write([...stale, { type: 'put', key: STATE_KEY, value: encodeState(noted) }], true)
    this.#staleIndexRows = 0
    this.#through = through
    await journal.drop(through)
    this.#journalBytes = journal.bytes
    this.totals.checkpoints++
  }

  /** The more waits, the more at a time: a busy process has a turn for this less often. */
  get #rowsABatch(): number {
    const { checkpointRows, maxUncheckpointedBytes } = this.#options.limits
    return checkpointRows * (1 + Math.min(7, Math.floor((8 * this.#bytes) / maxUncheckpointedBytes)))
  }

  async #write(keys: readonly SessionKey[]): Promise<void> {
    const { journal, rows } = this.#options
    const taken = keys.flatMap((key) => {
      const unchecked = this.#unchecked.get(key)
      return unchecked ? [[key, unchecked] as const] : []
    })
    const writes = taken.map(([key, { row }]): RowWrite => {
      const rowKey = recordRowKey(key)
      return row ? { type: 'put', key: rowKey, value: encodeRecordRow(rowKey, row) } : { type: 'del', key: rowKey }
    })
    // No row may say what a loss of power takes from the journal.
    await journal.sync()
    await rows.write(writes, false)
    this.totals.rows += writes.length
    for (const [key, unchecked] of taken) {
      if (this.#unchecked.get(key) !== unchecked) continue
      this.#unchecked.delete(key)
      this.#bytes -= unchecked.bytes
    }
    this.#giveRoom()
  }

  /** Brings all that is left to the rows. @throws STORE_FAILED, STORE_CORRUPT; then the journal has it */
  async close(): Promise<void> {
    this.#closed = true
    this.#timer?.cancel()
    this.#giveRoom()
    await this.#running
    await this.run()
  }
}
