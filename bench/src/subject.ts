/** What is measured, in each store alike. */
import type { SessionIds } from './session-ids.js'

export const OPERATIONS = [
  'get',
  'touch',
  'touchWritten',
  'update',
  'updateMajority',
  'patch',
  'increment',
  'create',
  'mix',
] as const
export type OperationName = (typeof OPERATIONS)[number]

/** A session store under load, as seen from the process that uses it. */
export interface Subject {
  /** Makes sessions, and returns their ids. */
  seed(count: number): Promise<string[]>
  /** The operations pick a session at random from these. */
  adopt(ids: SessionIds): void
  /** Touches every session once, so that the touches that follow find what they find in a store that is in use. */
  renewAll(): Promise<void>
  /** Changes one field of every session. */
  updateAll(): Promise<void>
  readonly operations: { readonly [name in OperationName]: () => Promise<unknown> }
}

/** 80 % a read with a touch, as every request makes; 15 % one changed field; 5 % a new session. */
export const mixOf = (
  operations: { readonly [name in 'get' | 'touch' | 'update' | 'create']: () => Promise<unknown> },
) => {
  const read = async () => {
    await operations.get()
    await operations.touch()
  }
  return (): Promise<unknown> => {
    const dice = Math.random()
    return dice < 0.8 ? read() : dice < 0.95 ? operations.update() : operations.create()
  }
}

/** Runs `each` for 0, 1, 2, … below `count`, so many at a time. */
export const forEachOf = async (
  count: number,
  concurrency: number,
  each: (index: number) => Promise<unknown>,
): Promise<void> => {
  let next = 0
  const worker = async () => {
    while (next < count) await each(next++)
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
}
