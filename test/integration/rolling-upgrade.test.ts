import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Client } from '@sojourn/client'
import type { ReplicaStatus } from '@sojourn/replica'
import { CLIENT_DIALECT, LINK_DIALECT } from '@sojourn/wire'
import { afterEach, expect, it } from 'vitest'
import { openProxy, type TcpProxy } from '../support/proxy.js'
import { SECRET } from '../support/region.js'
import { Opened } from '../support/serve.js'
import { type ServerProcess, startServerProcess } from '../support/sojourn-process.js'
import { until } from '../support/until.js'

/** Three servers in processes of their own, of which each can be another build: this one, or this one configured to speak the older versions. */

const REGIONS = ['eu', 'us', 'ap'] as const
type Region = (typeof REGIONS)[number]
type Build = 'older' | 'newer'
const TOKEN = 'a-client-token-of-the-tests'
const OLDER = ['--links-max-version', '1', '--clients-max-version', '1']

const opened = new Opened()
afterEach(() => opened.close())

class Cluster {
  readonly #data: string
  readonly #servers = new Map<Region, ServerProcess>()
  readonly #links = new Map<Region, TcpProxy>()
  readonly #clients = new Map<Region, TcpProxy>()

  private constructor(data: string) {
    this.#data = data
  }

  static async open(build: Build): Promise<Cluster> {
    const data = await mkdtemp(join(tmpdir(), 'sojourn-upgrade-'))
    opened.add({ close: () => rm(data, { recursive: true, force: true }) })
    const cluster = new Cluster(data)
    for (const region of REGIONS)
      for (const [kind, proxies] of [['links', cluster.#links] as const, ['clients', cluster.#clients] as const])
        proxies.set(
          region,
          opened.add(
            await openProxy(() => {
              const port = cluster.#servers.get(region)?.ports[kind]
              return port === undefined ? undefined : { host: '127.0.0.1', port }
            }),
          ),
        )
    await Promise.all(REGIONS.map((region) => cluster.start(region, build)))
    return cluster
  }

  urlOf(region: Region): string {
    return this.#clients.get(region)!.url
  }

  async start(region: Region, build: Build): Promise<void> {
    const peers = REGIONS.filter((other) => other !== region).map((other) => `${other}=${this.#links.get(other)!.url}`)
    const ports = ['links', 'clients', 'admin'].flatMap((listener) => [`--${listener}-port`, '0'])
    const quick = ['--links-heartbeat', '50ms', '--links-max-reconnect-delay', '100ms', '--ready-peer-wait', '500ms']
    const places = ['--region', region, '--data', join(this.#data, region), '--peers', peers.join(',')]
    const server = await startServerProcess([...places, ...ports, ...quick, ...(build === 'older' ? OLDER : [])], {
      SOJOURN_SECRET: SECRET,
      SOJOURN_TOKENS: `app:write:${TOKEN}`,
    })
    this.#servers.set(region, server)
    opened.add({
      close: () => {
        server.kill('SIGKILL')
        return server.ended
      },
    })
  }

  async replace(region: Region, build: Build): Promise<void> {
    const server = this.#servers.get(region)!
    server.kill('SIGTERM')
    expect((await server.ended).code).toBe(0)
    this.#servers.delete(region)
    await this.start(region, build)
  }

  async status(region: Region): Promise<ReplicaStatus> {
    const response = await fetch(`http://127.0.0.1:${this.#servers.get(region)!.ports.admin}/status`)
    return ((await response.json()) as { replica: ReplicaStatus }).replica
  }

  /** Resolves when all links are live, and gives what is spoken on each. */
  async versions(): Promise<{ readonly [link: string]: number }> {
    const links: { [link: string]: number } = {}
    for (const region of REGIONS)
      await until(async () => {
        const all = Object.entries((await this.status(region)).links)
        for (const [peer, { version }] of all) links[`${region} ${peer}`] = version ?? 0
        return all.every(([, { state }]) => state === 'live')
      }, `the links of ${region}`)
    return links
  }
}

/** What one client writes without a pause, and what it was answered. */
class Writer {
  readonly client: Client
  readonly ids: string[] = []
  readonly acknowledged = new Map<string, number>()
  ended: string[] = []
  torn: unknown[] = []
  #isOver = false
  readonly #work: Promise<unknown>

  constructor(client: Client) {
    this.client = client
    this.#work = Promise.all(Array.from({ length: 4 }, () => this.#write()))
    this.#work.catch(() => {})
  }

  async #write(): Promise<void> {
    while (!this.#isOver) {
      const { id } = await this.client.create({ n: 0, pair: { a: 0, b: 0 } })
      this.ids.push(id)
      for (let n = 1; n <= 40 && !this.#isOver; n++) {
        await this.client.increment(id, '/n')
        this.acknowledged.set(id, n)
        const { data } = await this.client.update(id, { pair: { a: n, b: n } })
        const { a, b } = data.pair as { a: number; b: number }
        if (a !== n || b !== n) this.torn.push(data)
      }
      if (this.ids.length % 3 > 0) continue
      await this.client.end(id)
      this.ended.push(id)
    }
  }

  get count(): number {
    let sum = this.ended.length
    for (const count of this.acknowledged.values()) sum += count
    return sum
  }

  async stop(): Promise<void> {
    this.#isOver = true
    await this.#work
  }
}

const writersOf = async (cluster: Cluster): Promise<readonly Writer[]> =>
  Promise.all(
    REGIONS.map(
      async (region) =>
        new Writer(
          await opened.connect({ url: cluster.urlOf(region), token: TOKEN, timeout: '30s', whenUnavailable: 'wait' }),
        ),
    ),
  )

/** Everybody has written that much more. */
const more = async (writers: readonly Writer[], count: number): Promise<void> => {
  const before = writers.map((writer) => writer.count)
  await until(() => writers.every((writer, place) => writer.count >= before[place]! + count), 'more to be written')
}

it('[UPGRADE-1] a cluster goes to the next build and back, one process at a time, under load: nothing acknowledged is lost, nothing torn', async () => {
  const cluster = await Cluster.open('older')
  expect(new Set(Object.values(await cluster.versions()))).toEqual(new Set([1]))
  const writers = await writersOf(cluster)
  await more(writers, 50)
  for (const build of ['newer', 'older'] as const) {
    for (const region of REGIONS) {
      await cluster.replace(region, build)
      await more(writers, 50)
    }
    const [links, clients] = build === 'newer' ? [LINK_DIALECT.newest, CLIENT_DIALECT.newest] : [1, 1]
    expect(new Set(Object.values(await cluster.versions()))).toEqual(new Set([links]))
    await until(() => writers.every(({ client }) => client.status().version === clients), 'the clients to agree')
  }
  // One is left at the newer build, so that both are there at the end.
  await cluster.replace('us', 'newer')
  expect(await cluster.versions()).toMatchObject({ 'us eu': 1, 'us ap': 1, 'eu ap': 1 })
  await more(writers, 50)
  await Promise.all(writers.map((writer) => writer.stop()))

  const heads = await Promise.all(REGIONS.map(async (region) => [region, await cluster.status(region)] as const))
  for (const region of REGIONS)
    await until(async () => {
      const { vector } = await cluster.status(region)
      return heads.every(([other, { replica, head }]) => other === region || (vector[replica] ?? 0) >= head)
    }, `${region} to hold what all have written`)
  for (const writer of writers) {
    expect(writer.torn).toEqual([])
    const ended = new Set(writer.ended)
    for (const id of writer.ids) {
      const sessions = await Promise.all(writers.map(({ client }) => client.get(id)))
      if (ended.has(id)) expect(sessions).toEqual([undefined, undefined, undefined])
      else {
        const [data, ...others] = sessions.map((session) => session?.data)
        const acknowledged = writer.acknowledged.get(id) ?? 0
        expect(data).toBeDefined()
        for (const other of others) expect(other).toEqual(data)
        const { n, pair } = data as { n: number; pair: { a: number; b: number } }
        expect(n).toBeGreaterThanOrEqual(acknowledged)
        expect(n).toBeLessThanOrEqual(acknowledged + 1)
        expect(pair.a).toBe(pair.b)
      }
    }
  }
}, 120_000)
