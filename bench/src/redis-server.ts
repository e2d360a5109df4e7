import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { connect } from 'node:net'
import { Callee } from './calls.js'
import { freePorts } from './ports.js'
import type { RedisMethods } from './redis-process.js'

/** Undefined where `redis-server` is not on the PATH. */
export const redisVersion = (): string | undefined => {
  try {
    return /v=(\S+)/.exec(execFileSync('redis-server', ['--version'], { encoding: 'utf8' }))?.[1]
  } catch {
    return undefined
  }
}

const PATIENCE_MS = 5_000

/** A Redis of our own, with the durability of our `everysec`, and the process that uses it. */
export class RedisPeer {
  readonly user: Callee<RedisMethods>
  readonly #server: ChildProcess

  private constructor(server: ChildProcess) {
    this.#server = server
    this.user = new Callee<RedisMethods>('the user of Redis', './redis-process.js')
  }

  static async start(directory: string): Promise<RedisPeer> {
    mkdirSync(directory, { recursive: true })
    const [port] = await freePorts(1)
    const durability = ['--save', '', '--appendonly', 'yes', '--appendfsync', 'everysec']
    const place = ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory]
    const server = spawn('redis-server', [...place, ...durability], { stdio: 'ignore' })
    // Whatever ends this process must not leave a server behind.
    process.once('exit', () => server.kill('SIGKILL'))
    const peer = new RedisPeer(server)
    await listening(port!)
    await peer.user.call('connect', port!)
    return peer
  }

  async stop(): Promise<void> {
    await this.user.end()
    const ended = new Promise((resolve) => this.#server.once('exit', resolve))
    this.#server.kill('SIGTERM')
    await ended
  }
}

const listening = async (port: number): Promise<void> => {
  const until = performance.now() + PATIENCE_MS
  while (performance.now() < until) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1')
      socket.on('connect', () => {
        socket.destroy()
        resolve(true)
      })
      socket.on('error', () => resolve(false))
    })
    if (isOpen) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`redis-server does not listen on port ${port} after ${PATIENCE_MS} ms`)
}
