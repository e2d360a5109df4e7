import { type ChildProcess, fork } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Encryption, Level, ReplicaOptions, ReplicaStatus, StoredSession } from '@sojourn/replica'

/** A region in a process of its own, which a test can kill as the system would. */

const CHILD = fileURLToPath(new URL('./region-child.mjs', import.meta.url))
const BUILT = fileURLToPath(new URL('../../packages/replica/dist/index.js', import.meta.url))

/** What was acknowledged to a client of the region: it must not be lost. */
export interface Acknowledged {
  /** The counts of the sessions; what was under way when the process was killed may have made it too. */
  readonly counts: Map<string, number>
  readonly ended: Set<string>
}

export const nothingAcknowledged = (): Acknowledged => ({ counts: new Map(), ended: new Set() })

export interface RegionProcess {
  readonly address: { readonly host: string; readonly port: number } | undefined
  status(): Promise<ReplicaStatus>
  /** Starts to write, each worker to a session of its own: to those given, and to new ones. */
  load(options: { readonly workers: number; readonly ids?: readonly string[]; readonly write?: Level }): Promise<void>
  /** Ends the load. Rejects where a write failed. */
  stop(): Promise<void>
  increment(id: string): Promise<unknown>
  rekey(encryption?: Encryption): Promise<unknown>
  compareDigests(): Promise<unknown>
  contents(): Promise<{ readonly sessions: readonly StoredSession[]; readonly tombstones: number }>
  /** Collects garbage. `peakHeap`: the most that was seen since the last call. */
  heap(): Promise<{ readonly heapUsed: number; readonly peakHeap: number }>
  close(): Promise<void>
  /** SIGKILL. Resolves when the process is gone and all that it said was heard. */
  kill(): Promise<void>
}

export const openRegionProcess = async (
  options: Omit<ReplicaOptions, 'ports'>,
  acknowledged: Acknowledged = nothingAcknowledged(),
  { maxHeapMb }: { readonly maxHeapMb?: number } = {},
): Promise<RegionProcess> => {
  if (!existsSync(BUILT)) throw new Error(`${BUILT} is not there; run npm run build first`)
  const child = fork(CHILD, [], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    serialization: 'advanced',
    execArgv: ['--expose-gc', ...(maxHeapMb ? [`--max-old-space-size=${maxHeapMb}`] : [])],
  })
  const heard = hear(child, acknowledged)
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const ask = asker(child)
  const end = async () => {
    await Promise.all([gone, heard])
  }
  const kill = () => {
    child.kill('SIGKILL')
    return end()
  }
  try {
    const address = (await ask('open', options)) as RegionProcess['address']
    return {
      address,
      status: () => ask('status') as Promise<ReplicaStatus>,
      load: (load) => ask('load', load) as Promise<void>,
      stop: () => ask('stop') as Promise<void>,
      increment: (id) => ask('increment', id),
      rekey: (encryption) => ask('rekey', encryption),
      compareDigests: () => ask('compareDigests'),
      contents: () => ask('contents') as ReturnType<RegionProcess['contents']>,
      heap: () => ask('heap') as ReturnType<RegionProcess['heap']>,
      async close() {
        await ask('close')
        child.disconnect()
        await end()
      },
      kill,
    }
  } catch (error) {
    await kill()
    throw error
  }
}

/** Takes in each line; resolves when the last one is read. */
const hear = (child: ChildProcess, { counts, ended }: Acknowledged): Promise<void> => {
  const lines = createInterface({ input: child.stdout! })
  lines.on('line', (line) => {
    const [what, id = '', count] = line.split(' ')
    if (what === 'count') counts.set(id, Number(count))
    else if (what === 'end') ended.add(id)
  })
  return new Promise((resolve) => lines.once('close', () => resolve()))
}

const asker = (child: ChildProcess) => {
  const waiting = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>()
  let last = 0
  child.on('message', (message) => {
    const { request, result, error } = message as { request: number; result?: unknown; error?: string }
    const { resolve, reject } = waiting.get(request)!
    waiting.delete(request)
    if (error === undefined) resolve(result)
    else reject(new Error(error))
  })
  child.once('exit', (code, signal) => {
    for (const { reject } of waiting.values()) reject(new Error(`the region's process is gone (${signal ?? code})`))
    waiting.clear()
  })
  return (command: string, argument?: unknown): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const request = ++last
      waiting.set(request, { resolve, reject })
      child.send({ request, command, argument })
    })
}
