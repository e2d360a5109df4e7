/** Stores that take turns, round by round, and what their rounds come to. */
import type { Run, Speed } from './findings.js'
import { median, type Round } from './load.js'

interface QuietRound extends Round {
  readonly busy: number | undefined
}

/** One of the stores compared, with one thing to do. */
export interface Player {
  /** So that the engine has compiled what there is to compile, also where one at a time comes first. */
  warmUp(): Promise<unknown>
  run(): Promise<Round>
  /** Waits until others hold what was written, in milliseconds; the next round must not pay for this one. */
  settle(): Promise<number>
}

/** The rounds of one store. */
export interface Played {
  readonly rounds: readonly QuietRound[]
  /** How long it took after each round until all held what was written. */
  readonly settleMs: readonly number[]
}

/**
 * So that what else the machine does falls on all alike: each plays one round, then each the next one. Who was last begins the next round.
 * @returns in the order of the players
 */
export const takeTurns = async (
  { quiet }: Pick<Run, 'quiet'>,
  players: readonly Player[],
  rounds: number,
): Promise<Played[]> => {
  for (const each of players) {
    await each.warmUp()
    await each.settle()
  }
  const played = players.map((player) => ({ player, rounds: [] as QuietRound[], settleMs: [] as number[] }))
  for (let round = 0; round < rounds; round++)
    for (const each of round % 2 === 0 ? played : played.toReversed()) {
      const busy = await quiet.wait()
      each.rounds.push({ ...(await each.player.run()), busy })
      each.settleMs.push(await each.player.settle())
    }
  return played
}

const perSecond = ({ count, ms }: Round, moreMs = 0): number => (count / (ms + moreMs)) * 1_000

export const speedOf = (rounds: readonly QuietRound[]): Speed => ({
  perSecond: median(rounds.map((round) => perSecond(round))),
  rounds: rounds.map((round) => perSecond(round)),
  busyBefore: rounds.flatMap(({ busy }) => busy ?? []),
  cpuUsPerOperation: median(rounds.map(({ cpuMs, count }) => (cpuMs / count) * 1_000)),
  peakMs: Math.max(...rounds.map(({ peakMs }) => peakMs)),
})

/** Operations a second where the time counts until all hold them. */
export const untilHeld = ({ rounds, settleMs }: Played): number =>
  median(rounds.map((round, index) => perSecond(round, settleMs[index])))
