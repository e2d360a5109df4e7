import type { Replica } from '@sojourn/replica'
import { expect } from 'vitest'

export const THREE = ['eu', 'us', 'ap'] as const

/** For calls that cannot be met; all others have time enough for the busiest machine. */
export const timeout = '60ms'
/** For those that cannot be met either, and of which it matters who answers meanwhile. */
export const longer = '700ms'
export const consistency = { timeout: '15s' } as const

export const unmetWrite = (need: number, regions: readonly string[]) => ({
  code: 'QUORUM_UNMET',
  need,
  got: regions.length,
  regions: expect.toSatisfy((answered: string[]) => [...answered].sort().join() === [...regions].sort().join()),
  mayHaveApplied: true,
})
export const unmetRead = (need: number, regions: readonly string[]) => ({
  ...unmetWrite(need, regions),
  mayHaveApplied: false,
})

export const dataIn = async (replica: Replica, id: string): Promise<unknown> => (await replica.get(id))?.data
