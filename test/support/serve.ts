import { type Client, type ClientOptions, connect } from '@sojourn/client'
import type { SessionApi } from '@sojourn/core/internal'
import { openReplica, type Replica, type ReplicaOptions } from '@sojourn/replica'
import { type ClientListener, type ListenForClientsOptions, listenForClients } from '@sojourn/server'
import { ANYBODY } from './door.js'
import { openProxy, type TcpProxy } from './proxy.js'

/** A region that serves clients, behind a proxy that a test can cut. */
export interface Served {
  readonly replica: Replica
  readonly listener: ClientListener
  readonly proxy: TcpProxy
  /** Leads through the proxy. */
  readonly url: string
  /** Ends the listener at once, as a crash would, and begins another one on the same replica, behind the same proxy. */
  restart(): Promise<void>
  close(): Promise<void>
}

export interface ServeOptions extends Omit<Partial<ListenForClientsOptions>, 'sessions' | 'replica'> {
  /** A replica that is open already; closing it stays with who opened it. */
  readonly on?: Replica
  readonly region?: Partial<ReplicaOptions>
  /** What calls are served on, made of the replica. */
  readonly around?: (replica: Replica) => SessionApi
}

/** What tests of clients opened, to be closed after each. */
export class Opened {
  readonly #closers: (() => Promise<unknown>)[] = []

  add<T extends { close(): Promise<unknown> }>(what: T): T {
    this.#closers.push(() => what.close())
    return what
  }

  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close()
  }

  async serve({ on, region, around, ...options }: ServeOptions = {}): Promise<Served> {
    const replica = on ?? this.add(await openReplica({ region: 'eu', location: ':memory:', ...region }))
    const listen = () =>
      listenForClients({
        replica,
        tokens: ANYBODY,
        listen: { port: 0 },
        ...options,
        ...(around && { sessions: around(replica) }),
      })
    let listener = await listen()
    const proxy = this.add(await openProxy(() => listener.address))
    return this.add({
      replica,
      get listener() {
        return listener
      },
      proxy,
      url: proxy.url,
      async restart() {
        await listener.close()
        listener = await listen()
      },
      close: () => listener.close(),
    })
  }

  /** A client that notices quickly what happens to its connections. */
  async connect(options: ClientOptions): Promise<Client> {
    return this.add(
      await connect({
        timeout: '10s',
        ...options,
        connection: { heartbeat: 50, timeout: '1s', maxReconnectDelay: 100, failback: 50, ...options.connection },
      }),
    )
  }
}

/** Lets calls through to a replica, and holds the answers back while it is shut: the time in which a connection dies. */
export class Gate {
  #held: (() => void)[] = []
  #isShut = false

  get held(): number {
    return this.#held.length
  }

  shut(): void {
    this.#isShut = true
  }

  open(): void {
    this.#isShut = false
    for (const go of this.#held.splice(0)) go()
  }

  readonly around = (replica: Replica): SessionApi =>
    new Proxy(replica, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target)
        if (typeof value !== 'function') return value
        return (...args: unknown[]) => {
          const answer: unknown = value.apply(target, args)
          if (!(answer instanceof Promise) || !this.#isShut) return answer
          // What is done after it was opened is not held any more.
          return answer.finally(() => this.#isShut && new Promise<void>((resolve) => this.#held.push(resolve)))
        }
      },
    })
}
