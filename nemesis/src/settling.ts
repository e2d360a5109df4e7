import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { sessionKey } from '@sojourn/client'
import type { FinalState, Prng, Seen, SessionData } from '@sojourn/sim'
import type { Archive } from './archive.js'
import type { Crowd } from './crowd.js'
import { pause } from './pause.js'
import type { Region } from './region.js'
import { REGIONS } from './schedule.js'
import { TOKENS } from './server.js'
import type { ReplicaStatus, Watch } from './watch.js'

/** What becomes of the regions when nothing is wrong any more. */

/** How long they may take to agree, and to take a write again that all must have, milliseconds. */
const AGREE_MS = 90_000
const STEP_MS = 300
/** How often a region is listed that is still at work. */
const MAX_LISTINGS = 20
/** Agreements in a row: what is on its way is in no status. */
const LOOKS = 2
const BIN = fileURLToPath(new URL('../../packages/cli/bin/sojourn.js', import.meta.url))

/** Characters that are repeated of what a command says. */
const MAX_SAID = 600

/** A region when all has settled. */
export interface SettledState extends FinalState {
  /** Every session that it lists. */
  readonly byKey: ReadonlyMap<string, Seen>
  /** Those of earlier rounds, by their names in the archive. */
  readonly archived: ReadonlyMap<string, Seen>
}

export interface Settled {
  readonly states: readonly SettledState[] | undefined
  readonly unsettled: string | undefined
  /** How long it took until they agreed, milliseconds. */
  readonly ms: number
}

export interface Settling {
  readonly regions: readonly Region[]
  readonly watch: Watch
  readonly crowd: Crowd
  readonly archive: Archive
  readonly random: Prng
  readonly now: () => number
  complain(what: string): void
}

/** Waits until every region is ready and holds what the others hold, writes once more in each, and reads everything from all. */
export const settle = async (world: Settling): Promise<Settled> => {
  const start = world.now()
  const why = (await agree(world, AGREE_MS)) ?? (await writeEverywhere(world)) ?? (await agree(world, AGREE_MS))
  const ms = world.now() - start
  if (why !== undefined) return { states: undefined, unsettled: why, ms }
  const states = await Promise.all(world.regions.map((region) => stateOf(region, world)))
  await verify(world)
  // Last: such a read repairs what it finds amiss.
  await lookAtAll(world)
  return { states, unsettled: undefined, ms }
}

/** Returns what keeps them from agreeing; undefined: they do. */
export const agree = async (
  { watch, now }: Pick<Settling, 'watch' | 'now'>,
  ms: number,
): Promise<string | undefined> => {
  const until = now() + ms
  for (let looks = 0; ; ) {
    const why = await watch.disagreement()
    looks = why === undefined ? looks + 1 : 0
    if (looks >= LOOKS) return undefined
    if (why !== undefined && now() > until) return `${why}, ${Math.round(ms / 1_000)} s after everything was healed`
    await pause(STEP_MS)
  }
}

/** Each region takes a write that all must have: also the one whose disk was full. */
const writeEverywhere = async ({ crowd, now }: Settling): Promise<string | undefined> => {
  for (const region of REGIONS) {
    const until = now() + AGREE_MS / 2
    for (;;) {
      await crowd.probe(region)
      const { outcome, code } = crowd.users.operations.at(-1)!
      if (outcome === 'ok') break
      if (now() > until)
        return `${region} takes no write at level all, ${AGREE_MS / 2_000} s after everything was healed: ${code ?? outcome}`
      await pause(STEP_MS)
    }
  }
  return undefined
}

/** Every session of the round is asked for by its id, of all regions: also those that ended. */
const lookAtAll = async ({ crowd, random }: Settling): Promise<void> => {
  for (const session of crowd.users.sessions) await crowd.look(session, random.pick(REGIONS), 'all')
}

const stateOf = async (region: Region, { crowd, archive, watch }: Settling): Promise<SettledState> => {
  const client = await crowd.client(region.name)
  const names = namesOf(crowd)
  const byKey = new Map<string, Seen>()
  let status: ReplicaStatus
  for (let tries = 0; ; tries++) {
    byKey.clear()
    for await (const { key, data, createdAt, expiresAt } of client.sessions())
      byKey.set(key, { data: data as SessionData, createdAt, expiresAt })
    status = (await watch.status(region))!
    // What falls due in between is on its way out of the disk, and was listed, or counted, or both.
    const isAtRest = status.pending.commits === 0 && status.sessions === byKey.size
    if (isAtRest || tries === MAX_LISTINGS) break
    await pause(STEP_MS)
  }
  const { sessions, expired, tombstones, pending, cache } = status
  const entries = [...byKey]
  return {
    region: region.name,
    byKey,
    archived: named(entries, (key) => archive.nameOf(key)),
    sessions: named(entries, (key) => names.get(key)),
    unknownKeys: [...byKey.keys()].filter((key) => !names.has(key) && archive.nameOf(key) === undefined),
    status: {
      // Of this round only, as what is listed.
      sessions: sessions - (byKey.size - entries.filter(([key]) => names.has(key)).length),
      expired,
      tombstones,
      pending: pending.commits + pending.reads + pending.writes,
      cacheEntries: cache.entries,
    },
    diskRows: undefined,
    wall: Date.now(),
  }
}

const named = (entries: readonly [string, Seen][], nameOf: (key: string) => string | undefined): Map<string, Seen> =>
  new Map(
    entries.flatMap(([key, seen]) => {
      const name = nameOf(key)
      return name === undefined ? [] : [[name, seen] as const]
    }),
  )

/** The sessions of this round, by key. */
export const namesOf = (crowd: Crowd): Map<string, string> =>
  new Map(crowd.users.sessions.flatMap(({ id, name }) => (id === undefined ? [] : [[sessionKey(id), name] as const])))

/** `sojourn verify`, as an operator would run it. */
const verify = ({ regions, complain }: Settling): Promise<void> =>
  new Promise((resolve) => {
    const admins = regions.flatMap(({ server }) => {
      const at = server.address('admin')
      return at ? ['--admin', `http://${at.host}:${at.port}`] : []
    })
    const env = { PATH: process.env.PATH, SOJOURN_TOKEN: TOKENS.admin }
    const args = [BIN, 'verify', '--wait', '10s', ...admins]
    execFile(process.execPath, args, { env, timeout: 60_000 }, (error, stdout, stderr) => {
      if (error) {
        const how = error.code === undefined ? error.message : `exit code ${error.code}`
        complain(`sojourn verify: ${how}: ${`${stdout}${stderr}`.slice(0, MAX_SAID)}`)
      }
      resolve()
    })
  })
