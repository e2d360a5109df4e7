/** What a store writes to the disk where it is updated: its journal, its checkpoints, and what LevelDB makes of those. */
import type { Replica } from '@sojourn/replica'
import { drive } from './load.js'
import { bytesWritten } from './process-figures.js'

export interface DiskUse {
  readonly updates: number
  /** Handed to the system by this process; NaN where it does not say. */
  readonly bytes: number
  /** Rows that the checkpoints wrote. */
  readonly rows: number
}

/** Operations between two looks at how many checkpoints there were. */
const STEP = 64

/**
 * From the end of a checkpoint to the end of a later one, so that each update is counted with its share of the rows.
 * @param checkpoints how many are counted
 */
export const diskUse = async (
  replica: Replica,
  update: () => Promise<unknown>,
  concurrency: number,
  checkpoints: number,
): Promise<DiskUse> => {
  const made = () => replica.status().store.checkpoints
  const through = (more: number) => {
    const wanted = made().checkpoints + more
    return drive(update, concurrency, (count) => count % STEP === 0 && made().checkpoints >= wanted)
  }
  await through(1)
  const before = { bytes: bytesWritten(), rows: made().rows }
  const { count } = await through(checkpoints)
  const bytes = (bytesWritten() ?? Number.NaN) - (before.bytes ?? Number.NaN)
  return { updates: count, bytes, rows: made().rows - before.rows }
}
