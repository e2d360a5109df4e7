/** The command line on a terminal: script(1) of util-linux gives it one. */
import { spawn, spawnSync } from 'node:child_process'
import { type Ended, outputOf } from './child-output.js'
import { BIN } from './sojourn-process.js'

const VERSION = spawnSync('script', ['--version'], { encoding: 'utf8' })

/** Whether this machine has a program that makes terminals. */
export const HAS_TERMINAL = VERSION.status === 0 && VERSION.stdout.includes('util-linux')

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

/** Runs a command whose standard output and error are one terminal; what it writes is in `stdout`. */
export const sojournOnTerminal = (args: readonly string[], env: NodeJS.ProcessEnv): Promise<Ended> => {
  const command = [process.execPath, BIN, ...args].map(quoted).join(' ')
  const child = spawn('script', ['-qec', command, '/dev/null'], {
    env: { PATH: process.env.PATH, TERM: 'xterm', SHELL: '/bin/sh', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  return outputOf(child).ended
}
