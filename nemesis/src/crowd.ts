import { type Client, connect, type Level } from '@sojourn/client'
import { type Door, type OperationStep, type Prng, type SessionName, Users } from '@sojourn/sim'
import { pause } from './pause.js'
import type { Region } from './region.js'
import { REGIONS, type RegionName, USERS, type UserPlan } from './schedule.js'
import { TOKENS } from './server.js'
import type { Wires } from './wires.js'

/** The users of a run: real clients, which call without pause what a seed draws, each the next when the last was answered. */

/** How long a call may take beside what it waits for other regions, milliseconds. */
const CLIENT_TIMEOUT_MS = 3_000
/** How long calls wait for other regions: mostly longer than a peer that hangs may hold up others. */
const WAITS_MS = [2_000, 2_000, 2_000, 2_000, 200, 4_000] as const
/** Who looks at what others did. */
const REPORTER = 'reporter'
const CONNECTION = { heartbeat: 500, timeout: 1_500, maxReconnectDelay: 1_000, failback: 1_000 }

export interface CrowdOptions {
  readonly regions: readonly Region[]
  readonly wires: Wires
  /** Calls a second, of all users together, at most. */
  readonly rate: number
  readonly now: () => number
  report(region: string, what: string): void
  complain(what: string): void
}

/** One user, and where its calls go. */
interface User {
  readonly name: string
  readonly client: Client
  /** Undefined while it is not known who would answer. */
  readonly door: () => Door | undefined
}

export class Crowd {
  readonly #options: CrowdOptions
  readonly #clients = new Map<string, Client>()
  #users: Users
  #n = 0

  constructor(options: CrowdOptions) {
    this.#options = options
    this.#users = this.#newUsers()
  }

  #newUsers(): Users {
    const { now, report, complain } = this.#options
    return new Users({ now, report, complain })
  }

  /** What the users of this round did. */
  get users(): Users {
    return this.#users
  }

  /** Calls that were asked again, because their connection had ended. */
  get repeated(): number {
    return [...this.#clients.values()].reduce((sum, client) => sum + client.status().totals.repeated, 0)
  }

  /** A new round: nobody remembers what was before. */
  begin(): void {
    this.#users = this.#newUsers()
  }

  /** A client that stays with one region; made where it is asked for the first time. */
  async client(region: RegionName, name = REPORTER): Promise<Client> {
    return this.#connect(`${name}@${region}`, [region])
  }

  async #connect(name: string, regions: readonly RegionName[]): Promise<Client> {
    const known = this.#clients.get(name)
    if (known) return known
    const client = await connect({
      urls: regions.map((region) => this.#options.wires.url(USERS, region)),
      // Whoever lists sessions needs the larger scope.
      token: name.startsWith(REPORTER) ? TOKENS.admin : TOKENS.write,
      timeout: CLIENT_TIMEOUT_MS,
      connection: CONNECTION,
    })
    this.#clients.set(name, client)
    return client
  }

  /** Calls until the signal is given. Resolves when every call has come to something. */
  async work(plan: UserPlan, random: Prng, signal: AbortSignal): Promise<void> {
    const users = await this.#gather(plan)
    const meanMs = (users.length * 1_000 * plan.burst) / this.#options.rate
    await Promise.all(users.map((user) => this.#live(user, plan, random.fork(user.name), meanMs, signal)))
  }

  async #gather(plan: UserPlan): Promise<User[]> {
    const users: User[] = []
    for (const region of REGIONS)
      for (let index = 1; index <= plan.settled; index++) {
        const name = `${region}${index}`
        const client = await this.client(region, name)
        users.push({ name, client, door: () => this.#settledDoor(region, client) })
      }
    for (let index = 1; index <= plan.roaming; index++) {
      const name = `roaming${index}`
      const home = index % REGIONS.length
      const client = await this.#connect(name, [...REGIONS.slice(home), ...REGIONS.slice(0, home)])
      users.push({ name, client, door: () => this.#roamingDoor(client) })
    }
    return users
  }

  async #live(user: User, plan: UserPlan, random: Prng, meanMs: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await pause(Math.min(random.exponential(meanMs), 10 * meanMs), signal)
      if (signal.aborted) return
      const calls = Array.from({ length: plan.burst }, () => this.#step(user, plan, random))
      await Promise.all(calls)
    }
  }

  async #step(user: User, plan: UserPlan, random: Prng): Promise<void> {
    const door = user.door()
    // Drawn all the same, so that what follows does not depend on it.
    const step = drawStep(user.name, ++this.#n, plan, random, door?.region ?? '')
    if (door === undefined) return
    await (this.#users.perform(step, door) ?? this.#users.perform({ ...step, do: 'create' }, door))
  }

  /** Reads a session of this round; resolves when that has come to something. */
  async look(session: SessionName, region: RegionName, read: Level): Promise<void> {
    const door = this.#settledDoor(region, await this.client(region))
    const n = ++this.#n
    await this.#users.look(
      session,
      { do: 'get', at: 0, n, client: REPORTER, region, slot: -1, read, timeoutMs: 4_000 },
      door,
    )
  }

  /** Makes a session of this round, in every region. */
  async probe(region: RegionName): Promise<void> {
    const door = this.#settledDoor(region, await this.client(region))
    const n = ++this.#n
    const step: OperationStep = { do: 'create', at: 0, n, client: REPORTER, region, slot: -1 - n, write: 'all' }
    await this.#users.perform({ ...step, timeoutMs: 4_000 }, door)
  }

  /** A region that has just started, and hears nobody but the one whose clock is wrong, cannot know which of the two it is ([CLOCK-1]). */
  readonly #isAnyClockWrong = (): boolean => REGIONS.some((name) => this.#region(name).clock.isWrong)

  #settledDoor(name: RegionName, api: Client): Door {
    const { server, clock } = this.#region(name)
    const { incarnation } = server
    return doorTo(name, incarnation, api, clock, this.#isAnyClockWrong, () => server.incarnation === incarnation)
  }

  #roamingDoor(api: Client): Door | undefined {
    const { region: name, totals } = api.status()
    if (name === undefined) return undefined
    const { server, clock } = this.#region(name)
    const { incarnation } = server
    return doorTo(name, incarnation, api, clock, this.#isAnyClockWrong, () => {
      const now = api.status()
      // Else it may have been asked somewhere else, too.
      const isSame = now.region === name && now.totals.connections === totals.connections
      return isSame && now.totals.repeated === totals.repeated && server.incarnation === incarnation
    })
  }

  #region(name: string): Region {
    return this.#options.regions.find((region) => region.name === name)!
  }

  async close(): Promise<void> {
    await Promise.all([...this.#clients.values()].map((client) => client.close()))
  }
}

const doorTo = (
  region: string,
  incarnation: number,
  api: Client,
  clock: Region['clock'],
  isClockWrong: () => boolean,
  vouches: () => boolean,
): Door => ({
  region,
  incarnation,
  members: REGIONS.length,
  get wall() {
    return clock.span
  },
  get hasWrongClock() {
    return isClockWrong()
  },
  api,
  vouches,
})

const drawStep = (client: string, n: number, plan: UserPlan, random: Prng, region: string): OperationStep => {
  const kind = random.weighted(plan.weights)
  const level = () => random.weighted(plan.levels) as Level
  const [read, write, timeoutMs] = [level(), level(), random.pick(WAITS_MS)]
  const [slot, field, by] = [random.int(0, plan.slots - 1), `f${random.int(0, 2)}`, random.int(1, 9)]
  const [ownId, isShort, idleMs] = [random.chance(0.1), random.chance(0.15), random.int(3_000, 20_000)]
  const lifeMs = random.chance(0.08) ? random.int(5_000, 40_000) : undefined
  return {
    do: kind,
    at: 0,
    n,
    client,
    region,
    slot,
    read,
    write,
    timeoutMs,
    ...((kind === 'set' || kind === 'save') && { field }),
    by,
    ...(plan.padBytes > 0 && { padBytes: plan.padBytes }),
    ...(ownId && { ownId }),
    ...(isShort && { idleMs }),
    ...(lifeMs !== undefined && { lifeMs }),
  }
}
