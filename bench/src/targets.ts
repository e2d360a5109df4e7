/** What the project wants to reach, and whether it was. */
import type { Findings, RemoteRow, Row, RowName } from './findings.js'
import { namesOf } from './names.js'
import { CONCURRENCIES, type Plan } from './plan.js'

/** Something to reach, and whether it was. */
export interface Verdict {
  readonly target: string
  /** A ratio to reach at least; anything else at most. */
  readonly unit: '×' | 'ms' | 'B' | 'kB' | 'MB'
  readonly wanted: number
  readonly measured: number
  readonly reached: boolean
}

export const ratio = ({ redis }: { readonly redis: Row['redis'] }, speed: Row['alone']): number | undefined =>
  redis && speed.perSecond / redis.perSecond

type Wanted = Omit<Verdict, 'measured' | 'reached'> & { readonly measured: number | undefined }

/** At which concurrency, in how many regions, how many times what ioredis does. Where the issue does not say how many, each must. */
const LOCAL: readonly (readonly [name: RowName, concurrency: number, which: 'alone' | 'linked', wanted: number])[] = [
  ['getHot', 1, 'alone', 40],
  ['getHot', 1, 'linked', 40],
  ['touch', 1, 'alone', 3],
  ['touch', 1, 'linked', 3],
  ['touch', 64, 'alone', 3],
  ['touch', 64, 'linked', 3],
  ['touchWritten', 1, 'alone', 4],
  ['touchWritten', 64, 'alone', 0.6],
  ['update', 1, 'alone', 3],
  ['update', 1, 'linked', 1.8],
  ['update', 64, 'alone', 0.6],
  ['update', 64, 'linked', 0.35],
]

const LABELS: { readonly [name in RowName]?: string } = {
  getHot: 'hot get',
  touchWritten: 'written touch',
}

const REMOTE: readonly RemoteRow['name'][] = ['get', 'touch', 'update']

const ratios = ({ rows, remoteRows = [] }: Findings): Wanted[] => [
  ...LOCAL.map(([name, concurrency, which, wanted]): Wanted => {
    const row = rows.find((row) => row.name === name && row.concurrency === concurrency)
    const regions = which === 'alone' ? 'one region' : 'three regions'
    const target = `${LABELS[name] ?? name}, c=${concurrency}, ${regions}`
    return { target, unit: '×', wanted, measured: row && ratio(row, row[which]) }
  }),
  ...REMOTE.flatMap((name) =>
    CONCURRENCIES.map((concurrency): Wanted => {
      const row = remoteRows.find((row) => row.name === name && row.concurrency === concurrency)
      return {
        target: `remote ${name}, c=${concurrency}`,
        unit: '×',
        wanted: 1,
        measured: row && ratio(row, row.remote),
      }
    }),
  ),
]

const bounds = ({ measures }: Findings, plan: Plan): Wanted[] => {
  const names = namesOf(plan)
  const atMost = (target: string, wanted: number, unit: Verdict['unit']): Wanted => {
    const measured = measures.find((measure) => measure.name === target)?.value
    return { target, unit, wanted, measured }
  }
  return [
    atMost(names.idleLag, 2, 'ms'),
    atMost(names.catchUp, 1_000, 'ms'),
    atMost(names.disk, 450, 'B'),
    atMost(names.index, 80, 'B'),
    atMost(names.openedClean, 1_500, 'ms'),
    atMost(names.cleanMemory, 512, 'MB'),
    atMost(names.openedKilled, 6_000, 'ms'),
    atMost(names.killedMemory, 512, 'MB'),
    atMost(names.reconciling, 5_000, 'ms'),
    atMost(names.comparing, 200, 'kB'),
  ]
}

/** Of what was measured; a suite that was not run is not judged, nor is what needs a Redis to compare with where there is none. */
export const judge = (findings: Findings, plan: Plan): Verdict[] =>
  [...ratios(findings), ...bounds(findings, plan)].flatMap(({ measured, ...target }) =>
    measured === undefined
      ? []
      : [{ ...target, measured, reached: target.unit === '×' ? measured >= target.wanted : measured <= target.wanted }],
  )
