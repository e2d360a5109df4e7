import { createHash } from 'node:crypto'
import type { Level, Session } from '@sojourn/core/internal'
import { isSojournError } from '@sojourn/core/internal'
import { create, type Door, end, needOf, outcomeOf, rotate, timeoutOf, use } from './calls.js'
import type { Operation, Seen, SessionData, SessionName } from './history.js'
import type { OperationStep } from './plan.js'

export interface UsersOptions {
  /** Milliseconds since the world began. */
  readonly now: () => number
  readonly tell: (region: string, what: string) => void
  readonly complain: (what: string) => void
}

/** A second creation under an id that a client made meets the first one if it comes within this, milliseconds. */
const SAME_ID_MS = 3_000

/** How a session is addressed inside the store: worked out here once more, from the design's words. */
export const keyOf = (id: string): string => createHash('sha256').update(id).digest('hex').slice(0, 32)

/** The users of a world: they call what is behind a door, and write down what they are told. */
export class Users {
  readonly #options: UsersOptions
  readonly #slots = new Map<number, { session: SessionName; madeAt: number }>()
  readonly #pending = new Map<Operation, Door>()
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
        const successor = this.#name(made.id)
        successor.base = made.data as SessionData
        op.successor = successor
        if (this.#slots.get(step.slot)?.session === session)
          this.#slots.set(step.slot, { session: successor, madeAt: this.#options.now() })
      })
    return this.#follow(op, door, use(door.api, op, step, id, this.#read.get(`${op.client} ${session.name}`)), () => {})
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
      level,
      need: needOf(level, door.members),
      timeoutMs: timeoutOf(step),
      members: door.members,
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
    }
    this.operations.push(op)
    this.#pending.set(op, door)
    return op
  }

  #follow<T>(op: Operation, door: Door, call: Promise<T>, done: (value: NonNullable<T>) => void): Promise<void> {
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
    this.#pending.delete(op)
    op.outcome = outcome
    op.returnedAt = this.#options.now()
    this.#sawClock(op, door)
    this.#options.tell(op.region, `${describe(op)} → ${resultOf(op)}`)
  }

  /** A wall clock stepped: calls under way saw both sides of it. */
  clockMoved(region: string): void {
    for (const [op, door] of this.#pending) if (op.region === region) this.#sawClock(op, door)
  }

  #sawClock(op: Operation, door: Door): void {
    const [low, high] = door.wall
    op.wallLow = Math.min(op.wallLow, low)
    op.wallHigh = Math.max(op.wallHigh, high)
    op.hadWrongClock ||= door.hasWrongClock ?? false
  }

  /** A process died: nobody knows what became of its calls. */
  gone(region: string, incarnation: number): void {
    for (const [op, door] of [...this.#pending])
      if (op.region === region && op.incarnation === incarnation) this.#settle(op, door, 'crashed')
  }
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
  return `${op.client} ${op.kind} ${op.session.name}${what && ` ${what}`}${value}${level}`
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
  if (op.outcome === 'crashed') return 'nobody knows'
  if (op.outcome === 'absent') return 'absent'
  const seen = op.seen ? ` ${showSeen(op.seen, op.wallHigh)}` : ''
  const alive = op.wasAlive === undefined ? '' : op.wasAlive ? ' was alive' : ' was not alive here'
  const successor = op.successor ? ` as ${op.successor.name}` : ''
  return `${op.outcome}${successor}${alive}${seen}`
}
