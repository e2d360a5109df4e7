/** Redis, and what speaks like it: servers of our own, and the process that uses them. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { Callee } from './calls.js'
import { freePorts } from './ports.js'
import type { RedisMethods } from './redis-process.js'

const versionOf = (binary: string): string | undefined => {
  try {
    return /v=(\S+)/.exec(
      execFileSync(binary, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
    )?.[1]
  } catch {
    return undefined
  }
}

/** Undefined where `redis-server` is not on the PATH. */
export const redisVersion = (): string | undefined => versionOf('redis-server')

/** Undefined where `keydb-server` is not on the PATH. */
export const keydbVersion = (): string | undefined => versionOf('keydb-server')

const PATIENCE_MS = 5_000

/** With the durability of our `everysec`. */
const DURABILITY = ['--save', '', '--appendonly', 'yes', '--appendfsync', 'everysec']

/** Redis otherwise waits five seconds for more replicas that want a copy. */
const COPIES_AT_ONCE = ['--repl-diskless-sync-delay', '0']

interface Place {
  readonly directory: string
  readonly port: number
}

const startServer = async (binary: string, { directory, port }: Place, more: readonly string[]) => {
  mkdirSync(directory, { recursive: true })
  const place = ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory]
  const server = spawn(binary, [...place, ...DURABILITY, ...more], { stdio: 'ignore' })
  // Whatever ends this process must not leave a server behind.
  process.once('exit', () => server.kill('SIGKILL'))
  await listening(binary, port)
  return server
}

const replicaOf = (port: number): string[] => ['--replicaof', '127.0.0.1', String(port)]

/** A Redis of our own, perhaps with others that hold what it holds, and the process that uses it. */
export class RedisPeer {
  readonly user: Callee<RedisMethods>
  /** Of the one that is used. */
  readonly port: number
  /** Others that hold what it holds. */
  readonly replicas: number
  readonly #servers: readonly ChildProcess[]

  private constructor(port: number, servers: readonly ChildProcess[]) {
    this.port = port
    this.#servers = servers
    this.replicas = servers.length - 1
    this.user = new Callee<RedisMethods>('the user of Redis', './redis-process.js')
  }

  /** @param replicas that follow it, asynchronously */
  static async start(directory: string, replicas = 0): Promise<RedisPeer> {
    const [port, ...others] = await freePorts(1 + replicas)
    const servers = [await startServer('redis-server', { directory, port: port! }, COPIES_AT_ONCE)]
    await Promise.all(
      others.map(async (other, index) => {
        const place = { directory: join(directory, `replica-${index + 1}`), port: other }
        servers.push(await startServer('redis-server', place, replicaOf(port!)))
      }),
    )
    return RedisPeer.#used(port!, servers)
  }

  /** Two masters of KeyDB, each of which takes writes and passes them on to the other; the first one is used. */
  static async startKeydb(directory: string): Promise<RedisPeer> {
    const ports = await freePorts(2)
    const servers = await Promise.all(
      ports.map((port, index) => {
        const active = ['--multi-master', 'yes', '--active-replica', 'yes', ...replicaOf(ports[1 - index]!)]
        return startServer('keydb-server', { directory: join(directory, `master-${index + 1}`), port }, active)
      }),
    )
    return RedisPeer.#used(ports[0]!, servers)
  }

  static async #used(port: number, servers: readonly ChildProcess[]): Promise<RedisPeer> {
    const peer = new RedisPeer(port, servers)
    await peer.user.call('connect', port)
    if (peer.replicas > 0) await peer.user.call('settled', peer.replicas)
    return peer
  }

  async stop(): Promise<void> {
    await this.user.end()
    await Promise.all(
      this.#servers.map(async (server) => {
        const ended = new Promise((resolve) => server.once('exit', resolve))
        server.kill('SIGTERM')
        await ended
      }),
    )
  }
}

const listening = async (binary: string, port: number): Promise<void> => {
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
  throw new Error(`${binary} does not listen on port ${port} after ${PATIENCE_MS} ms`)
}
