import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** The wall clock of one region's processes, which libfaketime sets to whatever a file says. */

/** Where Debian, Fedora and Homebrew put it. */
const LIBRARIES = [
  ...(existsSync('/usr/lib') ? readdirSync('/usr/lib').map((name) => `/usr/lib/${name}/faketime`) : []),
  '/usr/lib64/faketime',
  '/usr/lib/faketime',
].map((folder) => join(folder, 'libfaketimeMT.so.1'))

/** Processes look at the file once a second; a moment more, and it has been seen. */
const SEEN_MS = 2_500

/** The library; undefined: there is none here. */
export const findFaketime = (): string | undefined =>
  process.platform === 'linux' ? LIBRARIES.find((path) => existsSync(path)) : undefined

/** What a process of libfaketime leaves behind when it is killed. */
export const removeTraces = (pid: number): void => {
  for (const name of [`faketime_shm_${pid}`, `sem.faketime_sem_${pid}`]) rmSync(`/dev/shm/${name}`, { force: true })
}

export class RegionClock {
  readonly #library: string | undefined
  readonly #file: string
  /** Milliseconds that it may be off now, each until when; without an end: as it is set. */
  #offsets: { readonly ms: number; readonly until: number }[] = [{ ms: 0, until: Number.POSITIVE_INFINITY }]

  constructor(library: string | undefined, file: string) {
    this.#library = library
    this.#file = file
    if (library) this.#write(0)
  }

  /** What a process needs to see it. */
  get env(): NodeJS.ProcessEnv {
    if (!this.#library) return {}
    return {
      LD_PRELOAD: this.#library,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_CACHE_DURATION: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    }
  }

  set(offsetMs: number): void {
    const until = performance.now() + SEEN_MS
    this.#offsets = [
      ...this.#possible().map(({ ms }) => ({ ms, until })),
      { ms: offsetMs, until: Number.POSITIVE_INFINITY },
    ]
    this.#write(offsetMs)
  }

  /** The least and the most that it may show now. A region that knows better than its clock may also go by the right time. */
  get span(): readonly [low: number, high: number] {
    const now = Date.now()
    const offsets = [0, ...this.#possible().map(({ ms }) => ms)]
    return [now + Math.min(...offsets), now + Math.max(...offsets)]
  }

  get isWrong(): boolean {
    return this.#possible().some(({ ms }) => ms !== 0)
  }

  #possible(): { readonly ms: number; readonly until: number }[] {
    const now = performance.now()
    return this.#offsets.filter(({ until }) => until > now)
  }

  #write(offsetMs: number): void {
    writeFileSync(this.#file, `${offsetMs < 0 ? '-' : '+'}${Math.abs(offsetMs) / 1_000}\n`)
  }
}
