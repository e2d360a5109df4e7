import { createHash } from 'node:crypto'
import type { Level, Session } from '@sojourn/core'
import { isSojournError, type Replica } from '@sojourn/replica'
import type { Operation, Seen, SessionData, SessionName } from './history.js'
import type { OperationStep } from './plan.js'
import type { Region } from './region.js'
import type { WorldTime } from './time.js'
import type { Trace } from './trace.js'

export interface UsersOptions {
  readonly time: WorldTime
  readonly trace: Trace
  readonly region: (name: string) => Region | undefined
  readonly complain: (what: string) => void
}

/** How long a call waits for other regions where its step does not say, milliseconds. */
const TIMEOUT_MS = 1_000

/** A second creation under an id that a client made meets the first one if it comes within this, milliseconds. */
const SAME_ID_MS = 3_000

/** How a session is addressed inside the store: worked out here once more, from the design's words. */
export const keyOf = (id: string): string => createHash('sha256').update(id).digest('hex').slice(0, 32)

/** The clients of a world: they call replicas, and write down what they are told. */
export class Users {
  readonly #options: UsersOptions
  readonly #slots = new Map<number, { session: SessionName; madeAt: number }>()
  readonly #pending = new Set<Operation>()
  /** What a client read last of a session. */
  readonly #read = new Map<string, SessionData>()
  readonly operations: Operation[] = []
  readonly sessions: SessionName[] = []

  constructor(options: UsersOptions) {
    this.#options = options
  }

  perform(step: OperationStep): void {
    const region = this.#options.region(step.region)
    const process = region?.process
    if (!region?.replica || !process) return
    process.deliver(() => {
      const { replica } = region
      if (replica) this.#call(step, region, replica)
    })
  }

  #call(step: OperationStep, region: Region, replica: Replica): void {
    const { time } = this.#options
    const slot = this.#slots.get(step.slot)
    if (step.do === 'create') {
      const meets = step.ownId && slot?.session.ownId && time.now - slot.madeAt < SAME_ID_MS
      const session = meets ? slot.session : this.#name(step.ownId ? `own-${step.n}` : undefined)
      const op = this.#begin(step, region, session)
      this.#follow(op, region, create(replica, op, step), (made) => {
        session.id ??= made.id
        const current = this.#slots.get(step.slot)
        if (current?.session !== session) this.#slots.set(step.slot, { session, madeAt: time.now })
      })
      if (step.ownId && !meets) this.#slots.set(step.slot, { session, madeAt: time.now })
      return
    }
    if (slot?.session.id === undefined) return
    const { session } = slot
    const op = this.#begin(step, region, session)
    const id = session.id!
    if (step.do === 'end') {
      this.#follow(op, region, replica.end(id, writeOptions(step)), (wasAlive) => {
        op.wasAlive = wasAlive
      })
    } else if (step.do === 'rotate') {
      this.#follow(op, region, replica.rotate(id, writeOptions(step)), (made) => {
        const successor = this.#name(made.id)
        successor.base = made.data as SessionData
        op.successor = successor
        if (this.#slots.get(step.slot)?.session === session)
          this.#slots.set(step.slot, { session: successor, madeAt: time.now })
      })
    } else this.#follow(op, region, this.#use(step, op, replica, id), () => {})
  }

  #use(step: OperationStep, op: Operation, replica: Replica, id: string): Promise<Session<SessionData> | undefined> {
    const options = writeOptions(step)
    switch (step.do) {
      case 'touch':
        return replica.touch<SessionData>(id, options)
      case 'increment':
        return replica.increment<SessionData>(id, '/n', step.by, options)
      case 'set':
        return replica.update<Mutable>(
          id,
          (draft) => {
            op.found = draft[step.field!]
            draft[step.field!] = op.value
          },
          options,
        )
      case 'add':
        return replica.update<Mutable>(
          id,
          (draft) => {
            draft.cart = { ...draft.cart, [op.value!]: 1 }
          },
          options,
        )
      case 'drop':
        return replica.update<Mutable>(
          id,
          (draft) => {
            const items = Object.keys(draft.cart ?? {}).sort()
            op.found = items[step.n % Math.max(1, items.length)]
            if (op.found !== undefined) delete draft.cart![op.found as string]
          },
          options,
        )
      case 'save': {
        const base = this.#read.get(`${step.client} ${op.session.name}`)
        if (base) return replica.replace(id, { ...base, [step.field!]: op.value }, { ...options, base })
        return this.#get(step, replica, id)
      }
      default:
        return this.#get(step, replica, id)
    }
  }

  #get(step: OperationStep, replica: Replica, id: string): Promise<Session<SessionData> | undefined> {
    return replica.get<SessionData>(id, { read: step.read ?? 'local', timeout: step.timeoutMs ?? TIMEOUT_MS })
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

  #begin(step: OperationStep, region: Region, session: SessionName): Operation {
    const { time } = this.#options
    const isSave = step.do === 'save' && this.#read.has(`${step.client} ${session.name}`)
    const kind = step.do === 'save' && !isSave ? 'get' : step.do
    const level: Level = (kind === 'get' ? step.read : step.write) ?? 'local'
    const members = region.members.length
    const { wall } = region.machine.clock
    const op: Operation = {
      n: step.n,
      kind,
      client: step.client,
      region: region.name,
      incarnation: region.incarnation,
      session,
      level,
      need: needOf(level, members),
      timeoutMs: step.timeoutMs ?? TIMEOUT_MS,
      members,
      field: kind === 'set' || kind === 'save' ? step.field : undefined,
      by: kind === 'increment' ? step.by : undefined,
      value:
        kind === 'set' || kind === 'save' || kind === 'create'
          ? `v${step.n}`
          : kind === 'add'
            ? `i${step.n}`
            : undefined,
      idleMs: step.idleMs,
      invokedAt: time.now,
      returnedAt: undefined,
      wallLow: wall,
      wallHigh: wall,
      outcome: 'pending',
      code: undefined,
      found: undefined,
      seen: undefined,
      wasAlive: undefined,
      successor: undefined,
    }
    this.operations.push(op)
    this.#pending.add(op)
    return op
  }

  #follow<T>(op: Operation, region: Region, call: Promise<T>, done: (value: NonNullable<T>) => void): void {
    const { process } = region
    const settle = (outcome: Operation['outcome']) => {
      this.#pending.delete(op)
      op.outcome = outcome
      op.returnedAt = this.#options.time.now
      this.#sawClock(op, region)
      this.#tell(op)
    }
    const take = (value: unknown) => {
      if (isSession(value)) {
        op.seen = { data: value.data as SessionData, createdAt: value.createdAt, expiresAt: value.expiresAt }
        if (op.kind !== 'rotate') this.#read.set(`${op.client} ${op.session.name}`, op.seen.data)
      }
    }
    call.then(
      (value) => {
        // A dead process tells its clients nothing.
        if (!process?.isAlive() || op.outcome !== 'pending') return
        take(value)
        if (value !== undefined) done(value as NonNullable<T>)
        settle(value === undefined ? 'absent' : 'ok')
      },
      (error: unknown) => {
        if (!process?.isAlive() || op.outcome !== 'pending') return
        if (!isSojournError(error)) {
          this.#options.complain(`${describe(op)} failed with ${error instanceof Error ? error.stack : String(error)}`)
          settle('crashed')
          return
        }
        op.code = error.code
        if (error.code === 'QUORUM_UNMET' && error.mayHaveApplied) {
          take(error.session)
          if (error.session !== undefined) done(error.session as NonNullable<T>)
          settle('unmet')
        } else if (error.code === 'SESSION_NOT_FOUND') settle('absent')
        // A call that was under way when the replica closed may have been carried out.
        else settle(error.code === 'REPLICA_CLOSED' || error.mayHaveApplied ? 'crashed' : 'refused')
      },
    )
  }

  /** A wall clock stepped: calls under way saw both sides of it. */
  clockMoved(region: Region): void {
    for (const op of this.#pending) if (op.region === region.name) this.#sawClock(op, region)
  }

  #sawClock(op: Operation, region: Region): void {
    const { wall } = region.machine.clock
    op.wallLow = Math.min(op.wallLow, wall)
    op.wallHigh = Math.max(op.wallHigh, wall)
  }

  /** A process died: nobody knows what became of its calls. */
  gone(region: Region): void {
    for (const op of [...this.#pending]) {
      if (op.region !== region.name || op.incarnation !== region.incarnation) continue
      this.#pending.delete(op)
      op.outcome = 'crashed'
      op.returnedAt = this.#options.time.now
      this.#tell(op)
    }
  }

  #tell(op: Operation): void {
    this.#options.trace.tell(op.region, `${describe(op)} → ${resultOf(op)}`)
  }
}

type Mutable = { cart?: Record<string, number>; [register: string]: unknown }

const create = (replica: Replica, op: Operation, step: OperationStep): Promise<Session<SessionData>> =>
  replica.create<SessionData>(
    { f0: op.value, cart: { [`i${op.n}`]: 1 } },
    {
      ...writeOptions(step),
      ...(op.session.id !== undefined && { id: op.session.id }),
      ...(step.idleMs !== undefined && { idleTimeout: step.idleMs }),
      ...(step.lifeMs !== undefined && { maxLifetime: step.lifeMs }),
    },
  )

const writeOptions = (step: OperationStep) => ({ write: step.write ?? 'local', timeout: step.timeoutMs ?? TIMEOUT_MS })

const needOf = (level: Level, members: number): number =>
  level === 'local' ? 1 : level === 'majority' ? Math.floor(members / 2) + 1 : level === 'all' ? members : level

const isSession = (value: unknown): value is Session =>
  typeof value === 'object' && value !== null && 'expiresAt' in value

const describe = (op: Operation): string => {
  const what = op.field ?? (op.by === undefined ? '' : `n +${op.by}`)
  const value = op.value === undefined || op.kind === 'create' ? '' : ` = ${op.value}`
  const level = op.level === 'local' ? '' : ` @${op.level}`
  return `${op.client} ${op.kind} ${op.session.name}${what && ` ${what}`}${value}${level}`
}

export const showData = (data: SessionData): string => {
  const parts = Object.entries(data).map(([name, value]) =>
    name === 'cart' ? `cart ${Object.keys(value as object).join('+') || 'empty'}` : `${name} ${String(value)}`,
  )
  return `{ ${parts.sort().join(', ')} }`
}

const showSeen = ({ data, expiresAt }: Seen, wall: number): string =>
  `${showData(data)}, ${((expiresAt - wall) / 1_000).toFixed(1)} s left`

const resultOf = (op: Operation): string => {
  if (op.outcome === 'refused') return op.code!
  if (op.outcome === 'crashed') return 'nobody knows'
  if (op.outcome === 'absent') return 'absent'
  const seen = op.seen ? ` ${showSeen(op.seen, op.wallHigh)}` : ''
  const alive = op.wasAlive === undefined ? '' : op.wasAlive ? ' was alive' : ' was not alive here'
  const successor = op.successor ? ` as ${op.successor.name}` : ''
  return `${op.outcome}${successor}${alive}${seen}`
}
