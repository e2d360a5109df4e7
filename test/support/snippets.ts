/** The snippets of the Markdown pages, and a way to run one as it stands: in a process and an empty directory of its own. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { filesBelow, ROOT } from './sources.js'
import { until } from './until.js'

/** README.md and the pages of docs/; the decisions (docs/adr) and what typedoc makes (docs/api) aside. */
export const PAGES: readonly string[] = [
  'README.md',
  ...filesBelow('docs', '.md').filter((path) => path.split('/').length === 2),
]

export interface Snippet {
  /** The heading above it. */
  readonly heading: string
  readonly code: string
  /** Of its fence: `js`, `ts`, `sh`, `console` and so on; empty where the fence names none. */
  readonly language: string
  /** Where its first line of code stands in the page. */
  readonly line: number
  /** What the comment above it says: how a test runs it (`run: app`), which file it is (`file: a.mjs`), or why none does (`not run: …`). */
  readonly mark: string | undefined
}

export interface PageSnippet extends Snippet {
  readonly page: string
}

const FENCE = /^(?:<!-- ((?:run|file|not run): .*) -->\n)?```(\w*)\n([\s\S]*?)^```$/gm

/** Every fenced block of a text. */
const blocksOf = (markdown: string): Snippet[] =>
  [...markdown.matchAll(FENCE)].map(({ index, 0: whole, 1: mark, 2: language, 3: code }) => {
    const headings = [...markdown.slice(0, index).matchAll(/^#+ (.*)$/gm)]
    const line = markdown.slice(0, index + whole.indexOf('```')).split('\n').length + 1
    return { heading: headings.at(-1)?.[1] ?? '', code: code!, language: language!, line, mark }
  })

/** Every fenced block of a page. */
export const snippetsOfPage = (page: string): PageSnippet[] =>
  blocksOf(readFileSync(join(ROOT, page), 'utf8')).map((snippet) => ({ ...snippet, page }))

/** Every block of TypeScript or JavaScript. */
export const snippetsOf = (markdown: string): Snippet[] =>
  blocksOf(markdown).filter(({ language }) => /^(?:ts|js|typescript|javascript|mjs)$/.test(language))

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
  /** What its page has it save beside itself: contents by name. */
  readonly files?: Readonly<Record<string, string>>
}

export interface Running extends AsyncDisposable {
  /** What was written to standard output and standard error. */
  output(): string
  /** Resolves to the port of this machine on which the snippet listens, which is another one than it names. */
  port(named: number): Promise<number>
  /** Resolves to the exit code. */
  ended(): Promise<number | null>
}

const MODULES = join(ROOT, 'node_modules')

/** An empty directory with packages: those of this repository, unless others are given. */
export const emptyDirectory = async (modules = MODULES): Promise<string> => {
  const directory = await mkdtemp(join(tmpdir(), 'sojourn-snippet-'))
  await symlink(modules, join(directory, 'node_modules'))
  return directory
}

/** Runs JavaScript. Its ports are mapped, so that it takes none that somebody has; nothing else is changed. */
export const runSnippet = async (
  { code }: Pick<Snippet, 'code'>,
  { env = {}, ports = {}, modules, file = 'snippet.mjs', node = process.execPath, files = {} }: RunOptions = {},
): Promise<Running> => {
  const directory = await emptyDirectory(modules)
  for (const [name, content] of Object.entries({ ...files, [file]: code }))
    await writeFile(join(directory, name), content)
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
      until(
        () => {
          if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${output}`)
          return listening.get(named)
        },
        () => `port ${named} to be listened on; it said: ${output}`,
      ),
    ended: async () => (await exit)[0],
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await exit
      await rm(directory, { recursive: true, force: true })
    },
  }
}
