/** The data that a document shows. */
import type { Fold } from './fold.js'
import { identify, identifyAs } from './identity.js'
import type { LiveMap, Registers } from './live.js'
import { isMap } from './live.js'
import type { Scalar } from './op.js'
import { scalarAt, shownAt } from './shown.js'
import type { Data, Value } from './value.js'
import { fromScalar, isShareable } from './value.js'

/** The data that a fold shows: frozen, the keys of each object sorted, the same in every region. */
export interface View {
  readonly data: Data
  /** No `Date` and no `Uint8Array` in it, which JavaScript cannot freeze: safe to hand to more than one caller. */
  readonly shareable: boolean
}

/** Builds the data from the registers. */
export const materialize = (fold: Fold): View => {
  const building = { shareable: true }
  const data = build([fold.registers], building)
  return { data, shareable: building.shareable }
}

interface Building {
  shareable: boolean
}

/** @param objects the registers of the maps that show as one, the highest first */
const build = (objects: readonly Registers[], building: Building): Data => {
  const out: Record<string, Value> = {}
  for (const key of keysOf(objects)) {
    const value = valueAt(objects, key, building)
    if (value !== undefined) out[key] = value
  }
  return Object.freeze(out)
}

const keysOf = (objects: readonly Registers[]): string[] => {
  const keys =
    objects.length === 1 ? [...objects[0]!.keys()] : [...new Set(objects.flatMap((registers) => [...registers.keys()]))]
  return keys.sort()
}

const valueAt = (objects: readonly Registers[], key: string, building: Building): Value | undefined => {
  const shown = shownAt(objects, key)
  if (shown === undefined) return undefined
  if (shown.maps) return objectOf(shown.maps, building)
  const value = fromScalar(scalarAt(objects, key, shown.top))
  building.shareable &&= isShareable(value)
  return value
}

const objectOf = (maps: readonly LiveMap[], building: Building): Data => {
  const data = build(
    maps.map((map) => map.value.registers),
    building,
  )
  identify(data, maps)
  return data
}

/**
 * What {@link materialize} makes of `after`, derived from the view of `before`: what has not changed is shared with it. Undefined where values
 * are in it that cannot be shared.
 */
export const deriveView = (view: View, before: Fold, after: Fold): View | undefined => {
  if (!view.shareable) return undefined
  const building = { shareable: true }
  const data = derive(view.data, before.registers, after.registers, building)
  return building.shareable ? { data, shareable: true } : undefined
}

/** @param data what `before`, which shows alone, shows */
const derive = (data: Data, before: Registers, after: Registers, building: Building): Data => {
  if (before === after) return data
  let isSame = before.size === after.size
  const changed = new Map<string, Value>()
  for (const [key, register] of after) {
    const old = before.get(key)
    if (old === register) continue
    isSame &&= old !== undefined
    const [was, is] = [old?.length === 1 ? old[0]! : undefined, register.length === 1 ? register[0]! : undefined]
    if (was && is && isMap(was) && isMap(is) && was.counter === is.counter && was.actor === is.actor) {
      const inner = derive(data[key] as Data, was.value.registers, is.value.registers, building)
      if (inner !== data[key]) identify(inner, [is])
      changed.set(key, inner)
    } else changed.set(key, valueAt([after], key, building)!)
  }
  if (isSame && changed.size === 0) return data
  const out: Record<string, Value> = {}
  for (const key of isSame ? Object.keys(data) : [...after.keys()].sort())
    out[key] = changed.has(key) ? changed.get(key)! : data[key]!
  return Object.freeze(out)
}

/** A scalar that was set in the place of another one, or where there was nothing, in objects that each show one map. */
export interface FieldSet {
  /** Keys, from the top. */
  readonly path: readonly string[]
  readonly value: Scalar
}

/** What {@link materialize} makes of a document in which fields were set. Undefined where values are in it that cannot be shared. */
export const setInView = (view: View, sets: readonly FieldSet[]): View | undefined => {
  if (!view.shareable) return undefined
  let { data } = view
  for (const { path, value } of sets) {
    const shown = fromScalar(value)
    if (!isShareable(shown)) return undefined
    data = withField(data, path, 0, shown)
  }
  return { data, shareable: true }
}

const withField = (data: Data, path: readonly string[], depth: number, value: Value): Data => {
  const key = path[depth]!
  let inner = value
  if (depth < path.length - 1) {
    const old = data[key] as Data
    const object = withField(old, path, depth + 1, value)
    identifyAs(object, old)
    inner = object
  }
  const isNew = !Object.hasOwn(data, key)
  const names = isNew ? [...Object.keys(data), key].sort() : Object.keys(data)
  // Field by field: a spread can give each object a hidden class of its own, which takes more memory than the object.
  const out: Record<string, Value> = {}
  for (const name of names) out[name] = name === key ? inner : data[name]!
  return Object.freeze(out)
}
