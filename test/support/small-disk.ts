/** A file system of a few pages, to be filled: a tmpfs, where this process may mount one. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'

export interface SmallDisk {
  readonly directory: string
  /** Takes all space but so many pages (of 4 KiB), by files of its own. */
  fill(pagesLeft: number): void
  /** Gives that space back. */
  free(): void
}

const PAGE_BYTES = 4_096

/** Mounted until the tests of the file are over; undefined where this process may not mount, and then tests are to be skipped. */
export const mountSmall = (bytes: number): SmallDisk | undefined => {
  const directory = mkdtempSync(join(tmpdir(), 'sojourn-small-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes},mode=700`, 'tmpfs', directory], { stdio: 'pipe' })
  } catch {
    rmdirSync(directory)
    return undefined
  }
  afterAll(() => {
    execFileSync('umount', ['--lazy', directory])
    rmdirSync(directory)
  })
  const ballast = join(directory, 'ballast')
  return {
    directory,
    fill(pagesLeft) {
      const { bavail, bsize } = statfsSync(directory)
      writeFileSync(ballast, Buffer.alloc(Math.max(0, bavail * bsize - pagesLeft * PAGE_BYTES)))
    },
    free: () => rmSync(ballast, { force: true }),
  }
}
