/** How much memory this process is given: by its container, or the machine; and by V8. */
import { totalmem } from 'node:os'
import { getHeapStatistics } from 'node:v8'

/** Bytes. */
export const givenMemory = (): { readonly memory: number; readonly heap: number } => {
  // 0, or more than there is: nothing constrains it.
  const constrained = process.constrainedMemory?.() ?? 0
  const memory = constrained > 0 ? Math.min(constrained, totalmem()) : totalmem()
  return { memory, heap: getHeapStatistics().heap_size_limit }
}
