import type { Findings, RemoteRow, Row, RowName, Speed } from './findings.js'
import { ratio, type Verdict } from './targets.js'

const LABELS: { readonly [name in RowName]: string } = {
  getHot: 'get, hot',
  getCold: 'get, cold',
  touch: 'touch',
  touchWritten: 'touch, written',
  update: 'update one field',
  increment: 'increment',
  create: 'create',
  mix: 'mix 80/15/5',
}

const REMOTE_LABELS: { readonly [name in RemoteRow['name']]?: string } = {
  ...LABELS,
  get: 'get',
  getNear: 'get, near cache',
  update: 'update by a draft',
  patch: 'update by a merge patch',
}

const thousands = (value: number): string => Math.round(value).toLocaleString('en-US')

const speed = (value: Speed | undefined): string => (value ? thousands(value.perSecond) : '–')

const times = (value: number | undefined): string =>
  value === undefined ? '–' : `${value.toFixed(value < 10 ? 2 : 1)}×`

/** Columns as wide as their widest cell; all but the first to the right. */
const align = (lines: readonly (readonly string[])[], leftColumns: number): string[] => {
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)))
  return lines.map((line) =>
    line
      .map((cell, column) => (column < leftColumns ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ')
      .trimEnd(),
  )
}

const HEAD = ['operations/s', 'c', 'ioredis', 'one region', 'ratio', 'three regions', 'ratio', 'until all hold it']

const rowLine = (row: Row): string[] => [
  LABELS[row.name],
  String(row.concurrency),
  speed(row.redis),
  speed(row.alone),
  times(ratio(row, row.alone)),
  speed(row.linked),
  times(ratio(row, row.linked)),
  row.name.startsWith('get') || row.name === 'touch' ? '' : thousands(row.linkedUntilHeld),
]

const REMOTE_HEAD = ['over the network, operations/s', 'c', 'ioredis', 'client', 'ratio', 'CPU, µs: ioredis', 'client']

const remoteLine = (row: RemoteRow): string[] => [
  REMOTE_LABELS[row.name] ?? row.name,
  String(row.concurrency),
  speed(row.redis),
  speed(row.remote),
  times(ratio(row, row.remote)),
  row.redis ? row.redis.cpuUsPerOperation.toFixed(1) : '–',
  row.remote.cpuUsPerOperation.toFixed(1),
]

const number = (value: number): string =>
  Math.abs(value) >= 100 ? thousands(value) : value.toFixed(Math.abs(value) < 10 ? 2 : 1)

const verdictOf = ({ reached, measured, wanted, unit }: Verdict): string => {
  if (reached === undefined || measured === undefined) return 'not measured'
  if (reached) return 'reached'
  const by = unit === '×' ? `${((1 - measured / wanted) * 100).toFixed(0)} %` : `${number(measured - wanted)} ms`
  return `missed by ${by}`
}

const verdictLine = (verdict: Verdict): string[] => {
  const { target, measured, wanted, unit } = verdict
  const is = measured === undefined ? '–' : unit === '×' ? times(measured) : `${number(measured)} ms`
  return [target, unit === '×' ? `≥ ${wanted}×` : `≤ ${thousands(wanted)} ms`, is, verdictOf(verdict)]
}

/** What the terminal shows. */
export const render = ({ rows, remoteRows = [], measures }: Findings, verdicts: readonly Verdict[]): string => {
  const order = Object.keys(LABELS)
  const sorted = [...rows].sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name))
  const blocks: string[][] = []
  if (sorted.length > 0) blocks.push(align([HEAD, ...sorted.map(rowLine)], 1))
  if (remoteRows.length > 0) blocks.push(align([REMOTE_HEAD, ...remoteRows.map(remoteLine)], 1))
  if (measures.length > 0)
    blocks.push(
      align(
        measures.map(({ name, value, unit, detail }) => [name, `${number(value)} ${unit}`.padStart(10), detail ?? '']),
        3,
      ),
    )
  const judged = verdicts.filter(({ measured }) => measured !== undefined)
  if (judged.length > 0) blocks.push(align([['target', '', 'measured', ''], ...judged.map(verdictLine)], 1))
  return blocks.map((lines) => lines.join('\n')).join('\n\n')
}
