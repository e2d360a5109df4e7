/** Says where the time of an operation goes, by a CPU profile of the processes that take part in it. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Callee } from './calls.js'
import type { ClientMethods } from './client-process.js'
import { FULL } from './plan.js'
import { profileApp } from './profile-app.js'
import { report, type Wish } from './profile-report.js'
import { endAll, linkedRegions, lonelyRegion, openAll, Region, THREE } from './regions.js'
import type { ServerMethods } from './server-process.js'
import { IDLE_TIMEOUT_MS } from './session-data.js'
import { OPERATIONS, type OperationName } from './subject.js'

const HELP = `Where the time of an operation goes: the functions with the most self time, in the region that writes
and in one that receives. With --remote: in a client and in its server of one region. With --app: in an Express app that
embeds the region that writes, behind express-session and HTTP.

  node bench/dist/profile.js [--operation update|…|catch-up] [--concurrency 64] [--regions 3 | --remote]
                             [--seconds 4] [--top 25] [--out DIR]
  node bench/dist/profile.js --app --operation read|write [--concurrency 64] [--regions 3] […]

With --regions 1 there is only the one that writes; with --app --regions 0 the app uses MemoryStore.
`

/** At 64 at a time, so that the engine has compiled what there is to compile. */
const WARM_UP_MS = 3_000

const operationOf = ({ operation }: Wish): OperationName => {
  if ((OPERATIONS as readonly string[]).includes(operation)) return operation as OperationName
  throw new Error(`--operation: one of ${OPERATIONS.join(', ')}, catch-up`)
}

const profileRemote = async (directory: string, wish: Wish): Promise<void> => {
  const operation = operationOf(wish)
  const server = new Callee<ServerMethods>('the server', './server-process.js')
  const client = new Callee<ClientMethods>('the client', './client-process.js')
  try {
    const session = { idleTimeout: IDLE_TIMEOUT_MS }
    const url = await server.call('open', { region: 'alone', location: join(directory, 'alone'), session })
    await client.call('connect', url, false)
    await client.call('seed', FULL.sessions)
    await client.call('renewAll')
    await client.call('run', operation, 64, WARM_UP_MS)
    for (const each of [server, client]) await each.call('startProfile')
    const { count, ms, cpuMs } = await client.call('run', operation, wish.concurrency, wish.seconds * 1_000)
    process.stdout.write(
      `${operation}, c=${wish.concurrency}, remote, profiled: ${Math.round((count / ms) * 1_000)}/s; ` +
        `${((cpuMs / count) * 1_000).toFixed(1)} µs of CPU each in the client\n`,
    )
    await report(client, 'client', wish)
    await report(server, 'server', wish)
  } finally {
    for (const each of [client, server]) await each.end()
  }
}

const profileOperation = async (regions: readonly Region[], wish: Wish): Promise<void> => {
  const operation = operationOf(wish)
  const writer = regions[0]!.process
  const watched = regions.slice(0, 2)
  await writer.call('renewAll')
  await writer.call('run', operation, 64, WARM_UP_MS)
  await writer.call('settled')
  for (const { process } of watched) await process.call('startProfile')
  const { count, ms, cpuMs } = await writer.call('run', operation, wish.concurrency, wish.seconds * 1_000)
  const settleMs = await writer.call('settled')
  process.stdout.write(
    `${operation}, c=${wish.concurrency}, ${regions.length} regions, profiled: ${Math.round((count / ms) * 1_000)}/s; ` +
      `${((cpuMs / count) * 1_000).toFixed(1)} µs of CPU each in the writer, all its threads; ` +
      `all hold it ${settleMs.toFixed(0)} ms later\n`,
  )
  for (const [index, region] of watched.entries())
    await report(region.process, index === 0 ? 'writer' : 'receiver', wish)
}

/** The last region is away while the first changes every session; then it is started again, in a new process. */
const profileCatchUp = async (regions: Region[], wish: Wish): Promise<void> => {
  const last = regions.pop()!
  await last.process.call('close')
  await last.process.end()
  const late = new Region(last.options())
  const [writer] = regions
  regions.push(late)
  await writer!.process.call('updateAll')
  for (const { process } of [writer!, late]) await process.call('startProfile')
  const { ms, openMs } = await late.process.call('catchUp', late.options(), await writer!.process.call('position'))
  process.stdout.write(
    `catch-up of ${FULL.sessions} changed sessions, profiled: ${ms.toFixed(0)} ms, ${openMs.toFixed(0)} ms of it to open the store\n`,
  )
  await report(writer!.process, 'sender', wish)
  await report(late.process, 'receiver', wish)
}

const main = async (): Promise<void> => {
  const { values } = parseArgs({
    options: {
      operation: { type: 'string', default: 'update' },
      concurrency: { type: 'string', default: '64' },
      regions: { type: 'string', default: '3' },
      remote: { type: 'boolean', default: false },
      app: { type: 'boolean', default: false },
      seconds: { type: 'string', default: '4' },
      top: { type: 'string', default: '25' },
      out: { type: 'string', default: '.' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return void process.stdout.write(HELP)
  const { operation, out, concurrency, seconds, top } = values
  const regionCount = Number(values.regions)
  const leastRegions = values.app ? 0 : 1
  if (!(regionCount >= leastRegions && regionCount <= THREE.length))
    throw new Error(`--regions: ${leastRegions} to ${THREE.length}`)
  const wish = { operation, out, concurrency: Number(concurrency), seconds: Number(seconds), top: Number(top) }
  if (operation === 'catch-up' && regionCount < 2) throw new Error('--operation catch-up: takes at least two regions')
  mkdirSync(out, { recursive: true })
  const directory = mkdtempSync(join(tmpdir(), 'sojourn-profile-'))
  if (values.app)
    return profileApp(directory, wish, regionCount).finally(() => rmSync(directory, { recursive: true, force: true }))
  if (values.remote)
    return profileRemote(directory, wish).finally(() => rmSync(directory, { recursive: true, force: true }))
  const names = THREE.slice(0, regionCount)
  const regions = names.length === 1 ? [lonelyRegion(directory)] : await linkedRegions(directory, names)
  try {
    await openAll(regions)
    await regions[0]!.process.call('seed', FULL.sessions)
    await regions[0]!.process.call('settled')
    if (operation === 'catch-up') await profileCatchUp(regions, wish)
    else await profileOperation(regions, wish)
  } finally {
    await endAll(regions)
    rmSync(directory, { recursive: true, force: true })
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
})
