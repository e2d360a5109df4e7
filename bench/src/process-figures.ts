/** Figures of a process and of its files, as the system has them. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

export interface Memory {
  /** Of JavaScript's objects. */
  readonly heap: number
  /** Of buffers and of WebAssembly. */
  readonly external: number
  /** Of the process, as the system counts it. */
  readonly rss: number
  /** Of these, pages of files that are mapped: the system takes them back when others need them. 0 where it does not say. */
  readonly mapped: number
}

/** Bytes of a line of `/proc/self/status`. Linux only. */
const statusBytes = (name: string): number => {
  try {
    const kibibytes = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
    return Number(kibibytes ?? 0) * 1_024
  } catch {
    return 0
  }
}

/** @param collected whether what is garbage is left out */
export const memoryNow = (collected: boolean): Memory => {
  // A first collection frees what holds on to buffers, a second the buffers.
  if (collected) for (let times = 0; times < 3; times++) globalThis.gc?.()
  const { heapUsed, external, rss } = process.memoryUsage()
  return { heap: heapUsed, external, rss, mapped: statusBytes('RssFile') }
}

export const mostOf = (a: Memory, b: Memory): Memory => ({
  heap: Math.max(a.heap, b.heap),
  external: Math.max(a.external, b.external),
  rss: Math.max(a.rss, b.rss),
  mapped: Math.max(a.mapped, b.mapped),
})

/** Bytes that this process has handed to the system to write, to files and sockets alike. Linux only. */
export const bytesWritten = (): number | undefined => {
  try {
    return Number(/^wchar: (\d+)/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1])
  } catch {
    return undefined
  }
}

/** What the files of a directory come to. */
export const directoryBytes = (directory: string): number => {
  let bytes = 0
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name)
    // A file of a running store may be gone by now.
    bytes += entry.isDirectory() ? directoryBytes(path) : (statSync(path, { throwIfNoEntry: false })?.size ?? 0)
  }
  return bytes
}
