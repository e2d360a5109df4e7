/** What sessions may show, worked out from what users did and were answered. */
import type { History, Loss, Operation, Seen, SessionData, SessionName, Violation } from './history.js'
import { keyOf, showData } from './users.js'

/**
 * The reference model: what sessions may show, worked out from what clients did and were answered. It knows nothing of changes, clocks of
 * actors, feeds or vectors: only that a write that was kept cannot be undone by what it replaced.
 */

/** Whether a call changed something where it was made, and that is kept there. */
export const isKept = ({ outcome }: Operation): boolean => outcome === 'ok' || outcome === 'unmet'

const WRITES: ReadonlySet<string> = new Set(['create', 'set', 'save', 'add', 'drop', 'increment'])
const isWrite = ({ kind }: Operation): boolean => WRITES.has(kind)

/** Regions that may have lost what a call wrote, by then. */
const losers = (losses: readonly Loss[], op: Operation, by: number): Set<string> => {
  const key = op.session.id && keyOf(op.session.id)
  const covering = losses.filter(
    (loss) =>
      (loss.key === undefined || loss.key === key) &&
      loss.at >= op.invokedAt &&
      loss.at <= by &&
      loss.from <= (op.returnedAt ?? loss.at) &&
      !isBackAgain(loss, op, by),
  )
  return new Set(covering.map(({ region }) => region))
}

/** What every region held when one lost it was with that one again as soon as it had caught up. */
const isBackAgain = ({ sparedBefore, wholeAt }: Loss, { returnedAt }: Operation, by: number): boolean =>
  sparedBefore !== undefined &&
  returnedAt !== undefined &&
  returnedAt < sparedBefore &&
  (wholeAt ?? Number.POSITIVE_INFINITY) <= by

/** In how many regions an acknowledged write is known to be. */
const keptIn = (op: Operation): number => (op.outcome === 'ok' ? op.need : 1)

/** Whether a write that was acknowledged must be there when all regions have settled. */
export const mustRemain = (history: History, op: Operation): boolean => {
  if (!isKept(op)) return false
  const lost = losers(history.losses, op, Number.POSITIVE_INFINITY)
  return keptIn(op) === 1 ? !lost.has(op.region) : lost.size < keptIn(op)
}

export interface Observer {
  readonly region: string
  /** Regions that were asked. */
  readonly need: number
  readonly members: number
  readonly at: number
  /** The connection over which it is seen, where there is one, and when it was asked for: what was answered on it before shows. */
  readonly connection?: number | undefined
  readonly askedAt: number
  /** The region's wall clock, at the latest. */
  readonly wall: number
}

export const observerOf = (op: Operation): Observer => ({
  region: op.region,
  need: op.need,
  members: op.members,
  at: op.asOf ?? op.invokedAt,
  connection: op.connection,
  askedAt: op.invokedAt,
  wall: op.wallHigh,
})

/**
 * Whether a write in the observer's own region must be seen: it was acknowledged there, and nothing on that disk was lost since. An append
 * can take no time at all, and what happens at one moment has no order.
 */
export const isSeenLocally = (history: History, observer: Observer, op: Operation): boolean =>
  isKept(op) &&
  op.returnedAt! <
    (op.connection !== undefined && op.connection === observer.connection ? observer.askedAt : observer.at) &&
  op.region === observer.region &&
  !losers(history.losses, op, observer.at).has(op.region)

/** Whether the regions that were asked and those that hold the write must meet. */
export const isSeenByQuorum = (history: History, observer: Observer, op: Operation): boolean =>
  op.outcome === 'ok' &&
  op.returnedAt! < observer.at &&
  op.need + observer.need > Math.max(op.members, observer.members) &&
  losers(history.losses, op, observer.at).size === 0

/**
 * An edit of a session that idles out is purged with it, a grace later. Should another region renew the session after all, the edit is
 * gone unless it had spread (ARCHITECTURE, "Purges and claims"). Until then it must be there.
 */
export const mayBePurged = (history: History, op: Operation, wall: number): boolean => {
  const { maxClockErrorMs, purgeGraceMs } = history
  return op.seen === undefined || wall >= op.seen.expiresAt + purgeGraceMs - 2 * maxClockErrorMs
}

/** What was done to a session, by the time that it is looked at. */
class Deeds {
  readonly session: SessionName
  readonly all: readonly Operation[]
  readonly #byValue: ReadonlyMap<string, Operation>

  constructor(session: SessionName, all: readonly Operation[]) {
    this.session = session
    this.all = all
    this.#byValue = new Map(
      this.all.flatMap((op) => (op.value !== undefined && op.kind !== 'add' ? [[op.value, op] as const] : [])),
    )
  }

  get writes(): Operation[] {
    return this.all.filter(isWrite)
  }

  /** Calls that may have ended the session, or what the id opens: an end or a rotation that was begun by then. */
  endsBegun(by: number, id?: string): Operation[] {
    return this.all.filter(
      (op) => (op.kind === 'end' || this.#isRotated(op, id)) && op.invokedAt <= by && op.outcome !== 'absent',
    )
  }

  /** Calls that are known to have ended it by then. */
  endsKept(by: number, id?: string): Operation[] {
    return this.all.filter(
      (op) =>
        ((op.kind === 'end' && op.wasAlive === true) || this.#isRotated(op, id)) && isKept(op) && op.returnedAt! < by,
    )
  }

  /** A rotation ends the session of an id that clients made; of another it ends the id that was shown. */
  #isRotated({ kind, usedId }: Operation, id: string | undefined): boolean {
    return kind === 'rotate' && (this.session.ownId || (id !== undefined && usedId === id))
  }

  /** The rotation that made an id; undefined: the session was created under it. */
  makerOf(id: string | undefined): Operation | undefined {
    return this.all.find(({ kind, madeId }) => kind === 'rotate' && madeId !== undefined && madeId === id)
  }

  /** Values of a register that were replaced by one of these writes, and by what those replaced. */
  replacedBy(writes: readonly Operation[], field: string): Set<unknown> {
    const out = new Set<unknown>()
    for (const write of writes) {
      if (write.field !== field || write.foundElsewhere) continue
      for (let found = write.found; found !== undefined && !out.has(found); ) {
        out.add(found)
        const earlier = this.#byValue.get(found as string)
        found = earlier?.field === field && !earlier.foundElsewhere ? earlier.found : undefined
      }
    }
    return out
  }
}

/** What is looked up again and again in a history that is over. */
interface Index {
  readonly deeds: ReadonlyMap<SessionName, Deeds>
  /** Regions whose disk refused something. */
  readonly refusing: ReadonlySet<string>
}

const indexes = new WeakMap<History, Index>()

const indexOf = (history: History): Index => {
  const known = indexes.get(history)
  if (known) return known
  const bySession = new Map<SessionName, Operation[]>(history.sessions.map((session) => [session, []]))
  for (const op of history.operations) bySession.get(op.session)!.push(op)
  const index = {
    deeds: new Map([...bySession].map(([session, all]) => [session, new Deeds(session, all)])),
    // A journal that is fenced refuses what was on its way to it, as a full disk does.
    refusing: new Set(
      history.operations
        .filter(({ code }) => code === 'STORE_FAILED' || code === 'STORE_FENCED')
        .map(({ region }) => region),
    ),
  }
  indexes.set(history, index)
  return index
}

export const deedsOf = (history: History, session: SessionName): Deeds => indexOf(history).deeds.get(session)!

/** Whether the disk of a region refused something. */
export const hasRefusals = (history: History, region: string): boolean => indexOf(history).refusing.has(region)

const FIELDS = ['f0', 'f1', 'f2'] as const

/**
 * What is wrong with data that somebody was shown.
 * @param kept the writes that it must show
 * @param possible the writes that it may show
 */
export const faultsOf = function* (
  deeds: Deeds,
  data: SessionData,
  kept: readonly Operation[],
  possible: readonly Operation[],
): Iterable<{ readonly kind: 'lost' | 'invented' | 'sum'; readonly what: string }> {
  const { name, base } = deeds.session
  const shown = `${name} shows ${showData(data)}`
  for (const field of FIELDS) {
    const sets = possible.filter((op) => (op.kind === 'create' ? field === 'f0' : op.field === field))
    const value = data[field]
    const must = kept.filter((op) => (op.kind === 'create' ? field === 'f0' : op.field === field))
    if (value === undefined) {
      if (must.length > 0) yield { kind: 'lost', what: `${shown}: ${field} is missing, ${answered(must[0]!)}` }
      continue
    }
    if (base?.[field] !== value && !sets.some((op) => op.value === value))
      yield { kind: 'invented', what: `${shown}: nobody wrote ${field} ${String(value)}` }
    if (deeds.replacedBy(must, field).has(value)) {
      const by = must.find((op) => deeds.replacedBy([op], field).has(value))!
      yield { kind: 'lost', what: `${shown}: ${field} ${String(value)} was replaced, ${answered(by)}` }
    }
  }
  yield* cartFaults(deeds, data, kept, possible, shown)
  yield* sumFaults(deeds, data, kept, possible, shown)
}

const itemOf = (op: Operation): string | undefined =>
  op.kind === 'create' ? `i${op.n}` : op.kind === 'add' ? op.value : undefined

const cartFaults = function* (
  deeds: Deeds,
  data: SessionData,
  kept: readonly Operation[],
  possible: readonly Operation[],
  shown: string,
): Iterable<{ readonly kind: 'lost' | 'invented'; readonly what: string }> {
  const cart = new Set(Object.keys(data.cart ?? {}))
  const base = Object.keys(deeds.session.base?.cart ?? {})
  const added = new Set([...base, ...possible.flatMap((op) => itemOf(op) ?? [])])
  for (const item of cart) if (!added.has(item)) yield { kind: 'invented', what: `${shown}: nobody added ${item}` }
  const dropped = new Set(possible.filter(({ kind }) => kind === 'drop').map(({ found }) => found))
  for (const item of base)
    if (!cart.has(item) && !dropped.has(item))
      yield { kind: 'lost', what: `${shown}: ${item} was there from the start` }
  for (const op of kept) {
    const item = itemOf(op)
    if (item !== undefined && !cart.has(item) && !dropped.has(item))
      yield { kind: 'lost', what: `${shown}: ${item} is missing, ${answered(op)}` }
    if (op.kind === 'drop' && !op.foundElsewhere && op.found !== undefined && cart.has(op.found as string))
      yield { kind: 'lost', what: `${shown}: ${String(op.found)} is back, ${answered(op)}` }
  }
}

const sumFaults = function* (
  deeds: Deeds,
  data: SessionData,
  kept: readonly Operation[],
  possible: readonly Operation[],
  shown: string,
): Iterable<{ readonly kind: 'sum' | 'lost'; readonly what: string }> {
  const base = deeds.session.base?.n ?? 0
  const sum = (ops: readonly Operation[]) =>
    ops.reduce((total, op) => total + (op.kind === 'increment' ? op.by! : 0), base)
  const [least, most] = [sum(kept), sum(possible)]
  const n = data.n ?? 0
  if (n < least) yield { kind: 'lost', what: `${shown}: n is ${n}, acknowledged increments make it ${least}` }
  if (n > most) yield { kind: 'sum', what: `${shown}: n is ${n}, all increments together make ${most}` }
}

const answered = (op: Operation): string =>
  `and ${op.client} was answered "${op.outcome}" for ${op.kind}${op.value ? ` ${op.value}` : ''} in ${op.region} at ${op.returnedAt!.toFixed(0)} ms (level ${op.level})`

/**
 * The writes that somebody may be shown who looked until `until`.
 * @param since what is shown may be as old as this
 */
export const possibleBy = (deeds: Deeds, until: number, region: string, since = until): Operation[] =>
  deeds.writes.filter((op) => {
    if (op.invokedAt > until || op.outcome === 'absent') return false
    // A write that was refused in the end was seen on its way to the disk, if at all, and only where it was made (ADR 6).
    return op.outcome !== 'refused' || (op.region === region && op.returnedAt! >= since)
  })

/** Calls that returned a session as it was then: each is a look at it. */
export const looks = (history: History): { readonly op: Operation; readonly seen: Seen }[] =>
  history.operations.flatMap((op) =>
    op.seen && op.kind !== 'rotate' && op.returnedAt !== undefined ? [{ op, seen: op.seen }] : [],
  )

/** What a look lacks of the writes that its observer must have seen, in words. */
export const lackedBy = function* (
  history: History,
  { op, seen }: { readonly op: Operation; readonly seen: Seen },
  isSeen: (history: History, observer: Observer, write: Operation) => boolean,
): Iterable<string> {
  const deeds = deedsOf(history, op.session)
  const observer = observerOf(op)
  const kept = deeds.writes.filter(
    (write) => isSeen(history, observer, write) && !mayBePurged(history, write, observer.wall),
  )
  for (const { kind, what } of faultsOf(deeds, seen.data, kept, possibleBy(deeds, op.returnedAt!, op.region, op.asOf)))
    if (kind === 'lost') yield what
}

export const violation = (rule: string, what: string): Violation => ({ rule, what })
