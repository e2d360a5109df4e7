/** Makes a closed store lack records, or hold older ones, so that it differs from its peers and no feed brings what it lacks. */
import { join } from 'node:path'
import { sessionKey } from '@sojourn/replica'
import { ClassicLevel } from 'classic-level'

/** SPEC, "Rows": the first bytes of the keys of records, and of the copy of the index that a clean close leaves. */
const RECORD = 0x72
const INDEX = 0x69

const rowKey = (id: string): Uint8Array => Buffer.concat([Uint8Array.of(RECORD), Buffer.from(sessionKey(id), 'hex')])

type Rows = ClassicLevel<Uint8Array, Uint8Array>

const withRows = async <T>(location: string, work: (rows: Rows) => Promise<T>): Promise<T> => {
  const rows: Rows = new ClassicLevel(join(location, 'rows'), { keyEncoding: 'view', valueEncoding: 'view' })
  // As the store has it: what is compacted here would be compressed else.
  await rows.open({ compression: false })
  try {
    return await work(rows)
  } finally {
    await rows.close()
  }
}

/** A row of a record, as it is kept. */
export type SavedRow = readonly [id: string, row: Uint8Array]

/** The rows of some sessions, as they are now. */
export const savedRows = (location: string, ids: readonly string[]): Promise<SavedRow[]> =>
  withRows(location, async (rows) =>
    ids.map((id) => {
      const row = rows.getSync(rowKey(id))
      if (row === undefined) throw new Error('a session that was to be altered has no row')
      return [id, row] as const
    }),
  )

/** Brings older rows back, and removes others. The index is built anew from what is left. */
export const alterRows = (
  location: string,
  { older = [], removed = [] }: { readonly older?: readonly SavedRow[]; readonly removed?: readonly string[] },
): Promise<void> =>
  withRows(location, async (rows) => {
    await rows.clear({ gte: Uint8Array.of(INDEX), lt: Uint8Array.of(INDEX + 1) })
    for (const [id, row] of older) await rows.put(rowKey(id), row)
    for (const id of removed) await rows.del(rowKey(id))
  })

/** LevelDB frees the space of what was replaced when it compacts; this makes it do so at once. */
export const compactRows = (location: string): Promise<void> =>
  withRows(location, (rows) => rows.compactRange(new Uint8Array(0), new Uint8Array(48).fill(0xff)))
