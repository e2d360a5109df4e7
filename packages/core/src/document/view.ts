import type { Fold, Register } from './fold.js'
import { liveValue, winner } from './fold.js'
import type { Pointer } from './pointer.js'
import { lastSegment, parentOf } from './pointer.js'
import type { Data, Value } from './value.js'
import { fromScalar, isObjectMarker, isShareable } from './value.js'

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

/** Whether any field lives below a pointer. */
export const hasFieldsBelow = (registers: ReadonlyMap<Pointer, Register>, path: Pointer): boolean => {
  const prefix = `${path}/`
  for (const key of registers.keys()) if (key.startsWith(prefix)) return true
  return false
}
