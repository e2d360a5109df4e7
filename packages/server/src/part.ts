/** What a process is put together of: parts that start one after the other, and stop in the reverse order. */

export interface Part {
  /** What it is, for errors. */
  readonly name: string
  start(): Promise<void> | void
  /** Comes once, and only after `start` was through. */
  stop(): Promise<void> | void
}

export interface StartedParts {
  /**
   * Stops them, the last one first. One that fails to stop keeps no other one from it.
   * @param over from when on nothing is waited for: what is not stopped by then is cut
   * @throws what the first one to fail threw
   */
  stop(over: Promise<void>): Promise<'done' | 'cut'>
}

const stopAll = async (parts: readonly Part[], over: Promise<void>): Promise<'done' | 'cut'> => {
  const errors: unknown[] = []
  let outcome: 'done' | 'cut' = 'done'
  const cut = over.then(() => 'cut' as const)
  for (const part of parts.toReversed()) {
    const stopping = Promise.resolve()
      .then(() => part.stop())
      .then(
        () => 'done' as const,
        (error: unknown) => {
          errors.push(error)
          return 'done' as const
        },
      )
    if ((await Promise.race([stopping, cut])) === 'cut') outcome = 'cut'
  }
  if (errors.length > 0) throw errors[0]
  return outcome
}

/**
 * Starts parts in order.
 *
 * @example
 * const running = await startParts([store, listener])
 * await running.stop(new Promise((resolve) => clock.after(5_000, resolve))) // first the listener, then the store
 * @throws what a part that cannot start throws; those before it are stopped by then
 */
export const startParts = async (parts: readonly Part[]): Promise<StartedParts> => {
  const started: Part[] = []
  for (const part of parts) {
    try {
      await part.start()
    } catch (error) {
      // What kept it from starting is to be known, not what came of that.
      await stopAll(started, NEVER).catch(() => {})
      throw error
    }
    started.push(part)
  }
  return { stop: (over) => stopAll(started, over) }
}

const NEVER = new Promise<void>(() => {})
