/** Whether something long gets on, seen from outside: by a number that changes. */
import type { Clock, Timer } from '@sojourn/core/internal'

/**
 * Looks at a number now and then, and says when it is another one. Where it cannot be had, nothing is said.
 * @returns what ends the looking
 */
export const watchNumber = (
  clock: Clock,
  everyMs: number,
  number: () => Promise<number>,
  changed: () => void,
): (() => void) => {
  let timer: Timer | undefined
  let isOver = false
  let last: number | undefined
  const look = async () => {
    const now = await number().catch(() => last)
    if (last !== undefined && now !== last) changed()
    last = now
    if (isOver) return
    timer = clock.after(everyMs, () => void look())
  }
  void look()
  return () => {
    isOver = true
    timer?.cancel()
  }
}
