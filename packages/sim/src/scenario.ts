/** Transcripts of single situations. */
import { type Duration, parseDuration, type Session } from '@sojourn/core/internal'
import { isSojournError, type Replica } from '@sojourn/replica'
import type { FaultKind, Plan, RegionOptions } from './plan.js'
import type { Region } from './region.js'
import { World } from './world.js'

type Data = { [name: string]: unknown }

/** A line of a scenario that cannot be understood. */
export class ScenarioError extends Error {}

/**
 * Plays a scenario and returns it with what each command came to. A line that starts with `> ` is a command, one that starts with `#` a
 * comment; any other is output, which is made anew. Commands, where `s` is a name for a session and `@majority` may follow a call:
 *
 *     regions eu us ap [idle=30s] [life=10m] [grace=5s]     first of all
 *     eu: create s {"user":"ada"} | get s | set s /cart/x 1 | remove s /cart/x | increment s /views 2
 *     eu: touch s | end s | rotate s t                      t: what it becomes
 *     eu: read s | save s /cart/x 1                         a slow request: what it read, and what it writes back on that ground
 *     cut us | cut us eu | one-way us eu | heal             one region from all others; a pair; one direction
 *     kill us | power us | start us | pause us | resume us
 *     wipe us | copy us | restore us | disk us full | disk us free | clock us +2s
 *     wait 10s | settle                                     settle: until all regions agree
 *     show s                                                what each region shows
 */
export const runScenario = async (text: string): Promise<string> => {
  let scenario: Scenario | undefined
  const out: string[] = []
  let wasOutput = false
  for (const [index, line] of text.split('\n').entries()) {
    if (line.startsWith('> ')) {
      const command = line.slice(2).trim()
      out.push(line)
      try {
        if (command.startsWith('regions ')) scenario = await Scenario.open(command.split(/\s+/).slice(1))
        else if (scenario === undefined) throw new ScenarioError('the first command says which regions there are')
        else out.push(...(await scenario.run(command)))
      } catch (error) {
        if (error instanceof ScenarioError) throw new ScenarioError(`line ${index + 1}: ${error.message}: ${line}`)
        throw error
      }
      wasOutput = true
    } else if (line === '' || line.startsWith('#')) {
      out.push(line)
      wasOutput = false
    } else if (!wasOutput)
      throw new ScenarioError(`line ${index + 1}: neither a command, a comment nor output: ${line}`)
  }
  return out.join('\n')
}

const NO_LOSS = { latencyMs: 40, jitterMs: 0, bytesPerMs: 10_000, loss: 0, duplication: 0 }

class Scenario {
  readonly #world: World
  readonly #names: readonly string[]
  /** By name, the present id. */
  readonly #ids = new Map<string, string>()
  /** What a slow request read: `region session` → data. */
  readonly #read = new Map<string, Data>()

  private constructor(world: World, names: readonly string[]) {
    this.#world = world
    this.#names = names
  }

  static async open(words: readonly string[]): Promise<Scenario> {
    const names = words.filter((word) => !word.includes('='))
    const settings = Object.fromEntries(words.filter((word) => word.includes('=')).map((word) => word.split('=')))
    const options: RegionOptions = {
      purgeGrace: settings.grace ?? '1m',
      session: { idleTimeout: settings.idle ?? '30m', maxLifetime: settings.life ?? '12h' },
      consistency: { timeout: '1s' },
      fsync: settings.fsync ?? 'everysec',
    }
    const each = <T>(value: T) => Object.fromEntries(names.map((name) => [name, value]))
    const ways = names.flatMap((from) => names.filter((to) => to !== from).map((to) => `${from}>${to}`))
    const plan: Plan = {
      seed: 0,
      regions: names,
      options: each(options),
      wires: Object.fromEntries(ways.map((way) => [way, NO_LOSS])),
      disks: each({ writeMs: 0, syncMs: 0, appendMs: 0 }),
      clocks: each(0),
      wildClocks: true,
      faults: [],
      steps: [],
      endsAt: 0,
    }
    const world = new World(plan)
    for (const region of world.regions.values()) region.start()
    const scenario = new Scenario(world, names)
    await scenario.#settle()
    return scenario
  }

  /** Returns what the command came to. */
  async run(command: string): Promise<string[]> {
    const call = /^(\w+): (\w+) (\w+)\s*(.*)$/.exec(command)
    if (call) return [await this.#call(this.#region(call[1]!), call[2]!, call[3]!, call[4]!.trim())]
    const [what, ...words] = command.split(/\s+/)
    const { time, faults } = this.#world
    switch (what) {
      case 'wait':
        await time.advance(parseDuration(words[0] as Duration, 'wait'))
        return []
      case 'settle':
        return [await this.#settle()]
      case 'show':
        return Promise.all(this.#names.map((name) => this.#show(name, words[0]!)))
      case 'heal':
        this.#world.network.unblockAll()
        return []
      case 'cut':
        this.#cut(words[0]!, words[1], true)
        await time.advance(100)
        return []
      case 'one-way':
        this.#world.network.block(words[0]!, words[1]!)
        return []
      case 'start':
        this.#region(words[0]!).start()
        await time.advance(100)
        return []
      case 'resume':
        this.#region(words[0]!).process?.resume()
        await time.advance(100)
        return []
      case 'copy':
        this.#region(words[0]!).machine.disk.copy()
        return []
      case 'restore':
        this.#region(words[0]!).machine.disk.restore()
        return []
      case 'disk':
        for (const part of ['journal', 'rows'] as const)
          this.#region(words[0]!).machine.disk.full[words[1] === 'full' ? 'add' : 'delete'](part)
        return []
      case 'clock': {
        const ms = parseDuration(words[1]!.slice(1) as Duration, 'clock')
        this.#region(words[0]!).machine.clock.step(words[1]!.startsWith('-') ? -ms : ms)
        return []
      }
      case 'kill':
      case 'power':
      case 'pause':
      case 'wipe':
        this.#region(words[0]!)
        faults.inject({ do: 'fault', at: 0, fault: what satisfies FaultKind, region: words[0]!, ms: 1e12 })
        await time.advance(100)
        return []
      default:
        throw new ScenarioError(`no command is called ${what}`)
    }
  }

  #region(name: string): Region {
    const region = this.#world.regions.get(name)
    if (!region) throw new ScenarioError(`no region is called ${name}; there are ${this.#names.join(', ')}`)
    return region
  }

  #cut(a: string, b: string | undefined, reset: boolean): void {
    const { network } = this.#world
    for (const other of b ? [b] : this.#names) {
      if (other === a) continue
      network.block(a, other)
      network.block(other, a)
      if (reset) network.reset(a, other)
    }
  }

  async #settle(): Promise<string> {
    for (let round = 0; round < 120; round++) {
      await this.#world.time.advance(1_000)
      if (this.#world.disagreement() === undefined) return 'all regions agree'
    }
    return `no agreement: ${this.#world.disagreement()}`
  }

  async #show(name: string, session: string): Promise<string> {
    const { replica } = this.#region(name)
    if (!replica) return `${name}: down`
    return `${name}: ${await this.#outcome(replica.get<Data>(this.#id(session)))}`
  }

  #id(session: string): string {
    const id = this.#ids.get(session)
    if (id === undefined) throw new ScenarioError(`no session is called ${session} yet`)
    return id
  }

  async #call({ name, replica }: Region, what: string, session: string, text: string): Promise<string> {
    if (!replica) return 'nobody answers: the region is down'
    const level = /\s*@(\w+)$/.exec(text)
    const rest = level ? text.slice(0, level.index).trim() : text
    const at = (level?.[1] ?? 'local') as 'local'
    const work = this.#begin(replica, name, what, session, rest, at)
    return this.#outcome(work)
  }

  async #begin(
    replica: Replica,
    region: string,
    what: string,
    session: string,
    rest: string,
    level: 'local',
  ): Promise<unknown> {
    const [pointer = '', ...words] = rest.split(/\s+/)
    const value = words.join(' ')
    const write = { write: level }
    switch (what) {
      case 'create': {
        const made = await replica.create<Data>(JSON.parse(rest || '{}'), write)
        this.#ids.set(session, made.id)
        return made
      }
      case 'get':
        return replica.get(this.#id(session), { read: level })
      case 'read': {
        const found = await replica.get<Data>(this.#id(session))
        if (found) this.#read.set(`${region} ${session}`, found.data)
        return found
      }
      case 'save': {
        const base = this.#read.get(`${region} ${session}`)
        if (!base) throw new ScenarioError(`${region} has not read ${session}`)
        return replica.replace(this.#id(session), changed(base, pointer, JSON.parse(value)), { ...write, base })
      }
      case 'set':
        return replica.update<Data>(this.#id(session), (draft) => changed(draft, pointer, JSON.parse(value)), write)
      case 'remove':
        return replica.update<Data>(this.#id(session), (draft) => changed(draft, pointer, undefined), write)
      case 'increment':
        return replica.increment(this.#id(session), pointer, Number(value || 1), write)
      case 'touch':
        return replica.touch(this.#id(session), write)
      case 'end':
        return replica.end(this.#id(session), write)
      case 'rotate': {
        const made = await replica.rotate(this.#id(session), write)
        this.#ids.set(pointer, made.id)
        return made
      }
      default:
        throw new ScenarioError(`no call is named ${what}`)
    }
  }

  async #outcome(work: Promise<unknown>): Promise<string> {
    try {
      const value = await this.#world.during(work)
      if (value === undefined) return 'absent'
      if (value === true) return 'ended; it was alive here'
      if (value === false) return 'it was not alive here'
      return `ok ${JSON.stringify((value as Session).data)}`
    } catch (error) {
      if (!isSojournError(error)) throw error
      if (error.code !== 'QUORUM_UNMET') return error.code
      const applied = error.mayHaveApplied ? '; the write is kept here, and will spread' : ''
      return `QUORUM_UNMET: ${error.got} of ${error.need} regions (${error.regions?.join(', ')})${applied}`
    }
  }
}

/** The data with one place changed; undefined takes it away. */
const changed = (data: Data, pointer: string, value: unknown): Data => {
  const copy = structuredClone(data)
  const path = pointer.split('/').slice(1)
  const last = path.pop()
  if (last === undefined) throw new ScenarioError(`${pointer} is no pointer such as /cart/x`)
  let parent: Data = copy
  for (const name of path) {
    parent[name] ??= {}
    parent = parent[name] as Data
  }
  if (value === undefined) delete parent[last]
  else parent[last] = value
  return copy
}
