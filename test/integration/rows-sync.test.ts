import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'

const run = promisify(execFile)
const CHILD = fileURLToPath(new URL('../support/rows-child.mjs', import.meta.url))
const CALLS = 'write,unlink,fdatasync,faccessat,access'

/** Whether calls of a process can be watched here. */
const canTrace = await run('strace', ['-f', '-y', '-o', '/dev/null', 'true']).then(
  () => true,
  () => false,
)

/** Lines of strace, of all threads, each call at the moment at which it was over. */
const callsIn = (trace: string): string[] => {
  const begun = new Map<string, string>()
  return trace.split('\n').flatMap((line) => {
    const [, thread, text] = /^(\d+) +(.*)$/.exec(line) ?? []
    if (thread === undefined || text === undefined) return []
    if (text.endsWith('<unfinished ...>')) {
      begun.set(thread, text.slice(0, -'<unfinished ...>'.length))
      return []
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(text)
    return [resumed ? begun.get(thread)! + resumed[1] : text]
  })
}

/** Logs of LevelDB that were written to and not synced, nor removed, when the marker was asked for; and all that were written to. */
const logsAt = (calls: readonly string[], marker: string) => {
  const unsynced = new Set<string>()
  const written = new Set<string>()
  for (const call of calls) {
    if (call.includes(marker)) return { unsynced, written }
    const [, name, path] = /^(write|fdatasync|unlink)\((?:\d+<|")([^">]*\.log)[">].* = \d+$/.exec(call) ?? []
    if (path === undefined) continue
    if (name === 'write') written.add(path)
    if (name === 'write') unsynced.add(path)
    else unsynced.delete(path)
  }
  throw new Error(`the marker is not in the trace: ${calls.slice(-5).join('\n')}`)
}

test.skipIf(!canTrace)(
  '[STORE-6] a row that waits for the disk waits for all rows before it, also where LevelDB has begun another log',
  async () => {
    const location = await mkdtemp(join(tmpdir(), 'sojourn-sync-'))
    onTestFinished(() => rm(location, { recursive: true }))
    const trace = join(location, 'trace')
    await run('strace', [
      '-f',
      '-y',
      '-e',
      `trace=${CALLS}`,
      '-o',
      trace,
      process.execPath,
      CHILD,
      join(location, 'store'),
    ])
    const { unsynced, written } = logsAt(callsIn(await readFile(trace, 'utf8')), '/the-rows-are-synced')
    expect(written.size).toBe(2)
    expect([...unsynced]).toEqual([])
  },
)
