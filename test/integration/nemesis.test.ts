import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { OWN_BUGS } from '../../nemesis/src/bugs.js'
import { ROOT } from '../support/sources.js'

/** The command `npm run nemesis`, as somebody runs it. */

const MAIN = join(ROOT, 'nemesis/dist/main.js')

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sojourn-nemesis-test-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const run = (...args: readonly string[]) => {
  const child = spawn(process.execPath, [MAIN, '--dir', directory, ...args])
  let text = ''
  const heard = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      for (const each of heard) each()
    })
  return {
    child,
    ended: new Promise<{ code: number | null; text: string }>((resolve) =>
      child.once('close', (code) => resolve({ code, text })),
    ),
    says: (what: string) =>
      new Promise<void>((resolve) => {
        const look = () => {
          if (text.includes(what)) resolve()
        }
        heard.add(look)
        look()
      }),
  }
}

/** The processes that have a directory of this run in their arguments. */
const serversLeft = async (): Promise<string[]> => {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))
  return lines.filter((line) => line.includes(directory) && line.includes('serve'))
}

describe('the command', () => {
  it('[NEM-4] ends cleanly when it is interrupted: no process, no mount, no directory is left', async () => {
    const { child, ended, says } = run('--seed', '3', '--minutes', '5')
    await says('going wrong')
    if (process.platform === 'linux') expect((await serversLeft()).length).toBeGreaterThan(0)
    child.kill('SIGINT')
    const { code, text } = await ended
    expect(text).toContain('interrupted; no rule was broken until then')
    expect(code).toBe(130)
    expect(await readdir(directory)).toEqual([])
    if (process.platform === 'linux') expect(await serversLeft()).toEqual([])
  })

  it.each([
    [['--minutes', '0'], '--minutes is 0; give a whole number from 1'],
    [['--only', 'rain'], '--only: there is no fault rain; give cut'],
    [['--bug', 'none'], '--bug: there is no bug none; give '],
    [['--only', 'cut', '--without', 'cut'], '--only and --without leave no fault'],
    [['--fault', 'cut'], "Unknown option '--fault'"],
  ])('[NEM-4] refuses wrong arguments: %s', async (args, says) => {
    const { code, text } = await run(...args).ended
    expect(text).toContain(says)
    expect(code).toBe(2)
    expect(await readdir(directory)).toEqual([])
  })

  it('[NEM-4] says with --help which faults there are', async () => {
    const { code, text } = await run('--help').ended
    expect(code).toBe(0)
    for (const fault of ['half-open', 'SIGSTOP', 'SIGKILL', 'SIGTERM', 'libfaketime']) expect(text).toContain(fault)
  })
})

describe('a nemesis that finds nothing must be able to', () => {
  it('[NEM-5] each bug still finds the lines that it is to break', async () => {
    expect(OWN_BUGS.length).toBeGreaterThan(3)
    for (const { edits, name } of OWN_BUGS)
      for (const { file, find } of edits)
        expect(await readFile(join(ROOT, 'packages', file), 'utf8'), `${name}: ${file}`).toContain(find)
  })
})
