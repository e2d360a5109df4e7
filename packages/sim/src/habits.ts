/** Draws the habits of a world's users: how much of each operation there is, and at which levels they read and write. */
import type { Level } from '@sojourn/core/internal'
import { OPERATIONS, type OperationKind } from './plan.js'
import type { Prng } from './prng.js'

/** How much of each operation there is, beside the others. */
export type OperationWeights = { readonly [kind in OperationKind]: number }

/** Mostly reads and edits. */
export const USUAL: OperationWeights = {
  create: 6,
  get: 20,
  set: 20,
  save: 5,
  add: 15,
  drop: 6,
  increment: 15,
  touch: 8,
  rotate: 2,
  end: 3,
}

/** Up to what is usual of each: how much differs from world to world. */
export const drawWeights = (random: Prng, usual: OperationWeights): OperationWeights =>
  Object.fromEntries(OPERATIONS.map((kind) => [kind, random.between(0.2, 1) * usual[kind]])) as OperationWeights

/** How often each level is asked for. */
export const drawLevels = (random: Prng): { readonly [level in Level & string]?: number } =>
  random.pick([{ local: 1 }, { majority: 1 }, { local: 3, majority: 2, all: 0.3 }])
