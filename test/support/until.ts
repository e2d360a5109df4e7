const DEADLINE_MS = 15_000

type Truthy<T> = Exclude<T, undefined | null | false | 0 | ''>

/** Looks again on every turn of the event loop until `condition` gives something truthy, and returns that. */
export const until = async <T>(condition: () => T, what: string | (() => string)): Promise<Truthy<Awaited<T>>> => {
  const deadline = performance.now() + DEADLINE_MS
  for (;;) {
    const value = await condition()
    if (value) return value as Truthy<Awaited<T>>
    if (performance.now() > deadline)
      throw new Error(`waited ${DEADLINE_MS} ms for ${typeof what === 'string' ? what : what()}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}
