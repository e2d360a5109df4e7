const DEADLINE_MS = 15_000

/** Looks again on every turn of the event loop until `condition` gives something truthy, and returns that. */
export const until = async <T>(condition: () => T | Promise<T>, what: string | (() => string)): Promise<T> => {
  const deadline = performance.now() + DEADLINE_MS
  for (;;) {
    const value = await condition()
    if (value) return value
    if (performance.now() > deadline)
      throw new Error(`waited ${DEADLINE_MS} ms for ${typeof what === 'string' ? what : what()}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}
