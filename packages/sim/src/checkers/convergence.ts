/** A checker: regions that can talk come to hold the same. */
import { isDeepStrictEqual } from 'node:util'
import { violation } from '../expectations.js'
import type { Checker } from '../history.js'
import { showData } from '../users.js'

/** Healed regions agree within the rounds that they are given, and hold the same sessions, made by somebody. */
export const convergence: Checker = function* ({ settled, unsettled, operations, complaints }) {
  for (const what of complaints) yield violation('CONV-5', `unexpected: ${what}`)
  if (unsettled !== undefined) yield violation('CONV-5', `the healed regions do not agree: ${unsettled}`)
  const [first, ...others] = settled ?? []
  if (first === undefined) return
  for (const other of others) {
    for (const name of new Set([...first.sessions.keys(), ...other.sessions.keys()])) {
      const [mine, theirs] = [first.sessions.get(name), other.sessions.get(name)]
      if (isDeepStrictEqual(mine, theirs)) continue
      // Clocks differ a little: what is at its deadline shows in one region and not in the other.
      const expiresAt = (mine ?? theirs)!.expiresAt
      if ((mine === undefined) !== (theirs === undefined) && isBetween(expiresAt, first.wall, other.wall)) continue
      const show = (seen: typeof mine) => (seen ? `${showData(seen.data)} until ${seen.expiresAt}` : 'nothing')
      yield violation(
        'CONV-5',
        `${name} differs: ${first.region} holds ${show(mine)}, ${other.region} holds ${show(theirs)}`,
      )
    }
  }
  // Whose creation or rotation nobody heard the end of, nobody can name.
  const unheard = operations.filter(
    ({ kind, outcome }) => (kind === 'create' || kind === 'rotate') && outcome !== 'ok' && outcome !== 'absent',
  ).length
  for (const { region, unknownKeys } of settled ?? [])
    if (unknownKeys.length > unheard)
      yield violation(
        'CONV-5',
        `${region} holds ${unknownKeys.length} sessions that nobody made, ${unheard} can be explained`,
      )
}

const isBetween = (at: number, a: number, b: number): boolean =>
  at >= Math.min(a, b) - 1_000 && at <= Math.max(a, b) + 1_000
