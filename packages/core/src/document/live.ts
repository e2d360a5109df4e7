/** What a fold keeps: for each map and key the operations that are live, and of each map how it was made. */
import { hash } from 'node:crypto'
import { shownCount } from './count.js'
import type { ActorId, OpId, Scalar } from './op.js'
import { compareOpIds, isInteger } from './op.js'

/** An operation whose value shows, or would if no later one stood beside it. */
export interface LiveOp extends OpId {
  readonly value: Scalar | MapNode
  /** Of a counter: what each actor has added since the operation. The sum is kept for each, so that joins are exact. */
  readonly increments: ReadonlyMap<ActorId, number> | undefined
}

/** All live operations have one shape, with the same fields in one order: they are what a busy replica reads most. */
export const liveOp = (
  counter: number,
  actor: ActorId,
  value: Scalar | MapNode,
  increments?: ReadonlyMap<ActorId, number>,
): LiveOp => ({
  counter,
  actor,
  value,
  increments,
})

/** The live operations of one key in ascending order; the last one wins. Never empty. */
export type Register = readonly LiveOp[]

/** The registers of one map. Invariant: what is below a live operation is below it alone, so what is overwritten takes it along. */
export type Registers = ReadonlyMap<string, Register>

/** What a making set under a key and is overwritten by now: a short hash of a scalar, or the same of a map, key by key. */
export type Lost = string | LostMap
export type LostMap = ReadonlyMap<string, Lost>

const NOTHING_LOST: LostMap = new Map()

/** A map: what it holds, and of its making what the view's rule needs (see shown.ts), whatever was edited since. */
export class MapNode {
  readonly registers: Registers
  /** Whether its writer saw nothing in its place: the making overwrote nothing. */
  readonly isFresh: boolean
  /** The number of the last operation of the change that made it: what this change set in it is the making. */
  readonly end: number
  /** What the making set and is overwritten by now. */
  readonly lost: LostMap

  constructor(registers: Registers, isFresh: boolean, end: number, lost: LostMap = NOTHING_LOST) {
    this.registers = registers
    this.isFresh = isFresh
    this.end = end
    this.lost = lost
  }
}

/** A live operation that made a map. */
export interface LiveMap extends LiveOp {
  readonly value: MapNode
}

export const isMap = (live: LiveOp): live is LiveMap => live.value instanceof MapNode

/** A name for an operation, to find it by. */
export const nameOf = ({ counter, actor }: OpId): string => `${counter}@${actor}`

/** The value of a live scalar: of a counter, with what was added to it, as far as that can be shown. */
export const liveValue = (live: LiveOp): Scalar => {
  const value = live.value as Scalar
  if (live.increments === undefined) return value
  let sum = value as number
  let isExact = true
  for (const by of live.increments.values()) {
    sum += by
    isExact &&= Number.isSafeInteger(sum)
  }
  return isExact ? sum : shownCount(counterSum(live))
}

/** What the additions of a counter come to. Beyond 2^53 a sum of numbers depends on their order, in which the regions differ. */
export const counterSum = (live: LiveOp): bigint => BigInt(live.value as number) + addedTo(live)

/** What was added to a counter since it was set. */
export const addedTo = (live: LiveOp): bigint => {
  let sum = 0n
  for (const by of live.increments?.values() ?? []) sum += BigInt(by)
  return sum
}

/** Whether a live operation is a counter, which others can add to. */
export const isCounter = (live: LiveOp): boolean => isInteger(live.value)

/** Where an operation is in a register, which is in order; -1: nowhere. */
export const indexIn = (register: Register, id: OpId): number => {
  let [low, high] = [0, register.length - 1]
  while (low <= high) {
    const middle = (low + high) >>> 1
    const order = compareOpIds(register[middle]!, id)
    if (order === 0) return middle
    if (order < 0) low = middle + 1
    else high = middle - 1
  }
  return -1
}

/** The operation that shows in a map of its own: the highest id, as in Automerge. */
export const winner = (register: Register): LiveOp => register[register.length - 1]!

// Makings. What a change set in a map that it made is fixed, so whether two makings agree is, too.

// Of a map it is the same for as long as the map lives. Without this, each level of maps in maps would go through all below it again.
const makings = new WeakMap<MapNode, LostMap>()

/** What stands for a value that is overwritten: the making set it, and what it holds decides with whom the making agrees. */
export const lostOf = (live: LiveOp): Lost => (isMap(live) ? makingOf(live) : scalarHash(live.value as Scalar))

/** What the making of a map set, whatever has become of it. */
export const makingOf = (map: LiveMap): LostMap => {
  const known = makings.get(map.value)
  if (known) return known
  const making = new Map(map.value.lost)
  for (const [key, made] of madeIn(map)) making.set(key, lostOf(made))
  makings.set(map.value, making)
  return making
}

/** Whether an operation is part of the making of a map. */
export const isOfMaking = (map: LiveMap, op: OpId): boolean =>
  op.actor === map.actor && op.counter > map.counter && op.counter <= map.value.end

/** What is left of a making: key by key, what it set and nobody has overwritten. */
function* madeIn(map: LiveMap): Generator<readonly [string, LiveOp]> {
  for (const [key, register] of map.value.registers)
    for (const live of register) if (isOfMaking(map, live)) yield [key, live]
}

/** Whether two makings nowhere set one field differently. */
export const makingsAgree = (a: Lost, b: Lost): boolean => {
  if (typeof a === 'string' || typeof b === 'string') return a === b
  const [few, many] = a.size < b.size ? [a, b] : [b, a]
  for (const [key, made] of few) {
    const other = many.get(key)
    if (other !== undefined && !makingsAgree(made, other)) return false
  }
  return true
}

/** Hex digits of a hash that stands for a scalar. Who makes two that collide merges with itself. */
export const LOST_DIGITS = 16

const scalarHash = (value: Scalar): string => hash('sha256', scalarText(value), 'hex').slice(0, LOST_DIGITS)

/** Different for different scalars; -0 is not 0. */
const scalarText = (value: Scalar): string => {
  if (typeof value === 'string') return `s${value}`
  if (typeof value === 'number') return Object.is(value, -0) ? 'n-0' : `n${value}`
  if (value instanceof Date) return `d${value.getTime()}`
  if (value instanceof Uint8Array) return `b${Buffer.from(value).toString('hex')}`
  return String(value)
}
