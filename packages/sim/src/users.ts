/** The users of a world. */
import { createHash } from 'node:crypto'
import type { Level, Session } from '@sojourn/core/internal'
import { isSojournError } from '@sojourn/core/internal'
import {
  type Answerer,
  type ClientDoor,
  create,
  type Door,
  end,
  needOf,
  outcomeOf,
  rotate,
  timeoutOf,
  use,
} from './calls.js'
import type { Operation, Seen, SessionData, SessionName } from './history.js'
import type { OperationStep } from './plan.js'

export interface UsersOptions {
  /** Milliseconds since the world began. */
  readonly now: () => number
  readonly report: (region: string, what: string) => void
  readonly complain: (what: string) => void
}

/** What is known of a call under way. */
interface Pending {
  readonly door: Door
  /** Of a call through a client: what each region's wall clock showed meanwhile, and what of the client counted from when it was begun. */
  readonly walls: Map<string, [low: number, high: number]>
  readonly hits: number
  readonly pausedMs: number
  /** Where a draft function read what it goes by. */
  foundIn: string | undefined
}

/** A second creation under an id that a client made meets the first one if it comes within this, milliseconds. */
const SAME_ID_MS = 3_000

/** How a session is addressed inside the store: worked out here once more, from the design's words. */
export const keyOf = (id: string): string =>
  createHash('sha256')
    .update(/^[\w-]{22}\.[\w-]{22}$/.test(id) ? id.slice(0, 22) : id)
    .digest('hex')
    .slice(0, 32)

/** The users of a world: they call what is behind a door, and write down what they are answered. */
export class Users {
  readonly #options: UsersOptions
  readonly #slots = new Map<number, { session: SessionName; madeAt: number }>()
  readonly #pending = new Map<Operation, Pending>()
  /** What a client read last of a session. */
  readonly #read = new Map<string, SessionData>()
  readonly operations: Operation[] = []
  readonly sessions: SessionName[] = []

  constructor(options: UsersOptions) {
    this.#options = options
  }

  /** Resolves when the call has come to something; undefined where there is nothing to call about. */
  perform(step: OperationStep, door: Door): Promise<void> | undefined {
    const now = this.#options.now()
    const slot = this.#slots.get(step.slot)
    if (step.do === 'create') {
      const meets = step.ownId && slot?.session.ownId && now - slot.madeAt < SAME_ID_MS
      const session = meets ? slot.session : this.#name(step.ownId ? `own-${step.n}` : undefined)
      const op = this.#begin(step, door, session)
      const made = this.#follow(op, door, create(door.api, op, step), ({ id }) => {
        session.id ??= id
        const current = this.#slots.get(step.slot)
        if (current?.session !== session) this.#slots.set(step.slot, { session, madeAt: this.#options.now() })
      })
      if (step.ownId && !meets) this.#slots.set(step.slot, { session, madeAt: now })
      return made
    }
    const session = slot?.session
    const id = session?.id
    if (session === undefined || id === undefined) return undefined
    const op = this.#begin(step, door, session)
    if (step.do === 'end')
      return this.#follow(op, door, end(door.api, id, step), (wasAlive) => {
        op.wasAlive = wasAlive
      })
    if (step.do === 'rotate')
      return this.#follow(op, door, rotate(door.api, id, step), (made) => {
        op.madeId = made.id
        if (!session.ownId) {
          session.id = made.id
          return
        }
        const successor = this.#name(made.id)
        successor.base = made.data as SessionData
        op.successor = successor
        if (this.#slots.get(step.slot)?.session === session)
          this.#slots.set(step.slot, { session: successor, madeAt: this.#options.now() })
      })
    const base = this.#read.get(`${op.client} ${session.name}`)
    return this.#follow(op, door, use(door.api, op, step, id, base, this.#finding(op, door)), () => {})
  }

  /** Notes where a draft function has read. */
  #finding(op: Operation, { client }: Door): () => void {
    const pending = this.#pending.get(op)!
    return () => {
      pending.foundIn = (client?.answerer() ?? client?.current())?.region
    }
  }

  /** Reads a session that users of this world made, whoever goes on with it. */
  look(session: SessionName, step: OperationStep, door: Door): Promise<void> | undefined {
    if (session.id === undefined) return undefined
    const op = this.#begin(step, door, session)
    return this.#follow(op, door, use(door.api, op, step, session.id, undefined), () => {})
  }

  #name(id: string | undefined): SessionName {
    const session: SessionName = {
      name: `s${this.sessions.length + 1}`,
      id,
      ownId: id?.startsWith('own-') ?? false,
      base: undefined,
    }
    this.sessions.push(session)
    return session
  }

  #begin(step: OperationStep, door: Door, session: SessionName): Operation {
    const isSave = step.do === 'save' && this.#read.has(`${step.client} ${session.name}`)
    const kind = step.do === 'save' && !isSave ? 'get' : step.do
    const level: Level = (kind === 'get' ? step.read : step.write) ?? 'local'
    const [wallLow, wallHigh] = door.wall
    const op: Operation = {
      n: step.n,
      kind,
      client: step.client,
      region: door.region,
      incarnation: door.incarnation,
      session,
      usedId: session.id,
      level,
      need: needOf(level, door.members),
      timeoutMs: timeoutOf(step),
      members: door.members,
      app: door.client?.app,
      dueAt: door.client && this.#options.now() + door.client.patienceMs(timeoutOf(step)),
      field: kind === 'set' || kind === 'save' ? step.field : undefined,
      by: kind === 'increment' ? step.by : undefined,
      value: writtenValue(kind, step.n),
      idleMs: step.idleMs,
      invokedAt: this.#options.now(),
      returnedAt: undefined,
      wallLow,
      wallHigh,
      hadWrongClock: door.hasWrongClock ?? false,
      outcome: 'pending',
      code: undefined,
      found: undefined,
      seen: undefined,
      wasAlive: undefined,
      successor: undefined,
      madeId: undefined,
    }
    this.operations.push(op)
    this.#pending.set(op, pendingAt(door))
    return op
  }

  #follow<T>(op: Operation, door: Door, call: Promise<T>, done: (value: NonNullable<T>) => void): Promise<void> {
    const { client } = door
    if (client && op.kind === 'get') op.isCached = client.hits() > this.#pending.get(op)!.hits
    const take = (value: unknown) => {
      if (!isSession(value)) return
      op.seen = { data: value.data as SessionData, createdAt: value.createdAt, expiresAt: value.expiresAt }
      if (op.kind !== 'rotate') this.#read.set(`${op.client} ${op.session.name}`, op.seen.data)
    }
    const answered = (value: T | undefined, outcome: Operation['outcome']) => {
      take(value)
      if (value !== undefined) done(value as NonNullable<T>)
      this.#settle(op, door, outcome)
    }
    return call.then(
      (value) => {
        if (op.outcome !== 'pending') return
        if (door.vouches(op)) answered(value, value === undefined ? 'absent' : 'ok')
        else this.#settle(op, door, 'crashed')
      },
      (error: unknown) => {
        if (op.outcome !== 'pending') return
        const outcome = outcomeOf(error)
        if (outcome === undefined)
          this.#options.complain(`${describe(op)} failed with ${error instanceof Error ? error.stack : String(error)}`)
        const vouched = door.vouches(op)
        op.code = vouched && isSojournError(error) ? error.code : undefined
        if (!vouched) this.#settle(op, door, outcome === 'refused' ? 'refused' : 'crashed')
        else if (outcome === 'unmet' && isSojournError(error)) answered(error.session as T | undefined, 'unmet')
        else this.#settle(op, door, outcome ?? 'crashed')
      },
    )
  }

  #settle(op: Operation, door: Door, outcome: Operation['outcome']): void {
    const pending = this.#pending.get(op)!
    this.#pending.delete(op)
    op.outcome = outcome
    op.returnedAt = this.#options.now()
    if (door.client) this.#place(op, pending, door.client)
    else this.#sawClock(op, door)
    this.#options.report(op.app ?? op.region, `${describe(op)} → ${resultOf(op)}`)
  }

  /** Says of a call that went through a client where it was answered. */
  #place(op: Operation, pending: Pending, client: ClientDoor): void {
    const by = op.isCached ? client.current() : client.answerer()
    op.dueAt! += client.pausedMs() - pending.pausedMs
    if (by === undefined) {
      if (op.outcome === 'ok' || op.outcome === 'unmet')
        this.#options.complain(`${describe(op)} was answered by nobody`)
      return
    }
    answeredBy(op, by)
    op.foundElsewhere = pending.foundIn !== undefined && pending.foundIn !== by.region
    if (op.isCached) op.asOf = op.invokedAt - client.maxStaleMs
    sawWall(pending.walls, by.region, client.walls().get(by.region)!)
    const [low, high] = pending.walls.get(by.region)!
    op.wallLow = op.isCached ? low - client.clockSlackMs : low
    op.wallHigh = high
  }

  /** A wall clock stepped: calls under way saw both sides of it. */
  clockMoved(region: string): void {
    for (const [op, { door, walls }] of this.#pending) {
      if (door.client) sawWall(walls, region, door.client.walls().get(region)!)
      else if (op.region === region) this.#sawClock(op, door)
    }
  }

  #sawClock(op: Operation, door: Door): void {
    const [low, high] = door.wall
    op.wallLow = Math.min(op.wallLow, low)
    op.wallHigh = Math.max(op.wallHigh, high)
    op.hadWrongClock ||= door.hasWrongClock ?? false
  }

  /** A process died: nobody knows what became of its calls. */
  gone(region: string, incarnation: number): void {
    for (const [op, { door }] of [...this.#pending])
      if (!door.client && op.region === region && op.incarnation === incarnation) this.#settle(op, door, 'crashed')
  }

  /** An app's process died: what it had asked for it never hears. */
  appGone(app: string): void {
    for (const [op, { door }] of [...this.#pending]) if (door.client?.app === app) this.#settle(op, door, 'crashed')
  }
}

const pendingAt = (door: Door): Pending => {
  const { client } = door
  return {
    door,
    walls: new Map([...(client?.walls() ?? [])].map(([region, wall]) => [region, [wall, wall]])),
    hits: client?.hits() ?? 0,
    pausedMs: client?.pausedMs() ?? 0,
    foundIn: undefined,
  }
}

const sawWall = (walls: Pending['walls'], region: string, wall: number): void => {
  const [low, high] = walls.get(region)!
  walls.set(region, [Math.min(low, wall), Math.max(high, wall)])
}

const answeredBy = (op: Operation, { region, incarnation, connection, members }: Answerer): void => {
  op.region = region
  op.incarnation = incarnation
  op.connection = connection
  // Regions may have come and gone meanwhile: the least that the level can have meant.
  op.need = Math.min(op.need, needOf(op.level, members))
}

const writtenValue = (kind: Operation['kind'], n: number): string | undefined => {
  if (kind === 'set' || kind === 'save' || kind === 'create') return `v${n}`
  return kind === 'add' ? `i${n}` : undefined
}

const isSession = (value: unknown): value is Session =>
  typeof value === 'object' && value !== null && 'expiresAt' in value

const describe = (op: Operation): string => {
  const what = op.field ?? (op.by === undefined ? '' : `n +${op.by}`)
  const value = op.value === undefined || op.kind === 'create' ? '' : ` = ${op.value}`
  const level = op.level === 'local' ? '' : ` @${op.level}`
  const where = op.app && op.region ? ` at ${op.region}` : ''
  return `${op.client} ${op.kind} ${op.session.name}${what && ` ${what}`}${value}${level}${where}`
}

/** Characters of a value in a transcript. */
const MAX_SHOWN = 24

export const showData = (data: SessionData): string => {
  const parts = Object.entries(data).map(([name, value]) =>
    name === 'cart'
      ? `cart ${Object.keys(value as object).join('+') || 'empty'}`
      : `${name} ${String(value).slice(0, MAX_SHOWN)}`,
  )
  return `{ ${parts.sort().join(', ')} }`
}

const showSeen = ({ data, expiresAt }: Seen, wall: number): string =>
  `${showData(data)}, ${((expiresAt - wall) / 1_000).toFixed(1)} s left`

const resultOf = (op: Operation): string => {
  if (op.outcome === 'refused') return op.code ?? 'refused'
  if (op.outcome === 'crashed') return op.code && op.app ? `${op.code}: nobody knows` : 'nobody knows'
  if (op.outcome === 'absent') return 'absent'
  const seen = op.seen ? ` ${showSeen(op.seen, op.wallHigh)}` : ''
  const alive = op.wasAlive === undefined ? '' : op.wasAlive ? ' was alive' : ' was not alive here'
  const successor = op.successor ? ` as ${op.successor.name}` : ''
  return `${op.outcome}${op.isCached ? ', cached' : ''}${successor}${alive}${seen}`
}
