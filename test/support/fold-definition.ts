/** The reference: a document that forgets nothing, and works its fold out from the whole history by definition. */
import { createHash } from 'node:crypto'
import type {
  ActorId,
  Change,
  ChangeDelta,
  ChangeHash,
  Fold,
  Head,
  LiveOp,
  Op,
  OpId,
  Scalar,
} from '@sojourn/core/internal'
import { compareOpIds, decodeChange, isInteger, MapNode } from '@sojourn/core/internal'
import { CHANGE_LIMITS } from './worlds.js'

export type History = ReadonlyMap<ChangeHash, ChangeDelta>

/** An operation, with the number of the last one of its change. */
type Numbered = Op & { readonly id: OpId; readonly end: number }

const idText = ({ counter, actor }: OpId): string => `${counter}@${actor}`
const isSame = (a: OpId | undefined, b: OpId | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && compareOpIds(a, b) === 0)

const changesOf = (history: History): readonly (Change & { readonly hash: ChangeHash })[] =>
  [...history].map(([hash, { bytes }]) => ({ hash, ...decodeChange(bytes, CHANGE_LIMITS).change }))

export const foldByDefinition = (history: History): Fold => {
  const changes = changesOf(history)
  const deps = new Set(changes.flatMap((change) => change.deps))
  const heads: Head[] = changes
    .filter(({ hash }) => !deps.has(hash))
    .map(({ hash, actor, seq }) => ({ hash, actor, seq }))
    .sort((a, b) => (a.hash < b.hash ? -1 : 1))
  const seen = new Map<string, { seq: number; maxOp: number }>()
  for (const { actor, seq, startOp, ops } of changes)
    if (seq > (seen.get(actor)?.seq ?? 0)) seen.set(actor, { seq, maxOp: startOp + ops.length - 1 })
  return { seen, heads, registers: new Defined(changes).registersOf(undefined) }
}

/** The maps of a history: what each holds, is by who wrote in it, and not by when it came. */
class Defined {
  readonly #ops: readonly Numbered[]
  /** Of what is overwritten: the operation may still be in the making of a map. */
  readonly #overwritten: ReadonlySet<string>

  constructor(changes: readonly Change[]) {
    this.#ops = changes.flatMap(({ actor, startOp, ops }) =>
      ops.map((op, index) => ({ ...op, id: { actor, counter: startOp + index }, end: startOp + ops.length - 1 })),
    )
    this.#overwritten = new Set(this.#ops.flatMap((op) => (op.action === 'inc' ? [] : op.pred.map(idText))))
  }

  /** What was put into a map, and what of it is left. */
  registersOf(map: OpId | undefined): Map<string, LiveOp[]> {
    const registers = new Map<string, LiveOp[]>()
    for (const op of this.#ops) {
      if ((op.action !== 'set' && op.action !== 'make') || !isSame(op.obj, map)) continue
      if (this.#overwritten.has(idText(op.id))) continue
      registers.set(op.key, [...(registers.get(op.key) ?? []), this.#liveOf(op)].sort(compareOpIds))
    }
    return registers
  }

  #liveOf(op: Numbered & { action: 'set' | 'make' }): LiveOp {
    const value = op.action === 'set' ? op.value : this.#nodeOf(op)
    return { ...op.id, value, increments: this.#incrementsOf(op) }
  }

  #nodeOf(op: Numbered): MapNode {
    const lost = new Map(
      this.#makingOf(op)
        .filter(({ id }) => this.#overwritten.has(idText(id)))
        .map((made) => [made.key, this.#standsFor(made)]),
    )
    return new MapNode(this.registersOf(op.id), op.pred.length === 0, op.end, lost as MapNode['lost'])
  }

  /** What the change that made a map put into it. */
  #makingOf({ id, end }: Numbered): Numbered[] {
    return this.#ops.filter(
      (op) =>
        (op.action === 'set' || op.action === 'make') &&
        isSame(op.obj, id) &&
        op.id.actor === id.actor &&
        op.id.counter <= end,
    )
  }

  /** What a making set, whatever has become of it: a hash of a scalar, of a map the same of its own making. */
  #standsFor(op: Numbered): unknown {
    if (op.action === 'set') return hashOf(op.value)
    return new Map(this.#makingOf(op).map((made) => [made.key, this.#standsFor(made)]))
  }

  #incrementsOf(op: Numbered): ReadonlyMap<ActorId, number> | undefined {
    if (op.action !== 'set' || !isInteger(op.value)) return undefined
    const increments = new Map<ActorId, number>()
    for (const inc of this.#ops)
      if (inc.action === 'inc' && inc.pred.some((pred) => compareOpIds(pred, op.id) === 0))
        increments.set(inc.id.actor, (increments.get(inc.id.actor) ?? 0) + inc.value)
    return increments.size > 0 ? increments : undefined
  }
}

/** The first 16 digits of SHA-256 of a letter for the type, and the value as text. */
const hashOf = (value: Scalar): string => createHash('sha256').update(textOf(value)).digest('hex').slice(0, 16)

const textOf = (value: Scalar): string => {
  if (value === null || typeof value === 'boolean') return `${value}`
  if (typeof value === 'string') return `s${value}`
  if (typeof value === 'number') return `n${Object.is(value, -0) ? '-0' : value}`
  return value instanceof Date ? `d${value.getTime()}` : `b${Buffer.from(value).toString('hex')}`
}
