/** Shows the profile of a process: whose code took the time, and which functions. */
import { resolve } from 'node:path'
import type { SelfTime } from './cpu-profile.js'

/** Whose code it is: a package, Node's own, or the engine. */
const ownerOf = (where: string): string => {
  // Native work counts for who called it.
  const code = where.split(' < ').at(-1)!
  return /^\(.*\)$/.test(code)
    ? code
    : code.includes(' node:')
      ? 'node'
      : (/ ([^ ]+)\/[^/]+$/.exec(code)?.[1] ?? 'engine')
}

const byOwner = (times: readonly SelfTime[]): string => {
  const sums = new Map<string, number>()
  for (const { where, share } of times) sums.set(ownerOf(where), (sums.get(ownerOf(where)) ?? 0) + share)
  const sorted = [...sums].filter(([, share]) => share >= 0.005).sort(([, a], [, b]) => b - a)
  return sorted.map(([owner, share]) => `${owner} ${(share * 100).toFixed(0)} %`).join(', ')
}

const show = (title: string, times: readonly SelfTime[], top: number): void => {
  const busy = times.filter(({ where }) => where !== '(idle)').reduce((sum, { ms }) => sum + ms, 0)
  process.stdout.write(`\n${title}: busy for ${busy.toFixed(0)} ms\n${byOwner(times)}\n`)
  for (const { where, ms, share } of times.slice(0, top))
    process.stdout.write(`${(share * 100).toFixed(1).padStart(6)} %  ${ms.toFixed(0).padStart(6)} ms  ${where}\n`)
}

/** What is profiled, and how it is shown. */
export interface Wish {
  readonly operation: string
  readonly concurrency: number
  readonly seconds: number
  readonly top: number
  readonly out: string
}

/** Ends the profile of a process, shows it, and leaves the whole of it in a file. */
export const report = async (
  process: { call(method: 'stopProfile', path: string): Promise<SelfTime[]> },
  role: string,
  { operation, concurrency, top, out }: Wish,
): Promise<void> => {
  const path = resolve(out, `${operation}-c${concurrency}-${role}.cpuprofile`)
  show(`${role} (${path})`, await process.call('stopProfile', path), top)
}
