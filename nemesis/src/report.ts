import type { Failure, Run, RunOptions, Standing } from './run.js'
import { FAULTS, type RoundPlan, showStep } from './schedule.js'

/** What is said of a run: while it lasts, and when it is over. */

const thousands = (value: number): string => Math.round(value).toLocaleString('en-US')

const clock = (ms: number): string => {
  const seconds = Math.floor(ms / 1_000)
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}

/** The progress line. */
export const showStanding = ({ ms, round, phase, operations, active }: Standing, totalMs: number): string =>
  [`${clock(ms)} of ${clock(totalMs)}, round ${round}, ${thousands(operations)} operations, ${phase}`, ...active].join(
    ' | ',
  )

/** How to play it again. */
export const commandOf = ({ seed, ms, rate, faults, bug }: RunOptions, round: number): string =>
  [
    `npm run nemesis -- --seed ${seed} --round ${round} --minutes ${Math.ceil(ms / 60_000)} --rate ${rate}`,
    faults.length < FAULTS.length ? ` --only ${faults.join(',')}` : '',
    bug ? ` --bug ${bug}` : '',
  ].join('')

export const showPlan = (plan: RoundPlan): string =>
  [
    `round ${plan.round} of seed ${plan.seed}, ${plan.ms / 1_000} s: ${plan.faults.join(' ')}`,
    ...plan.steps.map((step) => `  ${showStep(step)}`),
  ].join('\n')

const MAX_SHOWN = 10

export const showFailure = ({ plan, violations }: Failure, options: RunOptions, home: string): string => {
  const unique = [...new Map(violations.map((each) => [`${each.rule}${each.what}`, each])).values()]
  return [
    `A rule was broken in round ${plan.round} of seed ${plan.seed}:`,
    ...unique.slice(0, MAX_SHOWN).map(({ rule, what }) => `[${rule}] ${what}`),
    ...(unique.length > MAX_SHOWN ? [`and ${unique.length - MAX_SHOWN} more`] : []),
    '',
    'The schedule:',
    showPlan(plan),
    '',
    `Logs, schedule and stores: ${home}`,
    `The same schedule again:   ${commandOf(options, plan.round)}`,
  ].join('\n')
}

/** A table of everything, in Markdown. */
export const showTotals = ({ totals, missing, lateMs }: Run): string => {
  const operations = [...totals.outcomes.values()].reduce((sum, count) => sum + count, 0)
  const faults = [...totals.injected.values()].reduce((sum, count) => sum + count, 0)
  const skipped = [...totals.skipped.values()].reduce((sum, count) => sum + count, 0)
  const sorted = (of: ReadonlyMap<string, number>) => [...of].sort(([a], [b]) => (a < b ? -1 : 1))
  return [
    '| | |',
    '|---|---:|',
    `| minutes | ${(totals.ms / 60_000).toFixed(1)} |`,
    `| rounds | ${totals.rounds} |`,
    `| sessions | ${thousands(totals.sessions)} |`,
    `| operations of clients | ${thousands(operations)} |`,
    ...sorted(totals.outcomes).map(([outcome, count]) => `| – ${WORDS[outcome] ?? outcome} | ${thousands(count)} |`),
    ...sorted(totals.codes).map(([code, count]) => `| – of them \`${code}\` | ${thousands(count)} |`),
    `| calls that clients asked again after a connection had ended | ${thousands(totals.repeated)} |`,
    `| processes started | ${thousands(totals.starts)} |`,
    `| faults | ${thousands(faults)} |`,
    ...FAULTS.map((fault) => `| – ${fault} | ${missing.has(fault) ? 'skipped' : (totals.injected.get(fault) ?? 0)} |`),
    `| faults of the schedule that met another one | ${skipped} |`,
    `| seconds until healed regions agreed, at most | ${(totals.settleMs / 1_000).toFixed(1)} |`,
    `| milliseconds that this machine was late, at most | ${thousands(lateMs)} |`,
  ].join('\n')
}

const WORDS: { readonly [outcome: string]: string } = {
  ok: 'acknowledged, or answered',
  absent: 'no such session',
  unmet: 'durable in one region, quorum not met',
  refused: 'refused',
  crashed: 'nobody knows',
}
