import { type ChildProcess, spawn } from 'node:child_process'
import { appendFileSync, createWriteStream, type WriteStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { pause } from './pause.js'
import type { Address } from './proxy.js'
import { removeTraces } from './region-clock.js'
import type { RegionName, Settings } from './schedule.js'

/** `sojourn serve` of one region: a process that is started, stopped, killed, and started again. */

const BIN = fileURLToPath(new URL('../../packages/cli/bin/sojourn.js', import.meta.url))

export const SECRET = 'a secret of the nemesis, known to all'
export const TOKENS = { admin: 'an-admin-token-of-the-nemesis', write: 'a-write-token-of-the-nemesis' }

/** How long a process may take to be ready, and to end when it is asked to, milliseconds. */
const READY_MS = 60_000
const END_MS = 20_000
/** What whoever supervises it waits before it is started again. */
const RESTART_MS = 500
/** As `sojourn serve --help` says: done, or what was in flight was cut. */
const CLEAN_EXITS = [0, 6]
/** The store could not be opened, or not be closed, where its disk is full. */
const STORE_EXIT = 3
/** What a region may not say of another one that runs the same code: its bytes were in order, and it is a member. */
const FORGED = [
  'FRAME_INVALID',
  'FRAME_TOO_LARGE',
  'FRAME_UNEXPECTED',
  'CHANGE_INVALID',
  'RECORD_INVALID',
  'LINK_VERSION',
  'LINK_SECRET',
  'LINK_REGION',
]

export type ServerState = 'down' | 'starting' | 'open' | 'ready'

interface LogLine {
  readonly level?: string
  readonly msg?: string
  readonly code?: string
  readonly listeners?: { readonly [name: string]: Address | undefined }
}

export interface ServerHost {
  /** Flags of the next process. */
  readonly settings: () => Settings
  readonly env: () => NodeJS.ProcessEnv
  /** It listens to probes. */
  opened(): void
  /** It did what no process may do. */
  complain(what: string): void
  /** Whether a process that ends by itself has a good reason. */
  mayEnd(): boolean
}

export class Server {
  readonly region: RegionName
  readonly #host: ServerHost
  readonly #logPath: string
  readonly #log: WriteStream
  #child: ChildProcess | undefined
  #listeners: NonNullable<LogLine['listeners']> = {}
  #state: ServerState = 'down'
  #incarnation = 1
  #starts = 0
  /** Whether it should run: then it is started again when it has ended by itself. */
  #isWanted = false
  #isEnding = false
  /** It was started where it may have to end again by itself. */
  #mayEnd = false
  #onChange = new Set<() => void>()

  constructor(region: RegionName, logPath: string, host: ServerHost) {
    this.region = region
    this.#logPath = logPath
    this.#log = createWriteStream(logPath, { flags: 'a' })
    this.#host = host
  }

  get state(): ServerState {
    return this.#state
  }

  /** A number of its own for each process, from the end of the one before. */
  get incarnation(): number {
    return this.#incarnation
  }

  /** How often it was started. */
  get starts(): number {
    return this.#starts
  }

  address(listener: 'links' | 'clients' | 'admin'): Address | undefined {
    return this.#listeners[listener]
  }

  /** Resolves when it is ready, or `signal` is given. */
  async start(signal?: AbortSignal): Promise<void> {
    this.#isWanted = true
    if (this.#child === undefined) this.#spawn()
    await this.#until(() => this.#state === 'ready' || !this.#isWanted, READY_MS, signal)
    if (this.#isWanted && this.#state !== 'ready' && !signal?.aborted && !this.#host.mayEnd())
      this.#host.complain(`${this.region} is not ready ${READY_MS / 1_000} s after its start`)
  }

  async kill(): Promise<void> {
    this.#isWanted = false
    this.#gone()
    if (this.#child === undefined) return
    this.#signal('SIGKILL')
    await this.#until(() => this.#child === undefined, END_MS)
  }

  async terminate(): Promise<void> {
    this.#isWanted = false
    if (this.#child === undefined) return
    this.#isEnding = true
    this.#signal('SIGTERM')
    await this.#until(() => this.#child === undefined, END_MS)
    if (this.#child === undefined) return
    this.#host.complain(`${this.region} has not ended ${END_MS / 1_000} s after SIGTERM`)
    await this.kill()
  }

  pause(): void {
    this.#signal('SIGSTOP')
  }

  resume(): void {
    this.#signal('SIGCONT')
  }

  /** For when nothing can be waited for any more. */
  destroy(): void {
    this.#isWanted = false
    this.#isEnding = true
    const pid = this.#child?.pid
    this.#signal('SIGKILL')
    if (pid) removeTraces(pid)
  }

  #signal(signal: NodeJS.Signals): void {
    appendFileSync(this.#logPath, `=== ${signal} to ${this.#child?.pid ?? 'nobody'}\n`)
    this.#child?.kill(signal)
  }

  #spawn(): void {
    this.#mayEnd = this.#host.mayEnd()
    const flags = Object.entries(this.#host.settings()).map(([path, value]) => `${flagOf(path)}=${value}`)
    const child = spawn(process.execPath, [BIN, 'serve', ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH,
        SOJOURN_SECRET: SECRET,
        SOJOURN_TOKENS: Object.entries(TOKENS)
          .map(([scope, token]) => `${scope}-bearer:${scope}:${token}`)
          .join(' '),
        ...this.#host.env(),
      },
    })
    this.#child = child
    this.#isEnding = false
    this.#mayEnd = this.#host.mayEnd()
    this.#starts++
    this.#state = 'starting'
    this.#log.write(`=== process ${child.pid}, start ${this.#starts}: ${flags.join(' ')}\n`)
    createInterface({ input: child.stdout }).on('line', (line) => this.#heard(child, line))
    child.stderr.on('data', (chunk: Buffer) => this.#log.write(chunk))
    child.on('error', (error) => this.#host.complain(`${this.region} cannot be started: ${error.message}`))
    child.on('close', (code, signal) => this.#ended(child, code, signal))
  }

  #heard(child: ChildProcess, line: string): void {
    this.#log.write(`${line}\n`)
    if (!line.startsWith('{') || child !== this.#child) return
    const { level, msg, code, listeners } = JSON.parse(line) as LogLine
    if (listeners && (msg === 'open' || msg === 'ready')) {
      this.#listeners = listeners
      this.#state = msg
      if (msg === 'open') this.#host.opened()
      this.#changed()
    }
    if (msg === 'unexpected' || level === 'fatal') {
      if (msg === 'unexpected' || !this.#host.mayEnd()) this.#host.complain(`${this.region} says: ${line}`)
    } else if (code !== undefined && FORGED.includes(code)) this.#host.complain(`${this.region} says: ${line}`)
  }

  /** From now on nothing that it is asked is answered by this process. */
  #gone(): void {
    this.#state = 'down'
    this.#listeners = {}
    this.#incarnation++
    this.#changed()
  }

  #ended(child: ChildProcess, code: number | null, signal: NodeJS.Signals | null): void {
    if (child.pid) removeTraces(child.pid)
    this.#log.write(`=== process ${child.pid} ended: ${signal ?? code}\n`)
    if (child !== this.#child) return
    this.#child = undefined
    if (this.#state !== 'down') this.#gone()
    this.#judgeEnd(code, signal)
    this.#changed()
    if (this.#isWanted)
      void pause(RESTART_MS).then(() => {
        if (this.#isWanted && this.#child === undefined) this.#spawn()
      })
  }

  #judgeEnd(code: number | null, signal: NodeJS.Signals | null): void {
    const mayEnd = this.#mayEnd || this.#host.mayEnd()
    const how = signal ?? `exit code ${code}`
    const isClean = code === null || CLEAN_EXITS.includes(code) || (code === STORE_EXIT && mayEnd)
    if (this.#isEnding && !isClean) this.#host.complain(`${this.region} ended with ${how} when it was asked to end`)
    if (this.#isWanted && !mayEnd) this.#host.complain(`${this.region} ended with ${how} by itself`)
  }

  #changed(): void {
    for (const each of [...this.#onChange]) each()
  }

  /** Resolves when it is so, or the time is over, or the signal is given. */
  #until(test: () => boolean, ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', done)
        this.#onChange.delete(look)
        resolve()
      }
      const look = () => {
        if (test()) done()
      }
      const timer = setTimeout(done, ms)
      signal?.addEventListener('abort', done)
      this.#onChange.add(look)
      if (signal?.aborted) done()
      else look()
    })
  }
}

/** `links.maxReconnectDelay` is `--links-max-reconnect-delay`. */
const flagOf = (path: string): string =>
  `--${path.replaceAll('.', '-').replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
