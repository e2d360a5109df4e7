import { type ChildProcess, fork } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { guide } from './guide.js'
import type { RegionMessage } from './region.js'
import { makeSecret } from './secret.js'
import { type DemoSettings, type RegionName, readSettings } from './settings.js'

const COLOURS: Record<RegionName, number> = { eu: 36, us: 33, ap: 35 }
const REGION_FILE = fileURLToPath(new URL('region.js', import.meta.url))
/** A region that has not stopped by itself after this is killed. Its store is made for that. */
const STOP_MS = 5_000

const inColour = process.stdout.isTTY && !process.env.NO_COLOR

/** Starts a process for each region, prints what they say, and stops them together. */
class Cluster {
  readonly #settings: DemoSettings
  readonly #children = new Map<RegionName, ChildProcess>()
  readonly #linked = new Set<RegionName>()
  readonly #failed = new Set<RegionName>()
  #isStopping = false

  constructor(settings: DemoSettings) {
    this.#settings = settings
  }

  start(): void {
    const { data, linkSecretFile, cookieSecretFile, regions } = this.#settings
    mkdirSync(data, { recursive: true, mode: 0o700 })
    makeSecret(linkSecretFile)
    makeSecret(cookieSecretFile)
    for (const { name } of regions) this.#fork(name)
  }

  #fork(name: RegionName): void {
    // Each would warn of its cookie, which goes over plain HTTP: to this machine only.
    const execArgv = [...process.execArgv, '--disable-warning=SOJOURN_INSECURE_COOKIE']
    const child = fork(REGION_FILE, [name], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], execArgv })
    this.#children.set(name, child)
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream! }).on('line', (line) => this.#print(name, line))
    child.on('message', (message) => this.#heard(name, message as RegionMessage))
    // A message to a region that has just died fails; that it died is reported by `close`.
    child.on('error', () => {})
    child.on('close', (code, signal) => {
      this.#children.delete(name)
      if (this.#isStopping && code === 0) return
      // One that reported why it could not start has been heard.
      if (!this.#failed.has(name)) this.#print(name, `ended unexpectedly (${signal ?? `exit code ${code}`})`)
      this.stop(1)
      process.exitCode = 1
    })
  }

  #heard(name: RegionName, message: RegionMessage): void {
    if (message.kind === 'failed') this.#failed.add(name)
    if (this.#isStopping) return
    if (message.kind === 'failed') {
      console.error(`\n${message.why}\n`)
      this.stop(1)
      return
    }
    const isFirst = !this.#linked.has(name)
    this.#linked.add(name)
    if (isFirst && this.#linked.size === this.#settings.regions.length) console.log(guide(this.#settings))
  }

  stop(exitCode: number): void {
    if (this.#isStopping) return
    this.#isStopping = true
    console.log()
    process.exitCode = exitCode
    for (const child of this.#children.values()) if (child.connected) child.send({ kind: 'stop' })
    setTimeout(() => {
      for (const [name, child] of this.#children) {
        this.#print(name, 'does not stop, and is killed')
        child.kill('SIGKILL')
      }
    }, STOP_MS).unref()
  }

  #print(name: RegionName, line: string): void {
    console.log(inColour ? `\x1b[${COLOURS[name]}m${name}\x1b[0m  ${line}` : `${name}  ${line}`)
  }
}

try {
  const cluster = new Cluster(readSettings(process.env))
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => cluster.stop(0))
  cluster.start()
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}
