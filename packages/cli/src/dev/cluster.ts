/** `sojourn dev`: a cluster on one machine, a child process for each region, until a signal or the end of one region ends all. */
import type { Clock } from '@sojourn/core/internal'
import { EXIT } from '../exit-codes.js'
import type { Output } from '../output.js'
import { type ClusterDirectory, openClusterDirectory } from './files.js'
import { guideJson, guideText } from './guide.js'
import { freePorts, planFrom, portsFrom, type RegionPlan } from './plan.js'
import { type Ended, type Line, RegionProcess } from './region-process.js'

export interface DevOptions {
  readonly regions: readonly string[]
  /** Kept; undefined: a temporary directory, removed at the end. */
  readonly data: string | undefined
  /** Of the first listener; undefined: the system chooses. */
  readonly port: number | undefined
  readonly isVerbose: boolean
  readonly isJson: boolean
  readonly clock: Clock
  readonly env: NodeJS.ProcessEnv
}

/** Somebody may take a port between its choice and its use. */
const MAX_TRIES = 3
/** Longer than the regions' own shutdownTimeout. */
const STOP_MS = 8_000
const STYLES = ['cyan', 'yellow', 'magenta', 'green'] as const

/** The regions that run, and who asked them to stop. */
class Cluster {
  readonly #children: readonly RegionProcess[]
  readonly #clock: Clock
  #isStopping = false

  constructor(children: readonly RegionProcess[], clock: Clock) {
    this.#children = children
    this.#clock = clock
  }

  get pids(): ReadonlyMap<string, number | undefined> {
    return new Map(this.#children.map(({ region, pid }) => [region, pid]))
  }

  get isStopping(): boolean {
    return this.#isStopping
  }

  /** Resolves when all regions let clients in, or with the first one that ended. */
  started(): Promise<'ready' | Ended> {
    return Promise.race([
      Promise.all(this.#children.map(({ ready }) => ready)).then(() => 'ready' as const),
      this.firstEnd(),
    ])
  }

  firstEnd(): Promise<Ended> {
    return Promise.race(this.#children.map(({ ended }) => ended))
  }

  /** Asks all to stop; asked a second time, they leave at once. Whoever does not is killed: their stores are made for that. */
  async stop(): Promise<void> {
    this.#isStopping = true
    for (const child of this.#children) child.stop()
    const timer = this.#clock.after(STOP_MS, () => {
      for (const child of this.#children) child.kill()
    })
    await Promise.all(this.#children.map(({ ended }) => ended))
    timer.cancel()
  }
}

/** The ports that were asked for, or those of the last run in this directory, or new ones. */
const choosePlan = async (
  { regions, port }: DevOptions,
  { lastPlan }: ClusterDirectory,
  tries: number,
): Promise<readonly RegionPlan[]> => {
  if (port !== undefined) return planFrom(regions, portsFrom(port, regions.length))
  const isSame = lastPlan?.map(({ name }) => name).join() === regions.join()
  return isSame && tries === 0 ? lastPlan! : planFrom(regions, await freePorts(regions.length))
}

const endOf = ({ code, signal, why }: Ended): string =>
  `${signal === null ? `with exit code ${code}` : `by ${signal}`}${why === undefined ? '' : `: ${why}`}`

/** What ended a region that nobody asked to end. Its own code, where it says what to do about it. */
const codeOf = ({ code }: Ended): number =>
  code === EXIT.usage || code === EXIT.store || code === EXIT.listen ? code : EXIT.child

/** Runs until a signal, a reader that is gone, or the end of one region. @throws INVALID_OPTION, STORE_FAILED, STORE_LOCKED */
export const runCluster = async (options: DevOptions, out: Output): Promise<number> => {
  const directory = openClusterDirectory(options.data)
  try {
    for (let tries = 0; ; tries++) {
      const plan = await choosePlan(options, directory, tries)
      const ended = await runPlan(plan, directory, options, out)
      if (ended === undefined) return EXIT.ok
      const { end, wasReady } = ended
      const isPortTaken = end.code === EXIT.listen && !wasReady && options.port === undefined
      if (isPortTaken && tries + 1 < MAX_TRIES) continue
      const name = JSON.stringify(end.region)
      out.aside(out.paintAside('red', `sojourn: region ${name} ended ${endOf(end)}. All regions were stopped.`))
      return codeOf(end)
    }
  } finally {
    directory.close()
  }
}

/** @returns which region ended by itself; undefined: all were asked to */
const runPlan = async (
  plan: readonly RegionPlan[],
  directory: ClusterDirectory,
  options: DevOptions,
  out: Output,
): Promise<{ readonly end: Ended; readonly wasReady: boolean } | undefined> => {
  const { isJson, isVerbose, clock, env } = options
  directory.write(plan)
  const width = Math.max(...plan.map(({ name }) => name.length))
  let isUp = false
  const wrote = ({ region, text, brief, weight }: Line): void => {
    // While regions start and stop they miss each other, which is nothing to warn of.
    if (!isVerbose && (weight === 'news' || (weight === 'warning' && !isUp))) return
    const style = STYLES[plan.findIndex(({ name }) => name === region) % STYLES.length]!
    out.aside(`${out.paintAside(style, region.padEnd(width))}  ${isVerbose ? text : brief}`)
  }
  const cluster = new Cluster(
    plan.map(({ name }) => new RegionProcess(name, directory.settingsOf(name), env, wrote)),
    clock,
  )
  const asked = askedToStop(cluster, out)
  try {
    const started = await Promise.race([cluster.started(), asked.promise])
    if (started === 'ready') {
      isUp = true
      if (isJson) out.json(guideJson(plan, directory, cluster.pids))
      else out.text(guideText(plan, directory, out.paint))
    }
    const end = started === 'ready' ? await Promise.race([cluster.firstEnd(), asked.promise]) : started
    if (end === 'asked') return undefined
    return { end, wasReady: started === 'ready' }
  } finally {
    isUp = false
    await cluster.stop()
    asked.release()
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Resolves with the first signal; a second one has the regions leave at once. */
const askedToStop = (cluster: Cluster, out: Output) => {
  let resolve: (value: 'asked') => void = () => {}
  const promise = new Promise<'asked'>((done) => {
    resolve = done
  })
  const asked = () => {
    if (cluster.isStopping) void cluster.stop()
    resolve('asked')
  }
  for (const signal of SIGNALS) process.on(signal, asked)
  out.whenUnread(asked)
  return {
    promise,
    release: () => {
      for (const signal of SIGNALS) process.off(signal, asked)
    },
  }
}
