import type { Clock } from '@sojourn/core/internal'
import { EXIT } from '../exit-codes.js'
import type { AdminClient } from './admin-client.js'
import type { Output } from './output.js'
import { askRegions } from './regions.js'
import { table } from './table.js'

interface Digests {
  readonly asOf: number
  readonly slices: readonly { readonly records: number; readonly digest: string }[]
}

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
  readonly clock: Clock
  readonly pause: (ms: number) => Promise<void>
}

const STEP_MS = 500
/** Keys that are shown; the rest is counted. */
const MAX_SHOWN_KEYS = 20
/** Slices whose keys are looked at in one go: the rest waits for the next look. */
const MAX_SLICES = 64

const look = async (regions: readonly Named[]): Promise<Look> => {
  const [first, ...rest] = regions
  const own = (await first!.client.get('/digests')) as Digests
  const others = await Promise.all(
    rest.map(({ client }) => client.get(`/digests?asOf=${own.asOf}`) as Promise<Digests>),
  )
  const all = [own, ...others]
  const records = Object.fromEntries(
    regions.map(({ region }, index) => [region, all[index]!.slices.reduce((sum, slice) => sum + slice.records, 0)]),
  )
  const slices = own.slices.flatMap(({ digest }, slice) =>
    all.some((each) => each.slices[slice]?.digest !== digest) ? [slice] : [],
  )
  const differing = new Map<string, Map<string, string>>()
  for (const slice of slices.slice(0, MAX_SLICES)) {
    const held = new Map<string, Map<string, string>>()
    await Promise.all(
      regions.map(async ({ region, client }) => {
        const path = `/versions?slice=${slice}&asOf=${own.asOf}`
        const { versions } = (await client.get(path)) as { versions: { key: string; version: string }[] }
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

/**
 * Whether all regions hold the same. What differs is looked at again: a record that somebody is writing differs for as long as the news
 * travels, and another one each time; one that differs in the same way twice, with the time to wait between, is a fault.
 */
export const verify = async (clients: readonly AdminClient[], options: VerifyOptions, out: Output): Promise<number> => {
  const { waitMs, repair, isJson, clock, pause } = options
  const asked = await askRegions(clients)
  const regions = asked.flatMap(({ region, client, status }): Named[] => (client && status ? [{ region, client }] : []))
  const absent = asked.filter(({ status }) => status === undefined)
  if (repair) await Promise.all(regions.map(({ client }) => client.post('/repair', {})))

  const deadline = clock.monotonic() + waitMs
  let last = await look(regions)
  const first = last
  while (last.differing.size > 0 && clock.monotonic() < deadline) {
    await pause(STEP_MS)
    last = await look(regions)
  }
  const stuck = [...last.differing].filter(
    ([key, versions]) => last !== first && same(versions, first.differing.get(key)),
  )
  // Without a second look nothing is known to stand still.
  const differ = last === first ? [...last.differing] : stuck
  const moving = last.differing.size - differ.length
  const agree = differ.length === 0

  if (isJson)
    out.json({
      agree,
      complete: absent.length === 0,
      records: last.records,
      differ: differ.map(([key, versions]) => ({ key, versions: Object.fromEntries(versions) })),
      moving,
      absent: Object.fromEntries(absent.map(({ region, why }) => [region, why])),
    })
  else {
    out.text(
      table(
        ['REGION', 'RECORDS'],
        asked.map(({ region, why }) => [region, last.records[region] ?? why]),
      ),
    )
    for (const [key, versions] of differ.slice(0, MAX_SHOWN_KEYS))
      out.text(
        `${key}: ${regions.map(({ region }) => `${region} ${versions.get(region)?.slice(0, 8) ?? 'none'}`).join(', ')}`,
      )
    if (differ.length > MAX_SHOWN_KEYS) out.text(`… and ${differ.length - MAX_SHOWN_KEYS} more`)
    if (moving > 0) out.text(`${moving} records are being written and differ for the moment`)
    out.text(
      agree
        ? `${regions.map(({ region }) => JSON.stringify(region)).join(', ')} hold the same${absent.length > 0 ? '; the others could not be asked' : ''}`
        : `${differ.length} records differ`,
    )
  }
  if (!agree) return EXIT.no
  return absent.length > 0 ? EXIT.unreachable : EXIT.ok
}
