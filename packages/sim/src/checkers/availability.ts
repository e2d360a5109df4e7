/** A checker: where a majority is well, calls that need no more are answered. */
import { violation } from '../expectations.js'
import type { Checker, History, Operation, Trouble } from '../history.js'

/** How long after something was repaired links may take to stand, and regions to catch up. */
const RECOVERY_MS = 30_000
/** The longest that a peer which hangs may hold up others, beside what they do usually. */
const STALL_MS = 500
/** Delays in a row until a call is answered: there, to the disk, and back; once more where somebody was stalled. */
const STEPS = 8

/** Where a majority of regions is well, among it the one that is asked, calls that need no more are answered. */
export const availability: Checker = function* (history) {
  const { operations, usualDelayMs } = history
  for (const op of operations) {
    if (op.code !== 'QUORUM_UNMET' || op.need > Math.floor(op.members / 2) + 1) continue
    if (op.timeoutMs < STALL_MS + STEPS * usualDelayMs) continue
    const well = wellAround(op, history)
    if (well.length >= op.need)
      yield violation(
        'QUO-6',
        `${op.kind} at ${op.level} in ${op.region} at ${op.invokedAt.toFixed(0)} ms was unmet, though all was well in and between ${well.join(', ')}`,
      )
  }
}

/** The largest set of regions, among them that of the call, in and between which nothing was wrong then and for a while before. */
const wellAround = (op: Operation, { troubles, incarnations }: History): readonly string[] => {
  const until = op.returnedAt ?? Number.POSITIVE_INFINITY
  const wrong = troubles.filter((trouble) => trouble.from <= until && trouble.until + RECOVERY_MS >= op.invokedAt)
  const open = incarnations.filter(({ at }) => at + RECOVERY_MS < op.invokedAt).map(({ region }) => region)
  const candidates = [...new Set(open)].filter((region) => !wrong.some((trouble) => trouble.region === region))
  if (!candidates.includes(op.region)) return []
  let best: readonly string[] = []
  for (const set of subsets(candidates))
    if (set.includes(op.region) && set.length > best.length && !wrong.some((trouble) => isBetween(trouble, set)))
      best = set
  return best
}

const subsets = (all: readonly string[]): string[][] =>
  Array.from({ length: 2 ** all.length }, (_, bits) => all.filter((_, index) => (bits >> index) & 1))

const isBetween = ({ ways }: Trouble, set: readonly string[]): boolean =>
  ways.some((way) => way.split('>').every((end) => set.includes(end)))
