import { isDeepStrictEqual } from 'node:util'
import type { FinalState, Seen, Violation } from '@sojourn/sim'

/** Sessions of earlier rounds: nobody touches them any more, so they stay as they were until they expire, and what ended stays away. */

/** Clocks and listings are not of one moment, milliseconds. */
const SLACK_MS = 2_000

export class Archive {
  /** What every region held when the round was over, by name or, of sessions that nobody can name, key. */
  readonly #living = new Map<string, Seen>()
  /** Names of sessions that had ended, or expired, by then. */
  readonly #gone = new Set<string>()
  /** Names of everything, by key. */
  readonly #names = new Map<string, string>()

  get size(): number {
    return this.#living.size + this.#gone.size
  }

  /** What a key was called; undefined: it is of no earlier round. */
  nameOf(key: string): string | undefined {
    return this.#names.get(key)
  }

  /**
   * @param names of the round, by key
   * @param state what all regions hold, unknown keys included
   */
  add(round: number, names: ReadonlyMap<string, string>, state: ReadonlyMap<string, Seen>): void {
    for (const [key, name] of names) {
      const full = `${name} of round ${round}`
      this.#names.set(key, full)
      const seen = state.get(key)
      if (seen) this.#living.set(full, seen)
      else this.#gone.add(full)
    }
    for (const [key, seen] of state) {
      if (this.#names.has(key)) continue
      const full = `${key.slice(0, 8)} of round ${round}`
      this.#names.set(key, full)
      this.#living.set(full, seen)
    }
  }

  /** Whether a region still holds what it held: everything that it lists, by the names of this archive. */
  *check(region: string, wall: number, listed: ReadonlyMap<string, Seen>): Iterable<Violation> {
    for (const name of listed.keys())
      if (this.#gone.has(name)) yield { rule: 'END-1', what: `${name} was over, and shows in ${region} again` }
    for (const [name, was] of this.#living) {
      const is = listed.get(name)
      const isOver = was.expiresAt <= wall - SLACK_MS
      if (isOver && is) yield { rule: 'EXP-1', what: `${name} shows in ${region} past its deadline` }
      if (was.expiresAt <= wall + SLACK_MS) continue
      if (is === undefined)
        yield { rule: 'KEEP-1', what: `${name} is missing in ${region}, ${was.expiresAt - wall} ms early` }
      else if (!isDeepStrictEqual(is, was))
        yield {
          rule: 'KEEP-1',
          what: `${name} has changed in ${region}: it was ${JSON.stringify(was)}, and is ${JSON.stringify(is)}`,
        }
    }
  }

  /** Forgets what expired; it is over from now on. */
  expire(wall: number): void {
    for (const [name, { expiresAt }] of this.#living)
      if (expiresAt <= wall - SLACK_MS) {
        this.#living.delete(name)
        this.#gone.add(name)
      }
  }
}

/** What all regions hold, by key, where they agree; of those that differ nothing is said here. */
export const common = (
  states: readonly (FinalState & { readonly byKey: ReadonlyMap<string, Seen> })[],
): Map<string, Seen> =>
  new Map(
    [...(states[0]?.byKey ?? [])].filter(([key, seen]) =>
      states.every(({ byKey }) => isDeepStrictEqual(byKey.get(key), seen)),
    ),
  )
