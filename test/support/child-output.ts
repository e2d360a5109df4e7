/** What a process that a test started writes, and how it ends. */
import type { ChildProcess } from 'node:child_process'
import type { Readable } from 'node:stream'

/** The lines of what another process is still writing: the whole ones, for it may be read in the middle of one. */
export const wholeLines = (text: string): string[] => text.split('\n').slice(0, -1)

/** Which port it listens on for each that it names: what `mapped-ports.mjs` has written so far. */
export const mappedPorts = (text: string): { readonly [named: number]: number } =>
  Object.fromEntries(
    wholeLines(text)
      .map((line) => JSON.parse(line) as { named: number; actual: number })
      .map(({ named, actual }) => [named, actual]),
  )

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface ChildOutput {
  /** What it has written so far. */
  readonly stdout: string
  readonly ended: Promise<Ended>
}

type Writing = Pick<ChildProcess, 'once'> & { readonly stdout: Readable; readonly stderr: Readable }

/** Collects, from now on, all that the process writes. */
export const outputOf = (child: Writing): ChildOutput => {
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
  })
  return {
    get stdout() {
      return stdout
    },
    ended: new Promise((resolve) => child.once('close', (code) => resolve({ code, stdout, stderr }))),
  }
}
