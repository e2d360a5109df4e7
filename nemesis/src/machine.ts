import type { Trouble } from '@sojourn/sim'
import type { RegionName } from './schedule.js'

/** Whether the machine itself keeps up: what does other things at the same time is nobody's fault. */

const EVERY_MS = 50
/** Later than this, and everybody may have been held up. */
const LATE_MS = 200

/** Notes when this process was late, as a trouble of every region. Returns how to end it. */
export const watchMachine = (
  regions: readonly RegionName[],
  now: () => number,
  troubles: Trouble[],
): { readonly stop: () => void; readonly worstMs: () => number } => {
  let last = now()
  let worst = 0
  const timer = setInterval(() => {
    const at = now()
    const late = at - last - EVERY_MS
    if (late > LATE_MS) for (const region of regions) troubles.push({ region, ways: [], from: last, until: at })
    worst = Math.max(worst, late)
    last = at
  }, EVERY_MS)
  return { stop: () => clearInterval(timer), worstMs: () => worst }
}
