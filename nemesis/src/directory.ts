import { execFileSync } from 'node:child_process'
import {
  closeSync,
  cpSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'

/** Where a region keeps what it knows: a folder that nobody looks into, on a file system of its own where that is wanted and allowed. */

/** Enough for what a run writes, little enough to be filled at once. */
const SMALL_BYTES = 96 * 1024 * 1024
const FILLER = 'filler'
const BLOCK = Buffer.alloc(1024 * 1024)

export class Directory {
  /** What `sojourn serve` is given. */
  readonly path: string
  readonly #root: string
  readonly #copy: string
  #isMounted = false
  /** When the copy was taken, milliseconds of the run; undefined: there is none. */
  copiedAt: number | undefined

  constructor(parent: string, region: string) {
    this.#root = join(parent, region)
    this.path = join(this.#root, 'data')
    this.#copy = join(parent, `${region}-copy`)
    mkdirSync(this.#root, { recursive: true })
  }

  get isSmall(): boolean {
    return this.#isMounted
  }

  /** Puts a small file system under it. Returns why that cannot be; undefined: done. */
  mount(): string | undefined {
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SMALL_BYTES},mode=0700`, 'sojourn-nemesis', this.#root], {
        stdio: ['ignore', 'ignore', 'pipe'],
      })
    } catch (error) {
      const { stderr, message } = error as { stderr?: Buffer; message: string }
      return stderr?.toString().trim() || message
    }
    this.#isMounted = true
    return undefined
  }

  /** Undoes {@link mount}; `keep`: what is in it stays, as ordinary files. */
  unmount(keep: boolean): void {
    if (!this.#isMounted) return
    const kept = `${this.#root}-kept`
    if (keep && existsSync(this.path)) cpSync(this.path, kept, { recursive: true })
    execFileSync('umount', [this.#root], { stdio: 'ignore' })
    this.#isMounted = false
    if (existsSync(kept)) {
      cpSync(kept, this.path, { recursive: true })
      rmSync(kept, { recursive: true })
    }
  }

  /** Takes every byte that is free, but for so many. */
  fill(left: number): void {
    const fd = openSync(join(this.#root, FILLER), 'w')
    try {
      for (const size of [BLOCK.length, 4_096, 1])
        try {
          for (;;) writeSync(fd, BLOCK, 0, size)
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
        }
      ftruncateSync(fd, Math.max(0, fstatSync(fd).size - left))
    } finally {
      closeSync(fd)
    }
  }

  free(): void {
    rmSync(join(this.#root, FILLER), { force: true })
  }

  empty(): void {
    rmSync(this.path, { recursive: true, force: true })
  }

  /** Of a region that does not run. */
  copy(at: number): void {
    rmSync(this.#copy, { recursive: true, force: true })
    cpSync(this.path, this.#copy, { recursive: true, preserveTimestamps: true })
    this.copiedAt = at
  }

  restore(): void {
    this.empty()
    cpSync(this.#copy, this.path, { recursive: true, preserveTimestamps: true })
  }
}
