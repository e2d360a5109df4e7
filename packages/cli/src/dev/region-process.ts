/** One region of a cluster on one machine: `sojourn serve` as a child process. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { ENDS_WITH_PARENT } from '../settings-flags.js'

const BIN = fileURLToPath(new URL('../../bin/sojourn.js', import.meta.url))

/** How a child ended. */
export interface Ended {
  readonly region: string
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** What it gave as the reason; undefined: nothing. */
  readonly why: string | undefined
}

/** A line that a region wrote. */
export interface Line {
  readonly region: string
  /** As it stands. */
  readonly text: string
  /** In few words, for people. */
  readonly brief: string
  readonly weight: 'news' | 'warning' | 'fault'
}

interface LogLine {
  readonly level: string
  readonly msg: string
  readonly why?: string
  readonly peer?: string
}

const WEIGHT: { readonly [level: string]: Line['weight'] } = { warn: 'warning', error: 'fault', fatal: 'fault' }

/** It goes to a terminal, and peers choose parts of it. */
const briefOf = ({ msg, peer, why }: LogLine): string =>
  [msg, ...(peer === undefined ? [] : [JSON.stringify(peer)]), ...(why === undefined ? [] : [`(${why})`])]
    .join(' ')
    .replace(/\p{C}/gu, '?')

const parseLog = (text: string): LogLine | undefined => {
  try {
    return JSON.parse(text) as LogLine
  } catch {
    return undefined
  }
}

/** What surrounds this process, without settings: a variable would win over the file of each region. */
const surroundings = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('SOJOURN_'))),
  [ENDS_WITH_PARENT]: 'true',
})

export class RegionProcess {
  readonly region: string
  /** Resolves when clients are let in; never, where the child ends before. */
  readonly ready: Promise<void>
  readonly ended: Promise<Ended>
  readonly #child: ChildProcess
  #why: string | undefined
  #becameReady = () => {}

  constructor(region: string, settings: string, env: NodeJS.ProcessEnv, wrote: (line: Line) => void) {
    this.region = region
    this.ready = new Promise((resolve) => {
      this.#becameReady = resolve
    })
    // A group of its own: Ctrl-C goes to this process alone, which then asks each region once. The channel closes in each region when this process is gone.
    const options = { env: surroundings(env), detached: true, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] as const }
    this.#child = spawn(process.execPath, [BIN, 'serve', '--config', settings], {
      ...options,
      stdio: [...options.stdio],
    })
    createInterface({ input: this.#child.stdout! }).on('line', (text) => this.#logged(text, wrote))
    createInterface({ input: this.#child.stderr! }).on('line', (text) => {
      this.#why = text.replace(/^sojourn: /, '')
      wrote({ region, text, brief: text, weight: 'fault' })
    })
    // A message to a child that has just ended fails; `close` reports the end.
    this.#child.on('error', () => {})
    this.ended = new Promise((resolve) => {
      this.#child.once('close', (code, signal) => resolve({ region, code, signal, why: this.#why }))
    })
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** Asks it to stop; the second time it leaves at once. */
  stop(): void {
    this.#child.kill('SIGTERM')
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  #logged(text: string, wrote: (line: Line) => void): void {
    const line = parseLog(text)
    if (line?.level === 'fatal') this.#why = briefOf(line)
    const brief = line === undefined ? text : briefOf(line)
    wrote({ region: this.region, text, brief, weight: line === undefined ? 'fault' : (WEIGHT[line.level] ?? 'news') })
    if (line?.msg === 'ready') this.#becameReady()
  }
}
