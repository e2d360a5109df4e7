import type { Findings, RemoteRow, Row, RowName } from './findings.js'
import { CONCURRENCIES } from './plan.js'

/** Something to reach, and whether it was. */
export interface Verdict {
  readonly target: string
  /** A bare number: a ratio, or milliseconds. Undefined where it was not measured. */
  readonly measured: number | undefined
  readonly wanted: number
  readonly unit: '×' | 'ms'
  readonly reached: boolean | undefined
}

export const ratio = ({ redis }: { readonly redis: Row['redis'] }, speed: Row['alone']): number | undefined =>
  redis && speed.perSecond / redis.perSecond

const atLeast = (target: string, measured: number | undefined, wanted: number): Verdict => ({
  target,
  measured,
  wanted,
  unit: '×',
  reached: measured === undefined ? undefined : measured >= wanted,
})

const atMost = (target: string, measured: number | undefined, wanted: number): Verdict => ({
  target,
  measured,
  wanted,
  unit: 'ms',
  reached: measured === undefined ? undefined : measured <= wanted,
})

/** What the project wants to reach. Where it does not say with how many regions, each must reach it. */
export const judge = ({ rows, remoteRows = [], measures }: Findings, sessions: number): Verdict[] => {
  const times = (name: RowName, concurrency: number, which: 'alone' | 'linked') => {
    const row = rows.find((row) => row.name === name && row.concurrency === concurrency)
    return row && ratio(row, row[which])
  }
  const remotely = (name: RemoteRow['name'], concurrency: number) => {
    const row = remoteRows.find((row) => row.name === name && row.concurrency === concurrency)
    return row && ratio(row, row.remote)
  }
  const value = (name: string) => measures.find((measure) => measure.name === name)?.value
  return [
    atLeast('hot get, c=1, one region', times('getHot', 1, 'alone'), 10),
    atLeast('hot get, c=1, three regions', times('getHot', 1, 'linked'), 10),
    atLeast('touch, c=1, one region', times('touch', 1, 'alone'), 3),
    atLeast('touch, c=1, three regions', times('touch', 1, 'linked'), 3),
    atLeast('touch, c=64, one region', times('touch', 64, 'alone'), 3),
    atLeast('touch, c=64, three regions', times('touch', 64, 'linked'), 3),
    atLeast('update, c=1, three regions', times('update', 1, 'linked'), 1),
    atLeast('update, c=64, three regions', times('update', 64, 'linked'), 1),
    ...(['get', 'touch', 'update'] as const).flatMap((name) =>
      CONCURRENCIES.map((concurrency) => atLeast(`remote ${name}, c=${concurrency}`, remotely(name, concurrency), 1)),
    ),
    atMost('idle lag, p50', value('lag, idle, p50'), 2),
    atMost('catch-up', value(`catch-up of ${sessions} changed sessions`), 2_000),
  ]
}
