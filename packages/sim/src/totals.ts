/** What many worlds come to together. */
import type { RunResult } from './run.js'

/** What many worlds come to together. */
export interface Totals {
  seeds: number
  simulatedMs: number
  operations: number
  frames: number
  faults: { [fault: string]: number }
  /** Of worlds with apps. */
  clients: { [what: string]: number }
  maxRounds: number
}

export const noTotals = (): Totals => ({
  seeds: 0,
  simulatedMs: 0,
  operations: 0,
  frames: 0,
  faults: {},
  clients: {},
  maxRounds: 0,
})

export const addTotals = (sum: Totals, { totals }: Pick<RunResult, 'totals'>): void => {
  sum.seeds++
  sum.simulatedMs += totals.simulatedMs
  sum.operations += totals.operations
  sum.frames += totals.frames
  sum.maxRounds = Math.max(sum.maxRounds, totals.rounds)
  for (const [fault, count] of Object.entries(totals.faults)) sum.faults[fault] = (sum.faults[fault] ?? 0) + count
  for (const [what, count] of Object.entries(totals.clients)) sum.clients[what] = (sum.clients[what] ?? 0) + count
}

const thousands = (value: number): string => Math.round(value).toLocaleString('en-US')

/** The progress line. */
export const showProgress = (sum: Totals, wallMs: number): string => {
  const faults = Object.values(sum.faults).reduce((all, count) => all + count, 0)
  return `${thousands(sum.seeds)} seeds, ${(sum.simulatedMs / 3_600_000).toFixed(1)} h simulated, ${thousands(sum.operations)} operations, ${thousands(faults)} faults, ${thousands(sum.simulatedMs / Math.max(1, wallMs))}× real time`
}

/** A table of everything, in Markdown. */
export const showTotals = (sum: Totals, wallMs: number): string =>
  [
    '| | |',
    '|---|---:|',
    `| seeds | ${thousands(sum.seeds)} |`,
    `| simulated hours | ${thousands(sum.simulatedMs / 3_600_000)} |`,
    `| operations of clients | ${thousands(sum.operations)} |`,
    ...Object.entries(sum.clients).map(([what, count]) => `| – ${what} | ${thousands(count)} |`),
    `| frames | ${thousands(sum.frames)} |`,
    `| faults | ${thousands(Object.values(sum.faults).reduce((all, count) => all + count, 0))} |`,
    ...Object.entries(sum.faults)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([fault, count]) => `| – ${fault} | ${thousands(count)} |`),
    `| rounds of a second until healed regions agreed, at most | ${sum.maxRounds} |`,
    `| times faster than real time | ${thousands(sum.simulatedMs / Math.max(1, wallMs))} |`,
  ].join('\n')
