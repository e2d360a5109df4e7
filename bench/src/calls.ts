import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** What a child process can be asked to do. */
// biome-ignore lint/suspicious/noExplicitAny: any method of any parameters may be called
type Methods = { readonly [method: string]: (...args: any[]) => unknown }

interface Call {
  readonly id: number
  readonly method: string
  readonly args: readonly unknown[]
}

interface Reply {
  readonly id: number
  readonly value?: unknown
  readonly error?: string
}

/** Makes this process answer the calls of the one that forked it, and end with it. */
export const answerCalls = (methods: Methods): void => {
  process.on('disconnect', () => process.exit())
  process.on('message', async ({ id, method, args }: Call) => {
    try {
      process.send?.({ id, value: await methods[method]!(...args) } satisfies Reply)
    } catch (error) {
      process.send?.({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    }
  })
}

/** A forked process of this bench, and the calls to it that are under way. */
export class Callee<M extends Methods> {
  readonly #name: string
  readonly #child: ChildProcess
  readonly #calls = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  #nextId = 1
  #exit: Error | undefined

  /** @param module a file beside this one */
  constructor(name: string, module: string, execArgv: readonly string[] = ['--expose-gc']) {
    this.#name = name
    this.#child = fork(fileURLToPath(new URL(module, import.meta.url)), {
      execArgv: [...execArgv],
      serialization: 'advanced',
    })
    this.#child.on('message', (reply: Reply) => this.#answered(reply))
    this.#child.on('exit', (code, signal) => {
      this.#exit = new Error(`${name}: the process ended with ${code ?? signal}`)
      for (const { reject } of this.#calls.values()) reject(this.#exit)
      this.#calls.clear()
    })
  }

  #answered({ id, value, error }: Reply): void {
    const call = this.#calls.get(id)
    this.#calls.delete(id)
    if (error === undefined) call?.resolve(value)
    else call?.reject(new Error(`${this.#name}: ${error}`))
  }

  call<K extends keyof M & string>(method: K, ...args: Parameters<M[K]>): Promise<Awaited<ReturnType<M[K]>>> {
    if (this.#exit) return Promise.reject(this.#exit)
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve: resolve as (value: unknown) => void, reject })
      this.#child.send({ id, method, args } satisfies Call)
    })
  }

  /** Ends the process, whatever it is doing. */
  async end(): Promise<void> {
    if (this.#exit) return
    const ended = new Promise((resolve) => this.#child.once('exit', resolve))
    this.#child.kill('SIGKILL')
    await ended
  }
}
