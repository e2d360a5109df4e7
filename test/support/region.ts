import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { type Clock, systemClock } from '@sojourn/core/internal'
import { type Fault, openReplica, type Replica, type ReplicaOptions, type StoredSession } from '@sojourn/replica'
import { door } from './door.js'
import { openProxy, type TcpProxy } from './proxy.js'
import { until } from './until.js'

/** Regions in one process, linked by real WebSockets through proxies that a test can cut. */

/** The real clock, and on top whatever a test lets pass: for the wall clock and the monotonic one alike. Timers stay real; an expiry is a predicate at read, so it needs none. */
export interface SteppedClock extends Clock {
  advance(ms: number): void
}

export const steppedClock = (): SteppedClock => {
  let offset = 0
  return {
    ...systemClock,
    now: () => systemClock.now() + offset,
    monotonic: () => systemClock.monotonic() + offset,
    advance(ms) {
      offset += ms
    },
  }
}

export const SECRET = 'a secret of the tests'

type Own = 'region' | 'location' | 'listen' | 'peers' | 'secret'

export interface RegionsOptions<N extends string> extends Omit<ReplicaOptions, Own> {
  /** On the disk, in temporary directories, rather than in memory. */
  readonly disk?: boolean
  /** Links are dialed over TLS: each region is to have `tls`. */
  readonly secure?: boolean
  /** Who is linked with whom. Default: everybody. All regions are members, linked or not. */
  readonly pairs?: readonly (readonly [N, N])[]
  /** What differs in some regions. */
  readonly each?: { readonly [K in N]?: Partial<ReplicaOptions> }
}

export interface Controls<N extends string> {
  readonly names: readonly N[]
  /** Those that are open, in the order of the names. */
  readonly all: readonly Replica[]
  /** Every `fault` event of every region, as it came. */
  readonly faults: readonly (Fault & { readonly region: string })[]
  /** Where a region's store is. */
  location(name: N): string
  /** The proxy through which `from` dials `to`. */
  proxy(from: N, to: N): TcpProxy
  /** Cuts the link of two regions, and resolves when both know. */
  cut(a: N, b: N): Promise<void>
  heal(a: N, b: N): void
  /** Cuts every link of a region. */
  cutOff(region: N): Promise<void>
  /** Cuts every link there is. */
  cutAll(): Promise<void>
  healAll(): void
  /** See {@link TcpProxy.stall}, in both directions. */
  stall(a: N, b: N): void
  flow(a: N, b: N): void
  /**
   * Resolves when the links between these regions (default: all) are live and each holds what every other has committed.
   * @throws where they hold different sessions all the same
   */
  settled(...names: N[]): Promise<void>
  /** Closes one region; its peers see it go. */
  shut(name: N): Promise<void>
  /** Opens a region again, at its location; closes it first where it is open. It is under its name again, too. */
  reopen(name: N, options?: Partial<ReplicaOptions>): Promise<Replica>
  /** Closes everything, and removes the directories. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Each region under its name (the one that is open now: see {@link Controls.reopen}), and what a test can do to them. */
export type Regions<N extends string> = { readonly [K in N]: Replica } & Controls<N>

export const openRegions = async <const N extends string>(
  names: readonly N[],
  options: RegionsOptions<N> = {},
): Promise<Regions<N>> => {
  const { disk = false, secure = false, pairs = allPairs(names), each = {}, ...common } = options
  const open = new Map<N, Replica>()
  const proxies = new Map<string, TcpProxy>()
  const locations = new Map<N, string>()
  const faults: (Fault & { region: string })[] = []
  const isPair = (a: N, b: N) => pairs.some(([x, y]) => (x === a && y === b) || (x === b && y === a))
  const proxy = (from: N, to: N): TcpProxy => {
    const found = proxies.get(`${from} ${to}`)
    if (!found) throw new Error(`${from} and ${to} are not linked`)
    return found
  }
  const urlOf = (from: N, to: N) => proxy(from, to).url.replace('ws:', secure ? 'wss:' : 'ws:')
  const both = (a: N, b: N) => [proxy(a, b), proxy(b, a)]
  const get = (name: N): Replica => {
    const replica = open.get(name)
    if (!replica) throw new Error(`${name} is not open`)
    return replica
  }
  const stateOf = (a: N, b: N) => open.get(a)?.status().links[b]?.state ?? 'down'

  const start = async (name: N, more: Partial<ReplicaOptions> = {}): Promise<Replica> => {
    const others = names.filter((other) => other !== name)
    const peers = Object.fromEntries(others.map((to) => [to, isPair(name, to) ? urlOf(name, to) : null]))
    const replica = await door(
      await openReplica({
        // A test that means digests asks for them, so that they never repair what another one should have.
        links: { heartbeat: 50, timeout: '1s', maxReconnectDelay: 100, digestInterval: '1h', ...common.links },
        ...withoutLinks(common),
        region: name,
        location: locations.get(name)!,
        listen: { port: 0 },
        peers,
        secret: SECRET,
        ...(each as Partial<Record<N, Partial<ReplicaOptions>>>)[name],
        ...more,
      }),
    )
    replica.on('fault', (fault) => faults.push({ region: name, ...fault }))
    open.set(name, replica)
    return replica
  }
  const shut = async (name: N) => {
    const replica = open.get(name)
    open.delete(name)
    await replica?.close()
  }
  const isDown = (a: N, b: N) => stateOf(a, b) === 'down' && stateOf(b, a) === 'down'
  const cutPairs = async (which: readonly (readonly [N, N])[]) => {
    for (const [a, b] of which) for (const each of both(a, b)) each.cut()
    await until(() => which.every(([a, b]) => isDown(a, b)), 'the cut links to be seen as down')
  }
  const close = async () => {
    await Promise.all([...open.keys()].map(shut))
    await Promise.all([...proxies.values()].map((each) => each.close()))
    if (disk)
      await Promise.all([...locations.values()].map((location) => rm(location, { recursive: true, force: true })))
  }

  const controls: Controls<N> = {
    names,
    get all() {
      return names.flatMap((name) => open.get(name) ?? [])
    },
    faults,
    location: (name) => locations.get(name)!,
    proxy,
    cut: (a, b) => cutPairs([[a, b]]),
    heal(a, b) {
      for (const each of both(a, b)) each.heal()
    },
    cutOff: (region) => cutPairs(pairs.filter((pair) => pair.includes(region))),
    cutAll: () => cutPairs(pairs),
    healAll() {
      for (const each of proxies.values()) each.heal()
    },
    stall(a, b) {
      for (const each of both(a, b)) each.stall()
    },
    flow(a, b) {
      for (const each of both(a, b)) each.flow()
    },
    async settled(...which) {
      const among = which.length > 0 ? which : names
      const missing = () =>
        unsettled(
          among.map((name) => get(name)),
          (a, b) => isPair(a as N, b as N),
        )
      await until(
        () => missing() === undefined,
        () => `the regions to settle: ${missing()}`,
      )
      const [first, ...rest] = await Promise.all(among.map((name) => contents(get(name))))
      for (const [index, other] of rest.entries())
        if (!isDeepStrictEqual(first, other))
          throw new Error(
            `${among[0]} and ${among[index + 1]} hold different sessions:\n${show(first)}\n${show(other)}`,
          )
    },
    shut,
    async reopen(name, more) {
      await shut(name)
      return start(name, more)
    },
    close,
    [Symbol.asyncDispose]: close,
  }

  try {
    for (const name of names) locations.set(name, disk ? await mkdtemp(join(tmpdir(), `sojourn-${name}-`)) : ':memory:')
    for (const [a, b] of pairs)
      for (const [from, to] of [[a, b] as const, [b, a] as const])
        proxies.set(`${from} ${to}`, await openProxy(() => open.get(to)?.address))
    for (const name of names) await start(name)
    // The getters are on an object of their own, so that the current replica is found after a `reopen`.
    const regions = Object.defineProperties(
      controls,
      Object.fromEntries(names.map((name) => [name, { get: () => get(name), enumerable: true }])),
    ) as Regions<N>
    await regions.settled()
    return regions
  } catch (error) {
    await close()
    throw error
  }
}

const allPairs = <N>(names: readonly N[]): [N, N][] =>
  names.flatMap((a, index) => names.slice(index + 1).map((b): [N, N] => [a, b]))

const withoutLinks = <T extends { links?: unknown }>({ links: _, ...rest }: T): Omit<T, 'links'> => rest

/** What keeps regions from being in step, or undefined. */
const unsettled = (replicas: readonly Replica[], isPair: (a: string, b: string) => boolean): string | undefined => {
  const statuses = replicas.map((replica) => replica.status())
  for (const one of statuses)
    for (const other of statuses) {
      if (one === other) continue
      const { state } = one.links[other.region]!
      if (isPair(one.region, other.region) && state !== 'live') return `${one.region}–${other.region} is ${state}`
      const held = one.vector[other.replica] ?? 0
      if (held < other.head) return `${one.region} holds ${held} of the ${other.head} commits of ${other.region}`
    }
  const busy = statuses.find(({ pending }) => pending.commits > 0)
  return busy && `${busy.region} has ${busy.pending.commits} commits waiting`
}

/** Everything that a region shows: its sessions, and how many ended ones it remembers. */
export const contents = async (
  replica: Replica,
): Promise<{ sessions: readonly StoredSession[]; tombstones: number }> => {
  const sessions: StoredSession[] = []
  for await (const session of replica.sessions()) sessions.push(session)
  return { sessions, tombstones: replica.status().tombstones }
}

const show = (held: unknown): string => JSON.stringify(held, undefined, 2)
