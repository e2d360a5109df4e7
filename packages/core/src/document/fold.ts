import { shownCount } from './increment.js'
import type { ActorId, Change, ChangeHash, Op, OpId, Scalar } from './op.js'
import { compareOpIds, isInteger } from './op.js'
import type { Pointer } from './pointer.js'

/** An operation whose value shows, or would if no later one stood beside it. */
export interface LiveOp extends OpId {
  readonly value: Scalar
  /** Of a counter: what each actor has added since the operation. The sum is kept for each, so that joins are exact. */
  readonly increments: ReadonlyMap<ActorId, number> | undefined
}

/** All live operations have one shape, with the same fields in one order: they are what a busy replica reads most. */
export const liveOp = (
  counter: number,
  actor: ActorId,
  value: Scalar,
  increments?: ReadonlyMap<ActorId, number>,
): LiveOp => ({
  counter,
  actor,
  value,
  increments,
})

/** The live operations of one field in ascending order; the last one wins. Never empty. */
export type Register = readonly LiveOp[]

/** How far an actor's changes are in a fold: all through `seq`, with operations through `maxOp`. */
export interface Seen {
  readonly seq: number
  readonly maxOp: number
}

/** A change that no other known change builds on. Who made it tells whether a fold without history has it. */
export interface Head {
  readonly hash: ChangeHash
  readonly actor: ActorId
  readonly seq: number
}

/**
 * What is left of a document when its history is forgotten: enough to write the next change, to apply a remote one, and
 * to be joined with another fold. Invariant: the changes in it are causally closed, and of each actor a prefix.
 */
export interface Fold {
  readonly seen: ReadonlyMap<ActorId, Seen>
  /** Sorted by hash. */
  readonly heads: readonly Head[]
  readonly registers: ReadonlyMap<Pointer, Register>
}

export const EMPTY_FOLD: Fold = { seen: new Map(), heads: [], registers: new Map() }

/** What a change needs to be there before it: for each of its deps, who made it and as which change. */
export type Context = readonly { readonly actor: ActorId; readonly seq: number }[]

export type Readiness = 'ready' | 'known' | 'missing'

/** Whether a change is next (`ready`), already in the fold (`known`), or builds on changes that are not (`missing`). */
export const readiness = (fold: Fold, change: Pick<Change, 'actor' | 'seq'>, context: Context): Readiness => {
  const seq = fold.seen.get(change.actor)?.seq ?? 0
  if (change.seq <= seq) return 'known'
  if (change.seq > seq + 1) return 'missing'
  return context.every((dep) => (fold.seen.get(dep.actor)?.seq ?? 0) >= dep.seq) ? 'ready' : 'missing'
}

/**
 * Why a change that is `ready` is none that a sound replica writes, or undefined. Automerge would fail on such a change, or
 * (operation numbers far ahead) spend memory without end on it, so it must not get in.
 */
export const changeFault = (fold: Fold, change: Change): string | undefined => {
  let maxOp = 0
  for (const seen of fold.seen.values()) maxOp = Math.max(maxOp, seen.maxOp)
  if (change.ops.length === 0) return 'a change is empty'
  if (change.startOp <= (fold.seen.get(change.actor)?.maxOp ?? 0)) return 'a change uses operation numbers again'
  if (change.startOp > maxOp + 1) return 'a change leaves out operation numbers'
  for (const op of change.ops) {
    const register = fold.registers.get(op.key) ?? []
    for (const pred of op.pred) {
      if (!hasSeen(fold, pred) && pred.actor !== change.actor)
        return 'a change overwrites an operation that is not there'
      const live = register.find((other) => compareOpIds(other, pred) === 0)
      if (op.action === 'inc' && live && !isInteger(live.value)) return 'a change increments what is no integer'
    }
  }
  return undefined
}

/** The fold after a change that is `ready` for it. */
export const applyChange = (fold: Fold, change: Change, hash: ChangeHash): Fold => {
  const registers = new Map(fold.registers)
  change.ops.forEach((op, index) => {
    const next = applyOp(registers.get(op.key) ?? [], op, { counter: change.startOp + index, actor: change.actor })
    if (next.length === 0) registers.delete(op.key)
    else registers.set(op.key, next)
  })
  const seen = new Map(fold.seen)
  seen.set(change.actor, { seq: change.seq, maxOp: change.startOp + change.ops.length - 1 })
  const head: Head = { hash, actor: change.actor, seq: change.seq }
  return { seen, registers, heads: sortHeads([...fold.heads.filter((h) => !change.deps.includes(h.hash)), head]) }
}

const sortHeads = (heads: Head[]): Head[] =>
  heads.length < 2 ? heads : heads.sort((a, b) => (a.hash < b.hash ? -1 : a.hash > b.hash ? 1 : 0))

const names = (preds: readonly OpId[], op: OpId): boolean =>
  preds.some((pred) => pred.counter === op.counter && pred.actor === op.actor)

const insert = (rest: LiveOp[], op: LiveOp): Register => {
  rest.push(op)
  return rest.length === 1 ? rest : rest.sort(compareOpIds)
}

const applyOp = (register: Register, op: Op, id: OpId): Register => {
  if (op.action === 'inc')
    return register.map((live) =>
      names(op.pred, live) && isInteger(live.value) ? addIncrement(live, id.actor, op.value) : live,
    )
  const rest = register.filter((live) => !names(op.pred, live))
  return op.action === 'del' ? rest : insert(rest, liveOp(id.counter, id.actor, op.value))
}

const addIncrement = (live: LiveOp, actor: ActorId, by: number): LiveOp => {
  const increments = new Map(live.increments)
  const sum = (increments.get(actor) ?? 0) + by
  // An actor's own sum leaves the safe integers only where it is forged (see mutate.ts). Everybody adds it up in the
  // same order, so the bound is the same everywhere, and the record can be stored.
  increments.set(actor, Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, sum)))
  return liveOp(live.counter, live.actor, live.value, increments)
}

/** The value of a live operation: of a counter, with what was added to it, as far as that can be shown. */
export const liveValue = (live: LiveOp): Scalar => {
  if (live.increments === undefined) return live.value
  let sum = live.value as number
  let isExact = true
  for (const by of live.increments.values()) {
    sum += by
    isExact &&= Number.isSafeInteger(sum)
  }
  return isExact ? sum : shownCount(counterSum(live))
}

/** What the additions of a counter come to. Beyond 2^53 a sum of numbers depends on their order, in which the regions differ. */
export const counterSum = (live: LiveOp): bigint => {
  let sum = BigInt(live.value as number)
  for (const by of live.increments?.values() ?? []) sum += BigInt(by)
  return sum
}

/** The operation that shows: the highest id, as in Automerge. */
export const winner = (register: Register): LiveOp => register[register.length - 1]!

/**
 * The fold of both sets of changes. An operation that one side holds live and the other has seen, but not live, was
 * overwritten there (the observed-remove rule of Bieniusa et al., "An optimized conflict-free replicated set", 2012).
 */
export const joinFolds = (a: Fold, b: Fold): Fold => {
  // One that has seen all that the other has is the join: the usual case of a region that catches up.
  if (covers(b, a)) return b
  if (covers(a, b)) return a
  const seen = new Map(a.seen)
  for (const [actor, theirs] of b.seen) {
    const ours = seen.get(actor)
    if (ours === undefined || ours.seq < theirs.seq) seen.set(actor, theirs)
  }
  const registers = new Map<Pointer, Register>()
  for (const path of new Set([...a.registers.keys(), ...b.registers.keys()])) {
    const joined = joinRegisters(a.registers.get(path) ?? [], a, b.registers.get(path) ?? [], b)
    if (joined.length > 0) registers.set(path, joined)
  }
  const missedBy = (other: Fold) => (head: Head) =>
    (other.seen.get(head.actor)?.seq ?? 0) < head.seq || other.heads.some((h) => h.hash === head.hash)
  const heads = new Map([...a.heads.filter(missedBy(b)), ...b.heads.filter(missedBy(a))].map((h) => [h.hash, h]))
  return { seen, registers, heads: sortHeads([...heads.values()]) }
}

/** Whether a fold has seen every change that another has. */
const covers = (fold: Fold, other: Fold): boolean => {
  for (const [actor, { seq }] of other.seen) if ((fold.seen.get(actor)?.seq ?? 0) < seq) return false
  return true
}

const hasSeen = (fold: Fold, op: OpId): boolean => (fold.seen.get(op.actor)?.maxOp ?? 0) >= op.counter

const joinRegisters = (ours: Register, a: Fold, theirs: Register, b: Fold): Register => {
  const joined: LiveOp[] = []
  for (const op of ours) {
    const twin = theirs.find((other) => compareOpIds(op, other) === 0)
    if (twin) joined.push(joinIncrements(op, a, twin, b))
    else if (!hasSeen(b, op)) joined.push(op)
  }
  for (const op of theirs) {
    if (!hasSeen(a, op)) joined.push(op)
  }
  return joined.sort(compareOpIds)
}

/** Of each actor's additions, whoever has seen more of the actor knows the sum. */
const joinIncrements = (ours: LiveOp, a: Fold, theirs: LiveOp, b: Fold): LiveOp => {
  if (ours.increments === undefined && theirs.increments === undefined) return ours
  const increments = new Map<ActorId, number>()
  for (const actor of new Set([...(ours.increments?.keys() ?? []), ...(theirs.increments?.keys() ?? [])])) {
    const oursIsNewer = (a.seen.get(actor)?.maxOp ?? 0) >= (b.seen.get(actor)?.maxOp ?? 0)
    increments.set(actor, (oursIsNewer ? ours : theirs).increments?.get(actor) ?? 0)
  }
  return liveOp(ours.counter, ours.actor, ours.value, increments)
}
