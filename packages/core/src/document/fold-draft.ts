/** The registers of a fold while a change is applied to them, or written: only the maps on the way to what changes are copied. */
import type { LiveMap, LiveOp, Lost, LostMap, Register, Registers } from './live.js'
import { indexIn, isCounter, isMap, isOfMaking, liveOp, lostOf, MapNode, nameOf } from './live.js'
import type { ActorId, Change, Op, OpId } from './op.js'
import { compareOpIds } from './op.js'

/** A map that is being changed. */
interface OpenMap {
  /** As it was, or a new one that is empty. */
  readonly live: LiveMap
  readonly registers: Map<string, Register>
  lost: Map<string, Lost> | undefined
  /** Undefined: it is in the root. */
  readonly parent: OpenMap | undefined
  readonly key: string
  readonly isNew: boolean
}

/** Where a map is. */
interface Place {
  readonly live: LiveMap
  readonly parent: OpId | undefined
  readonly key: string
  readonly depth: number
}

export class FoldDraft {
  readonly #before: Registers
  readonly #actor: ActorId
  /** The number of the next operation. */
  #next: number
  #root: Map<string, Register> | undefined
  /** Each after the one that it is in. */
  readonly #open = new Map<string, OpenMap>()
  /** Made when the first operation names a map that this change did not make. */
  #places: Map<string, Place> | undefined

  constructor(registers: Registers, { actor, startOp }: Pick<Change, 'actor' | 'startOp'>) {
    this.#before = registers
    this.#actor = actor
    this.#next = startOp
  }

  /** The number of the next operation. */
  get next(): number {
    return this.#next
  }

  /** What a map holds now; undefined where there is no such map any more. */
  registersOf(map: OpId | undefined): Registers | undefined {
    if (map === undefined) return this.#root ?? this.#before
    const name = nameOf(map)
    return this.#open.get(name)?.registers ?? this.#placeOf(name)?.live.value.registers
  }

  /** What a map of the fold, or a new one, holds now. */
  registersIn(map: LiveMap): Registers {
    return this.#open.get(nameOf(map))?.registers ?? map.value.registers
  }

  /** Whether this change makes the map. */
  isNew(map: OpId): boolean {
    return this.#open.get(nameOf(map))?.isNew ?? false
  }

  /** How many maps a map is in; 0 of the root. */
  depthOf(map: OpId | undefined): number {
    return map === undefined ? 0 : (this.#placeOf(nameOf(map))?.depth ?? 0)
  }

  /** Gives the next operation its number and applies it. What is in a map that is no more changes nothing: an edit goes with its object. */
  apply(op: Op): OpId {
    const id: OpId = { counter: this.#next++, actor: this.#actor }
    const map = op.obj && this.#opened(op.obj)
    if (op.obj && map === undefined) return id
    this.#root ??= new Map(this.#before)
    const registers = map?.registers ?? this.#root
    const register = registers.get(op.key) ?? NOTHING
    const after = op.action === 'inc' ? incremented(register, op, id) : this.#overwritten(register, op, id, map)
    if (after.length === 0) registers.delete(op.key)
    else registers.set(op.key, after)
    return id
  }

  #overwritten(register: Register, op: Op & { action: 'make' | 'set' | 'del' }, id: OpId, map: OpenMap | undefined) {
    const rest: LiveOp[] = []
    const isNamed = naming(op.pred)
    for (const live of register) {
      if (!isNamed(live)) rest.push(live)
      else if (map && !map.isNew && isOfMaking(map.live, live)) {
        map.lost ??= new Map(map.live.value.lost)
        map.lost.set(op.key, lostOf(live))
      }
    }
    if (op.action === 'set') rest.push(liveOp(id.counter, id.actor, op.value))
    if (op.action === 'make') {
      const live = liveOp(id.counter, id.actor, new MapNode(NO_REGISTERS, op.pred.length === 0, id.counter)) as LiveMap
      rest.push(live)
      const registers = new Map<string, Register>()
      this.#open.set(nameOf(id), { live, registers, lost: undefined, parent: map, key: op.key, isNew: true })
      const depth = this.depthOf(op.obj) + 1
      this.#places?.set(nameOf(id), { live, parent: op.obj, key: op.key, depth })
    }
    return rest.length < 2 ? rest : rest.sort(compareOpIds)
  }

  /** The map that an operation names, to be changed, with those that it is in. */
  #opened(map: OpId): OpenMap | undefined {
    const name = nameOf(map)
    const known = this.#open.get(name)
    if (known) return known
    const place = this.#placeOf(name)
    if (place === undefined) return undefined
    const parent = place.parent && this.#opened(place.parent)
    // What it is in may have been overwritten by this very change.
    const isThere = (parent ? parent.registers : (this.#root ?? this.#before)).get(place.key)?.includes(place.live)
    if ((place.parent && parent === undefined) || !isThere) return undefined
    const { live, key } = place
    const open = { live, registers: new Map(live.value.registers), lost: undefined, parent, key, isNew: false }
    this.#open.set(name, open)
    return open
  }

  #placeOf(name: string): Place | undefined {
    if (this.#places === undefined) {
      this.#places = new Map()
      this.#note(this.#before, undefined, 1)
      for (const { live, parent, key, isNew } of this.#open.values())
        if (isNew)
          this.#places.set(nameOf(live), { live, parent: parent?.live, key, depth: this.depthOf(parent?.live) + 1 })
    }
    return this.#places.get(name)
  }

  #note(registers: Registers, parent: OpId | undefined, depth: number): void {
    for (const [key, register] of registers)
      for (const live of register)
        if (isMap(live)) {
          this.#places!.set(nameOf(live), { live, parent, key, depth })
          this.#note(live.value.registers, live, depth + 1)
        }
  }

  /** The registers after all that was applied. */
  finish(): Registers {
    const end = this.#next - 1
    for (const open of [...this.#open.values()].reverse()) {
      const { live, registers, parent, key, isNew } = open
      const within = parent ? parent.registers : this.#root!
      const register = within.get(key)
      if (!register?.includes(live)) continue
      const lost: LostMap = open.lost ?? live.value.lost
      const node = new MapNode(registers, live.value.isFresh, isNew ? end : live.value.end, lost)
      within.set(
        key,
        register.map((one) => (one === live ? liveOp(live.counter, live.actor, node) : one)),
      )
    }
    return this.#root ?? this.#before
  }
}

const NOTHING: Register = []
const NO_REGISTERS: Registers = new Map()

/** Whether an operation is one of these. A peer can give many of them, for a register of many. */
const naming = (preds: readonly OpId[]): ((op: OpId) => boolean) => {
  if (preds.length <= FEW)
    return (op) => preds.some(({ counter, actor }) => counter === op.counter && actor === op.actor)
  const names = new Set(preds.map(nameOf))
  return (op) => names.has(nameOf(op))
}
const FEW = 8

const incremented = (register: Register, op: Op & { action: 'inc' }, id: OpId): Register => {
  const after = [...register]
  for (const pred of op.pred) {
    const at = indexIn(register, pred)
    const live = register[at]
    if (live && isCounter(live)) after[at] = addIncrement(live, id.actor, op.value)
  }
  return after
}

const addIncrement = (live: LiveOp, actor: ActorId, by: number): LiveOp => {
  const increments = new Map(live.increments)
  const sum = (increments.get(actor) ?? 0) + by
  // An actor's own sum leaves the safe integers only where it is forged (see mutate.ts). Everybody adds it up in the
  // same order, so the bound is the same everywhere, and the record can be stored.
  increments.set(actor, Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, sum)))
  return liveOp(live.counter, live.actor, live.value, increments)
}
