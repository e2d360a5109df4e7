/** The steps of users as calls of the session API, and what the answers mean. */
import type { Level, ReplaceOptions, Session, SessionApi } from '@sojourn/core/internal'
import { isSojournError } from '@sojourn/core/internal'
import type { Operation, Outcome, SessionData } from './history.js'
import type { OperationStep } from './plan.js'

/** What the steps of users are as calls of the session API, and what its answers mean. */

/** Whose answer a client has. */
export interface Answerer {
  readonly region: string
  readonly incarnation: number
  readonly connection: number
  readonly members: number
}

/** What is known of a call that goes through a client, which finds a server itself. */
export interface ClientDoor {
  readonly app: string
  /** Who answers what comes about at this moment; undefined: no server does. */
  readonly answerer: () => Answerer | undefined
  /** At whose server the client is, and whose sessions its near cache has. */
  readonly current: () => Answerer | undefined
  /** How often the near cache has given a session. */
  readonly hits: () => number
  readonly walls: () => ReadonlyMap<string, number>
  readonly maxStaleMs: number
  /** How far what it takes for a server's clock may lag that clock. */
  readonly clockSlackMs: number
  /** How long a call with such a timeout may take, milliseconds of the world. */
  readonly patienceMs: (timeoutMs: number) => number
  /** How long the client's processes have stood still. */
  readonly pausedMs: () => number
}

/** Where a user's call goes: a replica in a world, or a server over the network. */
export interface Door {
  readonly region: string
  /** Which process of the region is there now. */
  readonly incarnation: number
  /** How many regions it knows, itself included. */
  readonly members: number
  /** The least and the most that the region's wall clock may show now. */
  readonly wall: readonly [low: number, high: number]
  /** The region's clock is off by more than regions allow each other. */
  readonly hasWrongClock?: boolean
  readonly api: SessionApi
  /** Whether an answer that comes now is known to come from the process that `op` was begun at. */
  vouches(op: Operation): boolean
  /** Where the call goes through a client. The region is whose server answers, then. */
  readonly client?: ClientDoor
}

/** How long a call waits for other regions where its step does not say, milliseconds. */
const TIMEOUT_MS = 1_000

type Mutable = {
  cart?: Record<string, number>
  user?: Record<string, string>
  [register: string]: unknown
}

const writeOptions = (step: OperationStep) => ({ write: step.write ?? 'local', timeout: timeoutOf(step) })

export const timeoutOf = ({ timeoutMs }: OperationStep): number => timeoutMs ?? TIMEOUT_MS

export const needOf = (level: Level, members: number): number =>
  level === 'local' ? 1 : level === 'majority' ? Math.floor(members / 2) + 1 : level === 'all' ? members : level

export const create = (api: SessionApi, op: Operation, step: OperationStep): Promise<Session<SessionData>> =>
  api.create<SessionData>(
    {
      f0: op.value,
      cart: { [`i${op.n}`]: 1 },
      ...(step.padBytes !== undefined && { pad: 'x'.repeat(step.padBytes) }),
    },
    {
      ...writeOptions(step),
      ...(op.usedId !== undefined && { id: op.usedId }),
      ...(step.idleMs !== undefined && { idleTimeout: step.idleMs }),
      ...(step.lifeMs !== undefined && { maxLifetime: step.lifeMs }),
    },
  )

export const end = (api: SessionApi, id: string, step: OperationStep): Promise<boolean> =>
  api.end(id, writeOptions(step))

export const rotate = (api: SessionApi, id: string, step: OperationStep): Promise<Session<SessionData>> =>
  api.rotate<SessionData>(id, writeOptions(step))

/**
 * Every call that is about one session, and goes on with it.
 * @param base what the same user read last of the session
 * @param found called when a draft function has read what it goes by
 */
export const use = (
  api: SessionApi,
  op: Operation,
  step: OperationStep,
  id: string,
  base: SessionData | undefined,
  found: () => void = () => {},
): Promise<Session<SessionData> | undefined> => {
  const options = writeOptions(step)
  switch (op.kind) {
    case 'touch':
      return api.touch<SessionData>(id, options)
    case 'increment':
      return api.increment<SessionData>(id, '/n', op.by, options)
    case 'set':
      return api.update<Mutable>(
        id,
        (draft) => {
          found()
          op.found = draft[op.field!]
          draft[op.field!] = op.value
          changeUser(draft, op)
        },
        options,
      )
    case 'add':
      return api.update<Mutable>(
        id,
        (draft) => {
          found()
          draft.cart ??= {}
          draft.cart[op.value!] = 1
        },
        options,
      )
    case 'drop':
      return api.update<Mutable>(
        id,
        (draft) => {
          found()
          const items = Object.keys(draft.cart ?? {}).sort()
          op.found = items[op.n % Math.max(1, items.length)]
          if (op.found !== undefined) delete draft.cart![op.found as string]
        },
        options,
      )
    case 'save':
      return save(api, id, op, { ...options, base: base! })
    default:
      return api.get<SessionData>(id, { read: step.read ?? 'local', timeout: timeoutOf(step) })
  }
}

/** What goes with the write of a register: the second one logs a user in, the third one notes who was seen, and the first one logs out at times. */
const changeUser = (draft: Mutable, { field, value, n }: Operation): void => {
  if (field === 'f1') draft.user = { name: value!, [n % 2 === 0 ? 'badge' : 'role']: value! }
  else if (field === 'f2' && draft.user) draft.user.seen = draft.user.name!
  else if (field === 'f0' && n % 3 === 0) delete draft.user
}

/** Saves what was read, changed: as middleware does, whose request may have read long ago. */
const save = (api: SessionApi, id: string, op: Operation, options: ReplaceOptions) => {
  const next = structuredClone(options.base) as Mutable
  next[op.field!] = op.value
  changeUser(next, op)
  return api.replace<SessionData>(id, next, { ...options, ...(op.field === 'f1' && { assigned: ['/user'] }) })
}

/** What a call came to that was refused; undefined: it failed with what no call may fail with. */
export const outcomeOf = (error: unknown): Outcome | undefined => {
  if (!isSojournError(error)) return undefined
  if (error.code === 'SESSION_NOT_FOUND') return 'absent'
  if (error.code === 'QUORUM_UNMET' && error.mayHaveApplied) return 'unmet'
  // A call that was under way when the replica closed may have been carried out.
  return error.mayHaveApplied || error.code === 'REPLICA_CLOSED' ? 'crashed' : 'refused'
}
