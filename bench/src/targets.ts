/** What the project wants to reach, and whether it was. */
import type { AppRow, Findings, RemoteRow, Row, RowName, Speed } from './findings.js'
import { namesOf } from './names.js'
import { CONCURRENCIES, type Plan } from './plan.js'

/** Something to reach, and whether it was. */
export interface Verdict {
  readonly target: string
  /** A ratio, or how many a second, to reach at least; anything else at most. */
  readonly unit: '×' | '/s' | 'ms' | 'µs' | 'B' | 'kB' | 'MB'
  readonly wanted: number
  readonly measured: number
  readonly reached: boolean
}

export const ratio = ({ redis }: { readonly redis: Row['redis'] }, speed: Row['alone']): number | undefined =>
  redis && speed.perSecond / redis.perSecond

/** Of requests a second, to those that the app makes with express-session's own store in memory. */
export const toMemory = ({ memory }: Pick<AppRow, 'memory'>, speed: Speed): number => speed.perSecond / memory.perSecond

type Wanted = Omit<Verdict, 'measured' | 'reached'> & { readonly measured: number | undefined }

/** At which concurrency, in how many regions, how many times what ioredis does. Where the issue does not say how many, each must. */
const LOCAL: readonly (readonly [name: RowName, concurrency: number, which: 'alone' | 'linked', wanted: number])[] = [
  ['getHot', 1, 'alone', 40],
  ['getHot', 1, 'linked', 40],
  ['touch', 1, 'alone', 3],
  ['touch', 1, 'linked', 3],
  ['touch', 64, 'alone', 3],
  ['touch', 64, 'linked', 3],
  ['touchWritten', 1, 'alone', 6],
  ['touchWritten', 64, 'alone', 0.9],
  ['update', 1, 'alone', 5],
  ['update', 1, 'linked', 3],
  ['update', 64, 'alone', 1.1],
  ['update', 64, 'linked', 0.6],
  ['create', 1, 'linked', 2],
  ['create', 64, 'linked', 0.5],
  ['mix', 1, 'linked', 6],
  ['mix', 64, 'linked', 1.5],
]

const LABELS: { readonly [name in RowName]?: string } = {
  getHot: 'hot get',
  touchWritten: 'written touch',
}

const REMOTE: readonly (readonly [name: RemoteRow['name'], wanted: number])[] = [
  ['get', 1],
  ['touch', 1],
  ['update', 1],
  ['patch', 0.9],
]

const REMOTE_LABELS: { readonly [name in RemoteRow['name']]?: string } = { patch: 'update by patch' }

/** How many times what the app makes with MemoryStore, for one region and for three alike: the issue does not say how many. */
const APP: readonly (readonly [name: AppRow['name'], concurrency: number, wanted: number])[] = [
  ['read', 64, 1.05],
  ['write', 64, 1],
  ['write', 1, 0.9],
]

/** Of updates a second, to those without encryption. */
const ENCRYPTED = 0.85

const ratios = ({ rows, remoteRows = [], appRows = [], sealedRows = [] }: Findings): Wanted[] => [
  ...LOCAL.map(([name, concurrency, which, wanted]): Wanted => {
    const row = rows.find((row) => row.name === name && row.concurrency === concurrency)
    const regions = which === 'alone' ? 'one region' : 'three regions'
    const target = `${LABELS[name] ?? name}, c=${concurrency}, ${regions}`
    return { target, unit: '×', wanted, measured: row && ratio(row, row[which]) }
  }),
  ...REMOTE.flatMap(([name, wanted]) =>
    CONCURRENCIES.map((concurrency): Wanted => {
      const row = remoteRows.find((row) => row.name === name && row.concurrency === concurrency)
      return {
        target: `remote ${REMOTE_LABELS[name] ?? name}, c=${concurrency}`,
        unit: '×',
        wanted,
        measured: row && ratio(row, row.remote),
      }
    }),
  ),
  ...APP.flatMap(([name, concurrency, wanted]) =>
    (['alone', 'linked'] as const).map((which): Wanted => {
      const row = appRows.find((row) => row.name === name && row.concurrency === concurrency)
      const regions = which === 'alone' ? 'one region' : 'three regions'
      return {
        target: `Express ${name}, c=${concurrency}, ${regions}, to MemoryStore`,
        unit: '×',
        wanted,
        measured: row && toMemory(row, row[which]),
      }
    }),
  ),
  ...sealedRows
    .filter(({ name }) => name === 'update')
    .map(
      ({ concurrency, clear, sealed }): Wanted => ({
        target: `encrypted update, c=${concurrency}, to one in the clear`,
        unit: '×',
        wanted: ENCRYPTED,
        measured: sealed.perSecond / clear.perSecond,
      }),
    ),
]

const bounds = ({ measures }: Findings, plan: Plan): Wanted[] => {
  const names = namesOf(plan)
  const measuredAs = (target: string, wanted: number, unit: Verdict['unit']): Wanted => {
    const measured = measures.find((measure) => measure.name === target)?.value
    return { target, unit, wanted, measured }
  }
  return [
    measuredAs(names.writerCpu, 25, 'µs'),
    measuredAs(names.receiverCpu, 14, 'µs'),
    measuredAs(names.withoutView, 700, 'B'),
    measuredAs(names.withView, 2_000, 'B'),
    measuredAs(names.idleLag, 0.6, 'ms'),
    measuredAs(names.halfLag, 8, 'ms'),
    measuredAs(names.catchUp, 700, 'ms'),
    measuredAs(names.disk, 450, 'B'),
    measuredAs(names.index, 80, 'B'),
    measuredAs(names.openedClean, 1_500, 'ms'),
    measuredAs(names.cleanMemory, 512, 'MB'),
    measuredAs(names.openedKilled, 6_000, 'ms'),
    measuredAs(names.killedMemory, 512, 'MB'),
    measuredAs(names.reconciling, 5_000, 'ms'),
    measuredAs(names.comparing, 200, 'kB'),
    ...CONCURRENCIES.map((concurrency) => measuredAs(names.remembered(concurrency), 300_000, '/s')),
  ]
}

/** Of what was measured; a suite that was not run is not judged, nor is what needs a Redis to compare with where there is none. */
export const judge = (findings: Findings, plan: Plan): Verdict[] =>
  [...ratios(findings), ...bounds(findings, plan)].flatMap(({ measured, ...target }) =>
    measured === undefined
      ? []
      : [
          {
            ...target,
            measured,
            reached:
              target.unit === '×' || target.unit === '/s' ? measured >= target.wanted : measured <= target.wanted,
          },
        ],
  )
