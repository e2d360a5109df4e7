/** The app server: the Express app, and the store that it was given, in a process of its own. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { SojournStore } from '@sojourn/express'
import { openReplica, type Replica, type ReplicaOptions } from '@sojourn/replica'
import { RedisStore } from 'connect-redis'
import session, { type Store } from 'express-session'
import { createClient } from 'redis'
import { makeApp } from './app.js'
import { answerCalls } from './calls.js'
import { CpuProfile, type SelfTime } from './cpu-profile.js'
import { cpuMs, LoopWatch, type Round } from './load.js'
import { settled } from './standing.js'

/** Where the app's sessions are. */
export type AppStore =
  | { readonly kind: 'memory' }
  | { readonly kind: 'redis'; readonly port: number }
  | { readonly kind: 'sojourn'; readonly options: ReplicaOptions }

let replica: Replica | undefined
let watch: LoopWatch
let cpuBefore = 0
let profile: CpuProfile

const sojournStore = async (options: ReplicaOptions): Promise<Store> => {
  replica = await openReplica(options)
  replica.on('fault', ({ code, message }) => process.stderr.write(`${options.region}: ${code}: ${message}\n`))
  return new SojournStore({ sessions: replica })
}

const redisStore = async (port: number): Promise<Store> => {
  const client = createClient({ url: `redis://127.0.0.1:${port}` })
  // Without a listener an error would end the process, and say less.
  client.on('error', (error: unknown) => process.stderr.write(`connect-redis: ${String(error)}\n`))
  await client.connect()
  return new RedisStore({ client })
}

const storeOf = (store: AppStore): Promise<Store> | Store => {
  switch (store.kind) {
    case 'memory':
      return new session.MemoryStore()
    case 'redis':
      return redisStore(store.port)
    case 'sojourn':
      return sojournStore(store.options)
  }
}

const methods = {
  /** Returns where the app answers. */
  async open(store: AppStore): Promise<string> {
    const server = createServer(makeApp(await storeOf(store)))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  },
  async startRound(): Promise<void> {
    watch = new LoopWatch()
    await watch.start()
    cpuBefore = cpuMs()
  },
  async endRound(): Promise<Pick<Round, 'cpuMs' | 'peakMs'>> {
    const took = cpuMs() - cpuBefore
    return { cpuMs: took, peakMs: await watch.stop() }
  },
  /** Until all peers hold what was written; at once where there are none. */
  settled: async (): Promise<number> => (replica ? settled(replica) : 0),
  async startProfile(): Promise<void> {
    profile = new CpuProfile()
    await profile.start()
  },
  stopProfile: (path: string): Promise<SelfTime[]> => profile.stop(path),
}

export type AppMethods = typeof methods

answerCalls(methods)
