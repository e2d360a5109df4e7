import type { Fold, Register } from './fold.js'
import { liveValue, winner } from './fold.js'
import type { Pointer } from './pointer.js'
import { lastSegment, parentOf, segmentsOf } from './pointer.js'
import type { Data, Value } from './value.js'
import { fromScalar, isObjectMarker, isPlainObject, isShareable } from './value.js'

/** The data that a fold shows: frozen, keys in the order of their pointers, the same in every region. */
export interface View {
  readonly data: Data
  /** No `Date` and no `Uint8Array` in it, which JavaScript cannot freeze: safe to hand to more than one caller. */
  readonly shareable: boolean
}

type Container = Record<string, Value>

/**
 * Builds the data from the registers. An object is where its marker wins or where any field below it lives: a scalar
 * concurrent with a write below it gives way to the object.
 */
export const materialize = (fold: Fold): View => {
  const root: Container = {}
  const containers = new Map<Pointer, Container>([['', root]])
  const containerAt = (path: Pointer): Container => {
    const known = containers.get(path)
    if (known) return known
    const made: Container = {}
    containers.set(path, made)
    containerAt(parentOf(path))[lastSegment(path)] = made
    return made
  }
  let shareable = true
  // A pointer sorts before every pointer below it, so a scalar is there before the object that replaces it.
  for (const path of [...fold.registers.keys()].sort()) {
    const scalar = liveValue(winner(fold.registers.get(path)!))
    if (isObjectMarker(scalar)) containerAt(path)
    else {
      const value = fromScalar(scalar)!
      shareable &&= isShareable(value)
      containerAt(parentOf(path))[lastSegment(path)] = value
    }
  }
  for (const container of containers.values()) Object.freeze(container)
  return { data: root, shareable }
}

/** Fields that a view is derived by; where more have changed, it is as well built anew. */
const MAX_DERIVED = 8

/**
 * What {@link materialize} makes of `after`, derived from the view of `before`: where a few fields have only got other values, everything else is
 * shared with it. Undefined where more has changed than that.
 */
export const deriveView = (view: View, before: Fold, after: Fold): View | undefined => {
  if (before.registers === after.registers) return view
  if (!view.shareable || before.registers.size !== after.registers.size) return undefined
  let data: Data | undefined = view.data
  let left = MAX_DERIVED
  for (const [path, register] of after.registers) {
    const old = before.registers.get(path)
    if (old === register) continue
    // A field that came, or an object that came or went, moves more than one value.
    if (old === undefined || isObjectMarker(liveValue(winner(old))) || left-- === 0) return undefined
    const scalar = liveValue(winner(register))
    const value = isObjectMarker(scalar) ? undefined : fromScalar(scalar)!
    data = value === undefined || !isShareable(value) ? undefined : withValue(data, segmentsOf(path), 0, value)
    if (data === undefined) return undefined
  }
  return { data, shareable: true }
}

/** A copy of the objects on the way to a field, with another value there; undefined where no value shows there now. */
const withValue = (
  container: Data,
  path: ReturnType<typeof segmentsOf>,
  depth: number,
  value: Value,
): Data | undefined => {
  const key = path[depth]!.segment
  const old = Object.hasOwn(container, key) ? container[key] : undefined
  if (depth < path.length - 1) {
    const next = isPlainObject(old) ? withValue(old as Data, path, depth + 1, value) : undefined
    return next && Object.freeze({ ...container, [key]: next })
  }
  // An object shows where a scalar stands, too: fields below it live.
  return old === undefined || isPlainObject(old) ? undefined : Object.freeze({ ...container, [key]: value })
}

/** Whether any field lives below a pointer. */
export const hasFieldsBelow = (registers: ReadonlyMap<Pointer, Register>, path: Pointer): boolean => {
  const prefix = `${path}/`
  for (const key of registers.keys()) if (key.startsWith(prefix)) return true
  return false
}
