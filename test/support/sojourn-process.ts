import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type ChildOutput, type Ended, outputOf, wholeLines } from './child-output.js'
import { until } from './until.js'

/** The command line, in a process of its own, from what `tsc -b` built. */

export const BIN = fileURLToPath(new URL('../../packages/cli/bin/sojourn.js', import.meta.url))
const BUILT = fileURLToPath(new URL('../../packages/cli/dist/index.js', import.meta.url))

export interface SojournProcess extends ChildOutput {
  readonly pid: number
  kill(signal: NodeJS.Signals): void
}

/** Nothing of this process's environment gets in, but what Node itself needs. */
export const startSojourn = (args: readonly string[], env: NodeJS.ProcessEnv = {}, input?: string): SojournProcess => {
  if (!existsSync(BUILT)) throw new Error(`${BUILT} is not there; run npm run build first`)
  const child = spawn(process.execPath, [BIN, ...args], { env: { PATH: process.env.PATH, ...env } })
  const output = outputOf(child)
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  return {
    pid: child.pid!,
    ended: output.ended,
    get stdout() {
      return output.stdout
    },
    kill: (signal) => void child.kill(signal),
  }
}

export const sojourn = (args: readonly string[], env?: NodeJS.ProcessEnv, input?: string): Promise<Ended> =>
  startSojourn(args, env, input).ended

/** Runs a command whose standard output nobody reads: the pipe is closed from the start. */
export const sojournUnread = (args: readonly string[], env: NodeJS.ProcessEnv): Promise<Ended> => {
  const child = spawn(process.execPath, [BIN, ...args], { env: { PATH: process.env.PATH, ...env } })
  child.stdout.destroy()
  child.stdin.end()
  return outputOf(child).ended
}

export interface ServerProcess extends SojournProcess {
  /** As the log says. */
  readonly ports: { readonly links?: number; readonly clients?: number; readonly admin: number }
}

interface LogLine {
  readonly msg: string
  readonly listeners?: { readonly [name: string]: { readonly port: number } }
}

/** Runs `sojourn serve`, and resolves when it is ready. */
export const startServerProcess = async (args: readonly string[], env: NodeJS.ProcessEnv): Promise<ServerProcess> => {
  const child = startSojourn(['serve', ...args], env)
  let isOver = false
  void child.ended.then(() => {
    isOver = true
  })
  const ready = () =>
    wholeLines(child.stdout)
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as LogLine)
      .find(({ msg }) => msg === 'ready')
  await until(() => ready() ?? isOver, 'the server to be ready')
  const listeners = ready()?.listeners
  if (listeners === undefined) throw new Error(`the server ended: ${JSON.stringify(await child.ended)}`)
  const ports = Object.fromEntries(Object.entries(listeners).map(([name, { port }]) => [name, port]))
  return Object.assign(child, { ports: ports as ServerProcess['ports'] })
}
