/** The fold of a document: what is left of it when its history is forgotten. */
import { FoldDraft } from './fold-draft.js'
import type { LiveOp, Lost, LostMap, Register, Registers } from './live.js'
import { indexIn, isMap, liveOp, MapNode, nameOf } from './live.js'
import type { ActorId, Change, ChangeHash, OpId } from './op.js'
import { compareOpIds, isInteger } from './op.js'

/** How far an actor's changes are in a fold: all through `seq`, with operations through `maxOp`. */
export interface Seen {
  readonly seq: number
  readonly maxOp: number
}

/** A change that no other known change builds on. Who made it shows whether a fold without history has it. */
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
  /** Of the root map. */
  readonly registers: Registers
}

export const EMPTY_FOLD: Fold = { seen: new Map(), heads: [], registers: new Map() }

/** Maps in maps beyond this are hostile: no data nests so deep. */
export const MAX_MAP_DEPTH = 256

/** What a change needs to be there before it: for each of its deps, who made it and as which change. */
export type Context = readonly { readonly actor: ActorId; readonly seq: number }[]

export type Readiness = 'ready' | 'known' | 'missing'

/** Whether a change is next (`ready`), already in the fold (`known`), or builds on what is not there (`missing`). */
export const readiness = (fold: Fold, change: Pick<Change, 'actor' | 'seq' | 'ops'>, context: Context): Readiness => {
  const seq = fold.seen.get(change.actor)?.seq ?? 0
  if (change.seq <= seq) return 'known'
  if (change.seq > seq + 1) return 'missing'
  if (!context.every((dep) => (fold.seen.get(dep.actor)?.seq ?? 0) >= dep.seq)) return 'missing'
  // The making of a counter (see mutate.ts) names the map that it is in, and no change.
  return change.ops.every(({ obj }) => !obj || obj.actor === change.actor || hasSeen(fold, obj)) ? 'ready' : 'missing'
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
  // What a map was made by counts as seen: the making of a counter in it builds on nothing else.
  if (change.startOp > maxOp + 1) return 'a change leaves out operation numbers'
  const written = new Set<string>()
  const draft = new FoldDraft(fold.registers, change)
  const depths = new Map<number, number>()
  for (const [index, op] of change.ops.entries()) {
    const place = `${op.obj ? nameOf(op.obj) : ''} ${op.key}`
    if (op.action !== 'inc' && written.size === written.add(place).size) return 'a change writes one key twice'
    if (op.action === 'make') {
      const isOurs = op.obj?.actor === change.actor && depths.get(op.obj.counter)
      const depth = (isOurs || draft.depthOf(op.obj)) + 1
      if (depth > MAX_MAP_DEPTH) return `maps are nested deeper than ${MAX_MAP_DEPTH}`
      depths.set(change.startOp + index, depth)
    }
    const register = draft.registersOf(op.obj)?.get(op.key) ?? []
    for (const pred of op.pred) {
      if (!hasSeen(fold, pred) && pred.actor !== change.actor) return 'a change overwrites an unknown operation'
      const live = op.action === 'inc' ? register[indexIn(register, pred)] : undefined
      if (live && !isInteger(live.value)) return 'a change increments something that is not an integer'
    }
  }
  return undefined
}

/** The fold after a change that is `ready` for it. */
export const applyChange = (fold: Fold, change: Change, hash: ChangeHash): Fold => {
  const draft = new FoldDraft(fold.registers, change)
  for (const op of change.ops) draft.apply(op)
  return advanced(fold, change, hash, draft.finish())
}

/** A fold whose registers are those after a change. */
export const advanced = (fold: Fold, change: Change, hash: ChangeHash, registers: Registers): Fold => {
  const seen = new Map(fold.seen)
  seen.set(change.actor, { seq: change.seq, maxOp: change.startOp + change.ops.length - 1 })
  const head: Head = { hash, actor: change.actor, seq: change.seq }
  return { seen, registers, heads: sortHeads([...fold.heads.filter((h) => !change.deps.includes(h.hash)), head]) }
}

const sortHeads = (heads: Head[]): Head[] =>
  heads.length < 2 ? heads : heads.sort((a, b) => (a.hash < b.hash ? -1 : a.hash > b.hash ? 1 : 0))

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
  const missedBy = (other: Fold) => (head: Head) =>
    (other.seen.get(head.actor)?.seq ?? 0) < head.seq || other.heads.some((h) => h.hash === head.hash)
  const heads = new Map([...a.heads.filter(missedBy(b)), ...b.heads.filter(missedBy(a))].map((h) => [h.hash, h]))
  return { seen, registers: joinMaps(a.registers, a, b.registers, b), heads: sortHeads([...heads.values()]) }
}

/** Whether a fold has seen every change that another has. */
export const covers = (fold: Pick<Fold, 'seen'>, other: Pick<Fold, 'seen'>): boolean => {
  for (const [actor, { seq }] of other.seen) if ((fold.seen.get(actor)?.seq ?? 0) < seq) return false
  return true
}

const hasSeen = (fold: Fold, op: OpId): boolean => (fold.seen.get(op.actor)?.maxOp ?? 0) >= op.counter

const joinMaps = (ours: Registers, a: Fold, theirs: Registers, b: Fold): Registers => {
  const registers = new Map<string, Register>()
  for (const key of new Set([...ours.keys(), ...theirs.keys()])) {
    const joined = joinRegisters(ours.get(key) ?? [], a, theirs.get(key) ?? [], b)
    if (joined.length > 0) registers.set(key, joined)
  }
  return registers
}

const joinRegisters = (ours: Register, a: Fold, theirs: Register, b: Fold): Register => {
  const joined: LiveOp[] = []
  for (const op of ours) {
    const twin = theirs.find((other) => compareOpIds(op, other) === 0)
    if (twin) joined.push(joinTwins(op, a, twin, b))
    else if (!hasSeen(b, op)) joined.push(op)
  }
  for (const op of theirs) {
    if (!hasSeen(a, op)) joined.push(op)
  }
  return joined.sort(compareOpIds)
}

const joinTwins = (ours: LiveOp, a: Fold, twin: LiveOp, b: Fold): LiveOp => {
  if (!isMap(ours) || !isMap(twin)) return joinIncrements(ours, a, twin, b)
  const { isFresh, end, registers, lost } = ours.value
  const joined = joinMaps(registers, a, twin.value.registers, b)
  return liveOp(ours.counter, ours.actor, new MapNode(joined, isFresh, end, joinLost(lost, twin.value.lost)))
}

/** Both stand for the same making, so of what both have lost both say the same. */
const joinLost = (ours: LostMap, theirs: LostMap): LostMap => {
  if (theirs.size === 0) return ours
  const joined = new Map<string, Lost>(theirs)
  for (const [key, lost] of ours) joined.set(key, lost)
  return joined
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
