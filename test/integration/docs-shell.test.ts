/** Whether the shell snippets of the pages do what they say: a server and its operators, and the transcript of the demo. */
import { exec, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { mappedPorts } from '../support/child-output.js'
import { Demo, freePorts, READY } from '../support/demo.js'
import { emptyDirectory, PAGES, snippetsOfPage } from '../support/snippets.js'
import { ROOT } from '../support/sources.js'
import { until } from '../support/until.js'

const snippets = PAGES.flatMap(snippetsOfPage)
const codesOf = (mark: string): string[] => snippets.filter((snippet) => snippet.mark === mark).map(({ code }) => code)

interface Said {
  readonly code: number
  readonly output: string
}

const shell = (command: string, cwd: string, env: NodeJS.ProcessEnv = process.env): Promise<Said> =>
  new Promise((resolve) => {
    exec(command, { cwd, env }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code ?? 1) : 0, output: `${stdout}${stderr}` }),
    )
  })

describe('a region as a server', () => {
  it('[README-1] starts as the page says, and answers its operators', async () => {
    const [server] = codesOf('run: server')
    const [operators] = codesOf('run: operators of the server')
    const directory = await emptyDirectory()
    const portsFile = join(directory, 'ports')
    // `npm test` has built it, and other tests run what it built.
    const scripts = { build: 'exit 0' }
    await writeFile(join(directory, 'package.json'), JSON.stringify({ private: true, scripts }))
    const node = { NODE_OPTIONS: `--import ${join(ROOT, 'test/support/mapped-ports.mjs')}`, TEST_PORTS_FILE: portsFile }
    const child = spawn('sh', ['-ec', server!], { cwd: directory, env: { ...process.env, ...node }, detached: true })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk) => {
        output += chunk
      })
    onTestFinished(async () => {
      if (child.exitCode === null) {
        const closed = once(child, 'close')
        process.kill(-child.pid!, 'SIGTERM')
        await closed
      }
      await rm(directory, { recursive: true, force: true })
    })
    const ports = () => (existsSync(portsFile) ? mappedPorts(readFileSync(portsFile, 'utf8')) : {})
    await until(
      () => ports()[7401] && ports()[7402],
      () => `the server to listen; it said: ${output}`,
    )
    const env = { ...process.env, ...node, TEST_PORTS: JSON.stringify(ports()) }
    // Each line by itself, so that the first one that fails is named.
    for (const line of operators!.trim().split('\n'))
      expect(await shell(line, directory, env), line).toMatchObject({ code: 0 })
  })
})

/** The commands of a transcript, each with the lines that it prints. */
const stepsOf = (transcript: string): { command: string; prints: string[] }[] =>
  transcript
    .trim()
    .split(/^\$ /m)
    .filter(Boolean)
    .map((step) => {
      const [command = '', ...prints] = step.trim().split('\n')
      return { command, prints }
    })

/** Without what each run has another of: handles and times. */
const anonymous = (text: string): string =>
  text.replace(/(session |"handle": ")[0-9a-f]{8}\b/g, '$1…').replace(/"\d{4}-\d\d-\d\dT[\d:.]{12}Z"/g, '"a time"')

interface Status {
  readonly isolated: boolean
  readonly links: { readonly [region: string]: { state: string; unacked: number; toReceive?: number } }
}

/** Whether a region has heard all that those have committed with which it is linked. */
const isInStep = async (port: number): Promise<boolean> => {
  const { links, isolated } = (await (await fetch(`http://127.0.0.1:${port}/admin/status`)).json()) as Status
  return Object.values(links).every(({ state, unacked, toReceive = 0 }) =>
    state === 'live' ? unacked === 0 && toReceive === 0 : isolated || state === 'down',
  )
}

describe('the demo', () => {
  it('[DEMO-1] does what the transcripts of the pages say', async () => {
    const port = await freePorts()
    const directory = await mkdtemp(join(tmpdir(), 'sojourn-demo-'))
    const demos: Demo[] = []
    onTestFinished(async () => {
      for (const demo of demos) await demo.interrupt()
      await rm(directory, { recursive: true, force: true })
    })
    const start = async (): Promise<Demo> => {
      const demo = new Demo(port, join(directory, 'data'))
      demos.push(demo)
      await demo.said(READY)
      return demo
    }
    const play = async (transcript: string): Promise<void> => {
      for (const { command, prints } of stepsOf(transcript)) {
        // A reader types more slowly than news travels.
        for (const app of [port, port + 1, port + 2]) await until(() => isInStep(app), `${app} to be in step`)
        const typed = command
          .replace(/localhost:300([123])/g, (_, digit) => `localhost:${port + Number(digit) - 1}`)
          .replaceAll('curl ', 'curl -sS ')
        const { output } = await shell(typed, directory)
        // Two commands at a time print in any order.
        expect(anonymous(output).trim().split('\n').sort(), command).toEqual(prints.map(anonymous).sort())
      }
    }

    const first = await start()
    const transcripts = codesOf('run: transcript of the demo')
    expect(transcripts).toHaveLength(3)
    for (const transcript of transcripts) await play(transcript)
    expect(await first.interrupt()).toBe(0)
    await start()
    const later = codesOf('run: transcript of the demo, started again')
    expect(later).toHaveLength(5)
    for (const transcript of later) await play(transcript)

    const played = [...transcripts, ...later].flatMap(stepsOf).map(({ command }) => command)
    const guided = [...first.output.matchAll(/^ {2}((?:\(?curl|cp) .*)$/gm)].map(([, command]) =>
      command!.replace(/localhost:(\d+)/g, (_, at) => `localhost:${3001 + Number(at) - port}`),
    )
    expect(guided.length).toBeGreaterThan(10)
    // The guide that the demo prints has no line that the pages do not have.
    expect(guided.filter((command) => !played.includes(command))).toEqual([])

    const said = anonymous(first.output).split('\n')
    const [lines] = codesOf('run: what the demo said')
    for (const line of anonymous(lines!).trim().split('\n')) if (line !== '^C') expect(said).toContain(line)
  })
})
