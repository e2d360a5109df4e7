/** `sojourn verify`: whether regions hold the same, and which records they do not. */
import type { Clock } from '@sojourn/core/internal'
import type { AdminClient } from './admin-client.js'
import { EXIT } from './exit-codes.js'
import type { Output } from './output.js'
import type { Progress } from './progress.js'
import { type Asked, askRegions } from './regions.js'
import { table } from './table.js'

interface Named {
  readonly region: string
  readonly client: AdminClient
}

/** What regions hold of a key: region → version; a region that holds nothing is not in it. */
type Versions = ReadonlyMap<string, string>

/** One look at all regions: how many records each holds, and the keys of which they do not hold the same. */
interface Look {
  readonly records: { readonly [region: string]: number }
  readonly differing: ReadonlyMap<string, Versions>
}

export interface VerifyOptions {
  /** What differs is looked at again until then: it may only be on its way. */
  readonly waitMs: number
  readonly repair: boolean
  readonly isJson: boolean
  readonly isQuiet: boolean
  readonly clock: Clock
  readonly pause: (ms: number) => Promise<void>
}

const STEP_MS = 500
/** Keys that are shown; the rest is counted. */
const MAX_SHOWN_KEYS = 20
/** Slices whose keys are looked at in one go: the rest waits for the next look. */
const MAX_SLICES = 64

const look = async (regions: readonly Named[], progress: Progress): Promise<Look> => {
  const [first, ...rest] = regions
  const own = await first!.client.ask('digests', {})
  const others = await Promise.all(rest.map(({ client }) => client.ask('digests', { asOf: own.asOf })))
  const all = [own, ...others]
  const records = Object.fromEntries(
    regions.map(({ region }, index) => [region, all[index]!.slices.reduce((sum, slice) => sum + slice.records, 0)]),
  )
  const slices = own.slices.flatMap(({ digest }, slice) =>
    all.some((each) => each.slices[slice]?.digest !== digest) ? [slice] : [],
  )
  const differing = new Map<string, Map<string, string>>()
  const shown = slices.slice(0, MAX_SLICES)
  for (const [index, slice] of shown.entries()) {
    if (shown.length > 1)
      progress.report(() => `comparing each record of ${index + 1} of ${shown.length} parts that differ`)
    const held = new Map<string, Map<string, string>>()
    await Promise.all(
      regions.map(async ({ region, client }) => {
        const { versions } = await client.ask('versions', { slice, asOf: own.asOf })
        for (const { key, version } of versions) held.set(key, (held.get(key) ?? new Map()).set(region, version))
      }),
    )
    for (const [key, versions] of held)
      if (versions.size < regions.length || new Set(versions.values()).size > 1) differing.set(key, versions)
  }
  return { records, differing }
}

const same = (a: Versions, b: Versions | undefined): boolean =>
  a.size === b?.size && [...a].every(([region, version]) => b.get(region) === version)

/** What was found: each record that differed in the same way twice, how many differ for the moment, and what each region holds. */
interface Found {
  readonly differ: readonly (readonly [key: string, versions: Versions])[]
  readonly moving: number
  readonly records: Look['records']
}

/**
 * What differs is looked at again: a record that somebody is writing differs for as long as the news travels, and another one each time;
 * one that differs in the same way twice, with the time to wait between, is a fault.
 */
const compare = async (regions: readonly Named[], options: VerifyOptions, progress: Progress): Promise<Found> => {
  const { waitMs, repair, clock, pause } = options
  if (repair) {
    progress.report(() => `${regions.length} regions compare all keys with their peers`)
    await Promise.all(regions.map(({ client }) => client.ask('repair', {})))
  }
  const deadline = clock.monotonic() + waitMs
  let last = await look(regions, progress)
  const first = last
  while (last.differing.size > 0 && clock.monotonic() < deadline) {
    progress.report(() => {
      const left = Math.ceil((deadline - clock.monotonic()) / 1_000)
      return `${differing(last.differing.size)}; looking again for ${left} s`
    })
    await pause(STEP_MS)
    last = await look(regions, progress)
  }
  const stuck = [...last.differing].filter(
    ([key, versions]) => last !== first && same(versions, first.differing.get(key)),
  )
  // Without a second look nothing is known to stand still.
  const differ = last === first ? [...last.differing] : stuck
  return { differ, moving: last.differing.size - differ.length, records: last.records }
}

const differing = (records: number): string => (records === 1 ? '1 record differs' : `${records} records differ`)

const show = (asked: readonly Asked[], { differ, moving, records }: Found, out: Output): void => {
  const names = Object.keys(records)
  out.text(
    table(
      ['REGION', 'RECORDS'],
      asked.map(({ region, why }) => [region, records[region] ?? why]),
    ),
  )
  for (const [key, versions] of differ.slice(0, MAX_SHOWN_KEYS))
    out.text(`${key}: ${names.map((region) => `${region} ${versions.get(region)?.slice(0, 8) ?? 'none'}`).join(', ')}`)
  if (differ.length > MAX_SHOWN_KEYS) out.text(`… and ${differ.length - MAX_SHOWN_KEYS} more`)
  if (moving > 0) out.text(`${moving} records differ because writes are in flight`)
  if (differ.length > 0) out.text(out.paint('red', differing(differ.length)))
  else {
    const others = asked.length > names.length ? '. The other regions did not answer' : ''
    out.text(
      out.paint('green', `${names.map((name) => JSON.stringify(name)).join(', ')} hold the same records${others}`),
    )
  }
}

/** Whether all regions hold the same; asks those that the clients lead to. */
export const verify = async (clients: readonly AdminClient[], options: VerifyOptions, out: Output): Promise<number> => {
  const asked = await askRegions(clients)
  const regions = asked.flatMap(({ region, client, status }): Named[] => (client && status ? [{ region, client }] : []))
  const absent = asked.filter(({ status }) => status === undefined)
  const progress = out.progress(options.isQuiet)
  const found = await compare(regions, options, progress).finally(progress.end)
  const agree = found.differ.length === 0
  if (options.isJson)
    out.json({
      agree,
      complete: absent.length === 0,
      records: found.records,
      differ: found.differ.map(([key, versions]) => ({ key, versions: Object.fromEntries(versions) })),
      moving: found.moving,
      absent: Object.fromEntries(absent.map(({ region, why }) => [region, why])),
    })
  else show(asked, found, out)
  if (!agree) return EXIT.no
  return absent.length > 0 ? EXIT.unreachable : EXIT.ok
}
