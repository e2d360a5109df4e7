/** Where the time of a request to an Express app goes, by a CPU profile of its server. */
import { join } from 'node:path'
import { AppPeer, embeddingPeer } from './app-peer.js'
import { FULL } from './plan.js'
import { report, type Wish } from './profile-report.js'
import { endAll, linkedRegions, lonelyRegion, openAll, THREE } from './regions.js'

/** At 64 at a time, so that the engine has compiled what there is to compile. */
const WARM_UP = { connections: 64, durationMs: 3_000 } as const

const requestOf = ({ operation }: Wish): 'read' | 'write' => {
  if (operation === 'read' || operation === 'write') return operation
  throw new Error('--app --operation: read or write')
}

/** @param regions 1, or more, of which the app embeds the first; 0: MemoryStore, to compare with */
export const profileApp = async (directory: string, wish: Wish, regions: number): Promise<void> => {
  const name = requestOf(wish)
  const names = THREE.slice(0, regions)
  const [own, ...others] =
    regions === 1 ? [lonelyRegion(directory)] : await linkedRegions(join(directory, 'linked'), names)
  const peer = own ? await embeddingPeer('a region', own) : new AppPeer('MemoryStore', { kind: 'memory' })
  const store = own ? `${regions} regions` : 'MemoryStore'
  try {
    await Promise.all([openAll(others), peer.open(FULL.appSessions)])
    await peer.fire({ name, ...WARM_UP })
    await peer.settle()
    await peer.app.call('startProfile')
    const { count, ms, cpuMs } = await peer.fire({
      name,
      connections: wish.concurrency,
      durationMs: wish.seconds * 1_000,
    })
    process.stdout.write(
      `Express, ${name}, c=${wish.concurrency}, ${store}, profiled: ${Math.round((count / ms) * 1_000)} requests/s; ` +
        `${((cpuMs / count) * 1_000).toFixed(0)} µs of CPU each in the app server, all its threads\n`,
    )
    await report(peer.app, 'app', wish)
  } finally {
    await peer.end()
    await endAll(others)
  }
}
