import { writeFileSync } from 'node:fs'
import { type Profiler, Session } from 'node:inspector/promises'
import { basename, dirname } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface SelfTime {
  readonly where: string
  readonly ms: number
  /** Of the time profiled. */
  readonly share: number
}

const SAMPLING_INTERVAL_US = 200

const nameOf = ({ functionName, url, lineNumber }: Profiler.ProfileNode['callFrame']): string => {
  const name = functionName || '(anonymous)'
  if (!url.startsWith('file:')) return `${name} ${url}`.trimEnd()
  const path = fileURLToPath(url)
  const foreign = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1]
  // One of ours is called as one of theirs: express.
  const own = /packages\/([^/]+)/.exec(path)?.[1]
  const owner = foreign ?? (own === undefined ? basename(dirname(path)) : `@sojourn/${own}`)
  return `${name} ${owner}/${basename(path)}:${lineNumber + 1}`
}

/** Starting and stopping is work, too; it is the profiler's own. */
const PROFILER = 'dispatch'

/** The name of each node. Native functions often have none that helps, so they are named with who calls them. */
const namesOf = (nodes: readonly Profiler.ProfileNode[]): Map<number, string> => {
  const parents = new Map(nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node] as const)))
  return new Map(
    nodes.map((node) => {
      const { url, functionName } = node.callFrame
      const parent = parents.get(node.id)
      const isNative = url === '' && parent !== undefined && parent.callFrame.functionName !== '(root)'
      const name = functionName === PROFILER && url === '' ? PROFILER : nameOf(node.callFrame)
      return [node.id, isNative && name !== PROFILER ? `${name} < ${nameOf(parent.callFrame)}` : name]
    }),
  )
}

const selfTimes = ({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): SelfTime[] => {
  const names = namesOf(nodes)
  const times = new Map<string, number>()
  let total = 0
  for (const [index, id] of samples.entries()) {
    const name = names.get(id) ?? '(unknown)'
    if (name === PROFILER) continue
    // A sample stands for the time until the next one.
    const ms = (timeDeltas[index + 1] ?? 0) / 1_000
    total += ms
    times.set(name, (times.get(name) ?? 0) + ms)
  }
  const sorted = [...times].sort(([, a], [, b]) => b - a)
  return sorted.map(([where, ms]) => ({ where, ms, share: ms / total }))
}

/** Where this process spends its time between start and stop, and nothing of what came before. */
export class CpuProfile {
  readonly #session = new Session()

  async start(): Promise<void> {
    this.#session.connect()
    await this.#session.post('Profiler.enable')
    await this.#session.post('Profiler.setSamplingInterval', { interval: SAMPLING_INTERVAL_US })
    await this.#session.post('Profiler.start')
  }

  /** @param path where the whole profile goes, for the browser's developer tools */
  async stop(path: string): Promise<SelfTime[]> {
    const { profile } = await this.#session.post('Profiler.stop')
    this.#session.disconnect()
    writeFileSync(path, JSON.stringify(profile))
    return selfTimes(profile)
  }
}
