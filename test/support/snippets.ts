/** The snippets of a Markdown page, and a way to run one as it stands: in a process and an empty directory of its own. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ROOT } from './sources.js'
import { until } from './until.js'

export interface Snippet {
  /** The heading above it. */
  readonly heading: string
  readonly code: string
}

/** Every block of TypeScript or JavaScript. */
export const snippetsOf = (markdown: string): Snippet[] =>
  [...markdown.matchAll(/^```(?:ts|js|typescript|javascript|mjs)\n([\s\S]*?)^```/gm)].map(({ index, 1: code }) => {
    const headings = [...markdown.slice(0, index).matchAll(/^#+ (.*)$/gm)]
    return { heading: headings.at(-1)?.[1] ?? '', code: code! }
  })

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  /** Where connections go that the snippet makes to a port of this machine. Elsewhere they are refused. */
  readonly ports?: Readonly<Record<number, number>>
  /** The node_modules that it finds. Default: those of this repository. */
  readonly modules?: string
  /** What it is saved as; its ending says what it is. Default: `snippet.mjs`. */
  readonly file?: string
  /** The Node.js that runs it. Default: the one that runs the tests. */
  readonly node?: string | undefined
}

export interface Running extends AsyncDisposable {
  /** What was written to standard output and standard error. */
  output(): string
  /** Resolves to the port of this machine on which the snippet listens, which is another one than it names. */
  port(named: number): Promise<number>
  /** Resolves to the exit code. */
  ended(): Promise<number | null>
}

/** Runs a snippet. Its ports are mapped, so that it takes none that somebody has; nothing else is changed. */
export const runSnippet = async (
  { code }: Pick<Snippet, 'code'>,
  {
    env = {},
    ports = {},
    modules = join(ROOT, 'node_modules'),
    file = 'snippet.mjs',
    node = process.execPath,
  }: RunOptions = {},
): Promise<Running> => {
  const directory = await mkdtemp(join(tmpdir(), 'sojourn-snippet-'))
  await symlink(modules, join(directory, 'node_modules'))
  await writeFile(join(directory, file), code)
  const child: ChildProcess = fork(join(directory, file), {
    cwd: directory,
    execPath: node,
    env: { PATH: process.env.PATH, ...env, TEST_PORTS: JSON.stringify(ports) },
    execArgv: ['--import', join(ROOT, 'test/support/mapped-ports.mjs')],
    silent: true,
  })
  let output = ''
  const listening = new Map<number, number>()
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.on('data', (chunk) => {
      output += chunk
    })
  }
  child.on('message', ({ named, actual }: { named: number; actual: number }) => void listening.set(named, actual))
  const exit = once(child, 'close') as Promise<[number | null]>
  return {
    output: () => output,
    port: (named) =>
      until(() => {
        if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${output}`)
        return listening.get(named)
      }, `port ${named} to be listened on`),
    ended: async () => (await exit)[0],
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await exit
      await rm(directory, { recursive: true, force: true })
    },
  }
}
