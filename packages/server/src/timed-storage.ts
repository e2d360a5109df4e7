/** A storage engine whose writes are timed: what the disk costs, above all where a sync waits for it. */
import type { Clock, Journal, Rows, StorageEngine } from '@sojourn/core/internal'

/** What was done to the disk. */
export type DiskWork = 'append' | 'sync' | 'rows'

/** @param seen called for each append to the journal, sync of it, and batch of rows: how long it took, and whether it failed */
export const timedEngine = (
  engine: StorageEngine,
  clock: Clock,
  seen: (work: { readonly what: DiskWork; readonly seconds: number; readonly ok: boolean }) => void,
): StorageEngine => {
  const timed = <A extends unknown[]>(what: DiskWork, call: (...args: A) => Promise<void> | undefined) => {
    return (...args: A): Promise<void> | undefined => {
      const start = clock.monotonic()
      const done = (ok: boolean) => seen({ what, ok, seconds: (clock.monotonic() - start) / 1_000 })
      try {
        const work = call(...args)
        if (work === undefined) done(true)
        else
          work.then(
            () => done(true),
            () => done(false),
          )
        return work
      } catch (error) {
        done(false)
        throw error
      }
    }
  }
  return {
    async open(location, region) {
      const { journal, rows, close } = await engine.open(location, region)
      const timedJournal: Journal = {
        get head() {
          return journal.head
        },
        get bytes() {
          return journal.bytes
        },
        append: timed('append', (after, bytes) => journal.append(after, bytes)),
        sync: timed('sync', () => journal.sync()) as Journal['sync'],
        read: (after) => journal.read(after),
        drop: (through) => journal.drop(through),
      }
      const timedRows: Rows = {
        get: (key) => rows.get(key),
        scan: () => rows.scan(),
        write: timed('rows', (writes, sync) => rows.write(writes, sync)) as Rows['write'],
      }
      return { journal: timedJournal, rows: timedRows, close }
    },
  }
}
