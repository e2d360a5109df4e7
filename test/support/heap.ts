/** Bytes on the heap and in buffers, once garbage is collected. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Twice, with a turn of the event loop between: what finalizers free is counted out, too. */
export const heldBytes = async (): Promise<number> => {
  for (const _ of 'ab') {
    collect()
    await new Promise((resolve) => setImmediate(resolve))
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
