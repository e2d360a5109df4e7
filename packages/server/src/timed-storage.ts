import type { Clock, Storage, StorageEngine } from '@sojourn/core'

/** A storage engine whose writes are timed: what the disk costs, above all where `sync` waits for it. */
export const timedEngine = (
  engine: StorageEngine,
  clock: Clock,
  seen: (write: { readonly sync: boolean; readonly seconds: number; readonly ok: boolean }) => void,
): StorageEngine => ({
  async open(location, region) {
    const storage = await engine.open(location, region)
    const timed: Storage = {
      get: (key) => storage.get(key),
      scan: (range) => storage.scan(range),
      close: () => storage.close(),
      async write(writes, sync) {
        const start = clock.monotonic()
        let ok = false
        try {
          await storage.write(writes, sync)
          ok = true
        } finally {
          seen({ sync, ok, seconds: (clock.monotonic() - start) / 1_000 })
        }
      },
    }
    return timed
  },
})
