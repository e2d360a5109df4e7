/** A simulated machine with one store: its process dies and comes back, and its disk loses what no sync covers. */
import type { Journal, Row, StorageEngine } from '@sojourn/core/internal'
import { isSojournError } from '@sojourn/core/internal'
import { fillStore, type RecordStore, Rekey, SealedEngine } from '@sojourn/store'
import { expect } from 'vitest'
// Not doors of their package: the parts of simulated machines.
import { Disk } from '../../packages/sim/src/disk.js'
import { Network } from '../../packages/sim/src/network.js'
import { Prng } from '../../packages/sim/src/prng.js'
import { Process } from '../../packages/sim/src/process.js'
import { MachineClock, WorldTime } from '../../packages/sim/src/time.js'

/** How long anything may take, in the time of the world. */
const PATIENCE_MS = 60_000

export interface StoreMachineOptions {
  readonly seed: number
  /** How long an append takes, milliseconds; 0: it is taken at once. */
  readonly appendMs: number
  /** Whether rows are read as promises. */
  readonly isRemote: boolean
  /** Whether the store is encrypted. Default: false. */
  readonly isSealed?: boolean
}

/** `off`: closed in order, and then the power goes. */
export type End = 'close' | 'off' | 'kill' | 'power'

/** Opens a store on an engine, in a process. */
type OpenStore = (engine: StorageEngine, process: Process) => Promise<RecordStore>

export class StoreMachine {
  readonly time = new WorldTime()
  readonly disk: Disk
  protected readonly clock: MachineClock
  protected readonly random: Prng
  readonly #options: StoreMachineOptions
  readonly #network: Network
  protected process: Process | undefined
  #store: RecordStore | undefined
  #processes = 0
  /** Of the storage that is open now. */
  protected journal: Journal | undefined
  /** Entries through this number outlive a loss of power; */
  protected synced = 0
  /** those through this one outlived the last ones, since the store was looked at. */
  protected outlived = Number.POSITIVE_INFINITY
  /** Entries that could not be read when it was opened. */
  protected readonly unreadable = new Set<number>()
  /** The first entry that was read then. */
  protected replayedFrom = 0
  /** The keys of the ring: the ones that the store may need. */
  #ring: { readonly [id: string]: string } = { 'key-0': '00'.repeat(32) }
  #ringKeys = 0
  #rekey: Rekey | undefined
  readonly rekeys = { begun: 0, done: 0 }

  constructor(options: StoreMachineOptions) {
    this.#options = options
    this.random = new Prng(`store ${options.seed}`)
    const speed = { writeMs: 2, syncMs: 8, appendMs: options.appendMs }
    this.disk = new Disk(this.time, this.random.fork('disk'), speed)
    this.clock = new MachineClock(this.time, 0)
    this.#network = new Network(this.time, this.random.fork('network'), () => {})
  }

  get store(): RecordStore {
    return this.#store!
  }

  get isAlive(): boolean {
    return this.process?.isAlive() === true
  }

  /** Lets time pass until a promise is settled; undefined where the process dies before that. */
  async settled<T>(promise: T | Promise<T>): Promise<T | undefined> {
    let outcome: { readonly value: T } | { readonly error: unknown } | undefined
    Promise.resolve(promise).then(
      (value) => {
        outcome = { value }
      },
      (error: unknown) => {
        outcome = { error }
      },
    )
    await this.time.advance(PATIENCE_MS, () => outcome !== undefined || !this.isAlive)
    if (outcome === undefined && this.isAlive) throw new Error('something did not come to an end')
    if (outcome && 'error' in outcome) throw outcome.error
    return outcome?.value
  }

  #newProcess(): Process {
    const machine = { name: 'a', clock: this.clock, disk: this.disk, time: this.time, network: this.#network }
    this.process = new Process(machine, this.random.fork(`process ${++this.#processes}`))
    return this.process
  }

  /** Fills the place of the store, which must be empty, with a copy of another one. */
  async fill(rows: readonly (readonly Row[])[]): Promise<void> {
    const process = this.#newProcess()
    await this.settled(fillStore(process.ports.storage, '/', streamed(rows)))
    process.kill(true)
  }

  /** Opens the store in a new process; false where that dies meanwhile. @param fuse calls of ports after which it dies */
  protected async opened(open: OpenStore, fuse: number | undefined): Promise<boolean> {
    const process = this.#newProcess()
    if (fuse !== undefined) process.dieAfter(fuse, () => process.kill(true))
    this.unreadable.clear()
    const watched = this.#watched(process.ports.storage)
    const sealed = this.#options.isSealed ? this.#sealed(watched, process) : undefined
    const store = await this.settled(open(sealed ?? watched, process))
    if (store === undefined || !process.isAlive()) return false
    this.#store = store
    this.#rekey = sealed && new Rekey(sealed.seal!, store, process.ports.clock)
    process.defuse()
    return true
  }

  /** Data keys are spent soon, so that they are noted and rolled at any time. */
  #sealed(engine: StorageEngine, { ports }: Process): SealedEngine {
    const encryption = { keys: this.#ring, active: `key-${this.#ringKeys}` }
    return new SealedEngine(engine, { encryption, random: ports.random, reservedSeals: 16, maxSeals: 64 })
  }

  /** Seals the store anew under another key of the ring, while what follows goes on. Once that is through, the ring has no other key. */
  rekey(): void {
    const process = this.process!
    if (this.#rekey === undefined || this.#rekey.status.isRekeying) return
    const active = `key-${++this.#ringKeys}`
    const key = String(this.#ringKeys % 100)
      .padStart(2, '0')
      .repeat(32)
    this.#ring = { ...this.#ring, [active]: key }
    this.rekeys.begun++
    this.#rekey.run({ keys: this.#ring, active }).then(
      () => {
        if (!process.isAlive()) return
        this.#ring = { [active]: key }
        this.rekeys.done++
      },
      (error: unknown) => expect(isSojournError(error) && error.code).toMatch(/^(STORE_FAILED|REPLICA_CLOSED)$/),
    )
  }

  /** Notes what a loss of power would leave, and reads rows as the options say. */
  #watched(engine: StorageEngine): StorageEngine {
    return {
      open: async (location) => {
        const storage = await engine.open(location)
        const { journal, rows } = storage
        this.journal = journal
        // Whoever was closed in order needed no more of it.
        this.synced = Math.min(this.synced, journal.head)
        const sync = async () => {
          const { head } = journal
          await journal.sync()
          this.synced = Math.max(this.synced, head)
        }
        const read = (after: number) => this.#noted(journal.read(after))
        const get = (key: Uint8Array) =>
          new Promise<Uint8Array | undefined>((resolve) => this.time.schedule(1, () => resolve(rows.get(key) as never)))
        return {
          close: () => storage.close(),
          journal: Object.create(journal, { sync: { value: sync }, read: { value: read } }) as Journal,
          rows: this.#options.isRemote ? { ...rows, get } : rows,
        }
      },
    }
  }

  async *#noted(chunks: ReturnType<Journal['read']>): ReturnType<Journal['read']> {
    this.replayedFrom = Number.POSITIVE_INFINITY
    for await (const chunk of chunks) {
      for (const { number, bytes } of chunk) {
        this.replayedFrom = Math.min(this.replayedFrom, number)
        if (bytes === undefined) this.unreadable.add(number)
      }
      yield chunk
    }
  }

  /** The process dies in the n-th call of a port from now on. */
  dieAfter(calls: number): void {
    const process = this.process!
    process.dieAfter(calls, () => process.kill(true))
  }

  /** Ends the process, in order or not; returns how it went. */
  async stop(how: End): Promise<End> {
    let went = how
    if ((how === 'close' || how === 'off') && this.isAlive) {
      await this.settled(this.#rekey?.close())
      const isClosed = await this.settled(this.store.close().then(() => true)).catch((error: unknown) => {
        expect(error).toMatchObject({ code: 'STORE_FAILED' })
      })
      // Whoever closes in order has all of it on the disk, whatever `fsync` says.
      if (isClosed) this.synced = this.journal!.head
      else went = how === 'off' ? 'power' : 'kill'
    } else if (how === 'close') went = 'kill'
    else if (how === 'off') went = 'power'
    const hasPower = how === 'close' || how === 'kill'
    if (this.isAlive) this.process!.kill(hasPower)
    this.outlived = Math.min(this.outlived, this.synced)
    if (!hasPower) this.disk.lostPower()
    await this.time.advance(1)
    return went
  }
}

const streamed = async function* <T>(list: readonly T[]): AsyncIterable<T> {
  yield* list
}
