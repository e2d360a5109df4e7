/** What the terminal shows: tables of rows, measures and verdicts. */
import type {
  AppRow,
  Findings,
  RemoteRow,
  ReplicatedRow,
  Row,
  RowName,
  Scale,
  ScaleRow,
  SealedRow,
  Speed,
} from './findings.js'
import { ratio, toMemory, type Verdict } from './targets.js'

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

const SCALE_LABELS: { readonly [name in ScaleRow['name']]: string } = {
  getHot: 'get, hot',
  getCold: 'get, cold',
  updateHot: 'update one field, hot',
  update: 'update one field, all',
  create: 'create',
}

const HEAD = [
  ...['operations/s', 'c', 'ioredis', 'one region', 'ratio', 'three regions', 'ratio', 'until all hold it'],
  ...['peak, ms: one', 'three'],
]

const rowLine = (row: Row): string[] => [
  LABELS[row.name],
  String(row.concurrency),
  speed(row.redis),
  speed(row.alone),
  times(ratio(row, row.alone)),
  speed(row.linked),
  times(ratio(row, row.linked)),
  row.name.startsWith('get') || row.name === 'touch' ? '' : thousands(row.linkedUntilHeld),
  row.alone.peakMs.toFixed(1),
  row.linked.peakMs.toFixed(1),
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

const REPLICATED_LABELS: { readonly [name in ReplicatedRow['name']]?: string } = {
  ...LABELS,
  updateMajority: 'update, held by a majority',
}

/** What keeps copies, in the columns' order. */
const REPLICATED = ['linked', 'redis', 'keydb'] as const

const replicatedHead = (keydb: boolean): string[] => [
  ...['with copies, operations/s', 'c', 'three regions', 'until all hold it'],
  ...['Redis + 2 replicas', 'until all hold it', 'ratio', 'ratio, all hold it'],
  ...(keydb ? ['KeyDB, 2 masters', 'until both hold it', 'ratio', 'ratio, both hold it'] : []),
]

const replicatedLine = (row: ReplicatedRow, keydb: boolean): string[] => [
  REPLICATED_LABELS[row.name] ?? row.name,
  String(row.concurrency),
  ...REPLICATED.filter((who) => who !== 'keydb' || keydb).flatMap((who) => {
    const one = row[who]
    const held = one ? thousands(one.perSecondUntilHeld) : '–'
    if (who === 'linked') return [speed(one), held]
    const ratios = [
      one && row.linked.perSecond / one.perSecond,
      one && row.linked.perSecondUntilHeld / one.perSecondUntilHeld,
    ]
    return [speed(one), held, ...ratios.map(times)]
  }),
]

const APP_HEAD = [
  ...['an Express app, requests/s', 'c', 'MemoryStore', 'one region', 'ratio', 'three regions', 'ratio'],
  ...['connect-redis', 'ratio', 'CPU, µs: Memory', 'one', 'three', 'redis'],
]

const appLine = (row: AppRow): string[] => [
  row.name === 'read' ? 'reads the session' : 'changes a field',
  String(row.concurrency),
  speed(row.memory),
  ...[row.alone, row.linked, row.redis].flatMap((one) => [speed(one), times(one && toMemory(row, one))]),
  ...[row.memory, row.alone, row.linked, row.redis].map((one) => one?.cpuUsPerOperation.toFixed(0) ?? '–'),
]

const scaleHead = ({ few, many }: Scale): string[] => [
  ...[`operations/s`, 'c', `of ${thousands(few)}`, `of ${thousands(many)}`, 'cost'],
  ...['CPU, µs: few', 'many', 'peak, ms: few', 'many'],
]

const scaleLine = ({ name, concurrency, few, many }: ScaleRow): string[] => [
  SCALE_LABELS[name],
  String(concurrency),
  speed(few),
  speed(many),
  times(few.perSecond / many.perSecond),
  ...[few, many].map(({ cpuUsPerOperation }) => cpuUsPerOperation.toFixed(1)),
  ...[few, many].map(({ peakMs }) => peakMs.toFixed(1)),
]

const SEALED_HEAD = ['encryption, operations/s', 'c', 'clear', 'encrypted', 'ratio', 'CPU, µs: clear', 'encrypted']

const sealedLine = ({ name, concurrency, clear, sealed }: SealedRow): string[] => [
  LABELS[name],
  String(concurrency),
  speed(clear),
  speed(sealed),
  times(sealed.perSecond / clear.perSecond),
  ...[clear, sealed].map(({ cpuUsPerOperation }) => cpuUsPerOperation.toFixed(1)),
]

const number = (value: number): string =>
  Math.abs(value) >= 100 ? thousands(value) : value.toFixed(Math.abs(value) < 10 ? 2 : 1)

const amount = (value: number, unit: Verdict['unit']): string =>
  unit === '×' ? times(value) : `${number(value)} ${unit}`

const verdictLine = ({ target, measured, wanted, unit, reached }: Verdict): string[] => {
  const bound =
    unit === '×' ? `≥ ${wanted}×` : `${unit === '/s' ? '≥' : '≤'} ${wanted < 10 ? wanted : thousands(wanted)} ${unit}`
  const by =
    unit === '×' || unit === '/s' ? `${((1 - measured / wanted) * 100).toFixed(0)} %` : amount(measured - wanted, unit)
  return [target, bound, amount(measured, unit), reached ? 'reached' : `missed by ${by}`]
}

export const render = (findings: Findings, verdicts: readonly Verdict[]): string => {
  const {
    rows,
    replicatedRows = [],
    remoteRows = [],
    appRows = [],
    sealedRows = [],
    scale,
    measures,
    skipped = [],
  } = findings
  const order = Object.keys(LABELS)
  const sorted = [...rows].sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name))
  const blocks: string[][] = []
  if (sorted.length > 0) blocks.push(align([HEAD, ...sorted.map(rowLine)], 1))
  if (replicatedRows.length > 0) {
    const keydb = replicatedRows.some((row) => row.keydb)
    blocks.push(align([replicatedHead(keydb), ...replicatedRows.map((row) => replicatedLine(row, keydb))], 1))
  }
  if (remoteRows.length > 0) blocks.push(align([REMOTE_HEAD, ...remoteRows.map(remoteLine)], 1))
  if (appRows.length > 0) blocks.push(align([APP_HEAD, ...appRows.map(appLine)], 1))
  if (sealedRows.length > 0) blocks.push(align([SEALED_HEAD, ...sealedRows.map(sealedLine)], 1))
  if (scale) blocks.push(align([scaleHead(scale), ...scale.rows.map(scaleLine)], 1))
  if (measures.length > 0)
    blocks.push(
      align(
        measures.map(({ name, value, unit, detail }) => [name, `${number(value)} ${unit}`.padStart(10), detail ?? '']),
        3,
      ),
    )
  if (skipped.length > 0) blocks.push(skipped.map((what) => `not measured: ${what}`))
  if (verdicts.length > 0) blocks.push(align([['target', '', 'measured', ''], ...verdicts.map(verdictLine)], 1))
  return blocks.map((lines) => lines.join('\n')).join('\n\n')
}
