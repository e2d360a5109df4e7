import { execFile } from 'node:child_process'

export interface Ran {
  /** 127 where there is no such program. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
  readonly input?: string
}

const MAX_BYTES = 64 * 1024 * 1024

/** Without the settings that whoever runs the tests has for itself: SOJOURN_BUILD_NETWORK and its like are no part of what is tested. */
const environment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('SOJOURN_')))

/** Runs a program to its end. */
export const run = (program: string, args: readonly string[], { cwd, env, input }: RunOptions = {}): Promise<Ran> =>
  new Promise((resolve) => {
    const child = execFile(
      program,
      args,
      { cwd, env: { ...environment(), ...env }, maxBuffer: MAX_BYTES },
      (error, stdout, stderr) => {
        const { code } = (error ?? {}) as { code?: number | string }
        resolve({ code: error === null ? 0 : typeof code === 'number' ? code : 127, stdout, stderr })
      },
    )
    child.stdin?.on('error', () => {})
    child.stdin?.end(input)
  })

/** What a program that must succeed says. */
export const output = async (program: string, args: readonly string[], options?: RunOptions): Promise<string> => {
  const { code, stdout, stderr } = await run(program, args, options)
  if (code !== 0) throw new Error(`${program} ${args.join(' ')}: ${code}\n${stderr}${stdout}`)
  return stdout.trim()
}

/** Whether a program is there. Says, where it is not, that what needs it is left out: it must not look as if it had passed. */
export const has = async (program: string, args: readonly string[], without: string): Promise<boolean> => {
  const { code, stderr } = await run(program, args)
  if (code === 0) return true
  const why = code === 127 ? `${program} is not on the PATH` : `${program} says: ${stderr.trim().split('\n')[0]}`
  process.stderr.write(`SKIPPED: ${without}, because ${why}\n`)
  return false
}
