/** The demo as `npm start` runs it, on ports and in a directory of the test. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { until } from './until.js'

/** As `npm start` runs it; `npm test` has built it. */
const CLUSTER = fileURLToPath(new URL('../../demo/dist/cluster.js', import.meta.url))
export const READY = 'Ctrl-C stops all three'

const isFree = async (port: number): Promise<boolean> => {
  const server = createServer().listen(port, '127.0.0.1')
  const free = await once(server, 'listening').then(
    () => true,
    () => false,
  )
  server.close()
  return free
}

/** The first of six free ports in a row, below those that the system gives to outgoing connections. */
export const freePorts = async (): Promise<number> => {
  for (let first = 20_000 + (process.pid % 1_000) * 10; first < 32_000; first += 6) {
    const free = await Promise.all(Array.from({ length: 6 }, (_, index) => isFree(first + index)))
    if (free.every(Boolean)) return first
  }
  throw new Error('no free ports')
}

export class Demo {
  readonly #child: ChildProcess
  readonly exited: Promise<number | null>
  output = ''

  constructor(port: number, data: string) {
    const env = {
      ...process.env,
      SOJOURN_DEMO_PORT: String(port),
      SOJOURN_DEMO_LINK_PORT: String(port + 3),
      SOJOURN_DEMO_DATA: data,
    }
    this.#child = spawn(process.execPath, [CLUSTER], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (chunk: Buffer) => {
        this.output += chunk.toString()
      })
    this.exited = once(this.#child, 'close').then(([code]) => code as number | null)
  }

  said(text: string): Promise<unknown> {
    return until(
      () => this.output.includes(text),
      () => `the demo to say ${JSON.stringify(text)}; it said:\n${this.output}`,
    )
  }

  /** What Ctrl-C does. */
  interrupt(): Promise<number | null> {
    this.#child.kill('SIGINT')
    return this.exited
  }
}
