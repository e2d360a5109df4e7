/** Puts an open store together: the engine, the index that is built from it, and what writes. */
import type { Clock, Held, Limits, Random, SessionKey, Storage, StorageEngine } from '@sojourn/core/internal'
import { longestLifeMs } from '@sojourn/core/internal'
import { Checkpoint } from './checkpoint.js'
import type { Commit } from './commit.js'
import { SessionIndex } from './index/session-index.js'
import type { JournalCommit } from './journal-entry.js'
import { type Fsync, JournalWriter } from './journal-writer.js'
import { type Recovered, readState, recover } from './recovery.js'
import { type Incarnation, nextIncarnation, type Progress, type StoreState } from './store-state.js'

export interface PartsOptions {
  readonly engine: StorageEngine
  readonly location: string
  /** Whose store it is; undefined: whoever's. */
  readonly region?: string | undefined
  readonly clock: Clock
  readonly random: Random
  readonly fsync: Fsync
  readonly limits: Limits
  /** Of any session, milliseconds: a record that nobody can supply is given up when none can live any more. */
  readonly maxLifetimeMs: number
  /** A batch, or a checkpoint, could not be written. */
  readonly failed: (error: unknown) => void
  /** The journal refused commits of these: what was read of them meanwhile was never written. */
  readonly refused: (keys: readonly SessionKey[]) => void
}

export interface RecordStoreOptions extends PartsOptions {
  readonly committed: (commits: readonly Commit[]) => void
  /** A record cannot be read. Called once for each, until it is healed. */
  readonly corrupt: (key: SessionKey) => void
  /** What goes into the journal beside the store's own part. */
  readonly vector: () => readonly Held[]
}

/** What the parts ask of the store that they are parts of, and report to it. */
export interface PartsOwner<C> {
  /** Undefined before there is a store. */
  readonly progress: () => Progress | undefined
  readonly stateAt: (checkpoint: number) => StoreState
  readonly appended: (commits: readonly C[]) => void
  readonly failed: (commits: readonly C[], error: unknown) => void
}

export interface Parts<C extends JournalCommit> {
  readonly storage: Storage
  readonly index: SessionIndex
  readonly checkpoint: Checkpoint
  readonly writer: JournalWriter<C>
  readonly recovered: Recovered
  readonly incarnation: Incarnation
}

/** @throws STORE_LOCKED, STORE_FOREIGN, STORE_CORRUPT, STORE_FORMAT, STORE_FAILED */
export const openParts = async <C extends JournalCommit>(
  options: PartsOptions,
  owner: PartsOwner<C>,
): Promise<Parts<C>> => {
  const storage = await options.engine.open(options.location, options.region)
  try {
    return await partsOf(storage, options, owner)
  } catch (error) {
    await storage.close()
    throw error
  }
}

const partsOf = async <C extends JournalCommit>(
  storage: Storage,
  { clock, random, fsync, limits, maxLifetimeMs, failed }: PartsOptions,
  owner: PartsOwner<C>,
): Promise<Parts<C>> => {
  const { journal, rows } = storage
  const state = await readState(storage)
  const index = new SessionIndex(Buffer.from(random.bytes(4)).readUInt32LE())
  const writer = new JournalWriter<C>({
    journal,
    clock,
    fsync,
    maxPending: limits.maxPendingCommits,
    maxPendingBytes: limits.maxPendingBytes,
    progress: () => owner.progress() ?? recovered.progress,
    appended: owner.appended,
    failed: owner.failed,
    fault: failed,
  })
  const checkpoint = new Checkpoint(
    {
      journal,
      rows,
      clock,
      limits,
      head: () => writer.head,
      state: owner.stateAt,
      failed,
      staleIndexRows: state?.indexRows ?? 0,
    },
    state?.checkpoint ?? 0,
  )
  const now = clock.now()
  const recovered = await recover({
    storage,
    index,
    checkpoint,
    state,
    now,
    corruptDueAt: now + longestLifeMs(maxLifetimeMs),
  })
  const actor = Buffer.from(random.bytes(16)).toString('hex')
  const incarnation = nextIncarnation(recovered.incarnation, recovered.heldThrough, actor)
  await writer.begin(incarnation)
  return { storage, index, checkpoint, writer, recovered, incarnation }
}
