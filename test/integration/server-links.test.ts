/** What a server reports of peers that it cannot reach, of its clock, and of another process of its name. */
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Clock, systemClock } from '@sojourn/core/internal'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openServers, type Server, type StartOptions, startServer, TOKENS } from '../support/servers.js'
import { sojourn } from '../support/sojourn-process.js'
import { until } from '../support/until.js'

let directory: string
const running: Server[] = []
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sojourn-links-'))
})
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop()))
  await rm(directory, { recursive: true, force: true })
})

const start = async (region: string, name: string, options: StartOptions): Promise<Server> => {
  const server = await startServer(region, join(directory, name), options)
  running.push(server)
  return server
}

interface Line {
  readonly level: string
  readonly msg: string
  readonly peer?: string
  readonly code?: string
  readonly reason?: string
  readonly suppressed?: number
}
const linesOf = ({ log }: Server): Line[] => log.map((line) => JSON.parse(line) as Line)

const readyz = async (server: Server) => {
  const response = await server.ask('/readyz')
  return { status: response.status, text: await response.text() }
}

it('[LINK-1] [SRV-4] a peer that cannot be reached is in the log once a minute, in the metrics, and in `sojourn status`', async () => {
  const refusing = createTcpServer()
  await new Promise<void>((resolve) => refusing.listen(0, '127.0.0.1', resolve))
  const { port } = refusing.address() as { port: number }
  await new Promise((resolve) => refusing.close(resolve))
  let later = 0
  const clock: Clock = { ...systemClock, monotonic: () => systemClock.monotonic() + later }
  const flags = { peers: `us=ws://127.0.0.1:${port},ap=ws://no-such-host.invalid:1`, 'links.maxReconnectDelay': '20ms' }
  const eu = await start('eu', 'eu', { flags, clock })
  const failures = (peer: string, reason: string) => eu.status().replica.links[peer]!.failures[reason as 'reset'] ?? 0
  await until(() => failures('us', 'refused') >= 5 && failures('ap', 'unknown-host') >= 5, 'some tries')
  const logged = () => linesOf(eu).filter(({ msg }) => msg === 'peer unreachable')
  expect(logged().map(({ level, peer, code, reason }) => ({ level, peer, code, reason }))).toEqual(
    expect.arrayContaining([
      { level: 'warn', peer: 'us', code: 'LINK_UNREACHABLE', reason: 'refused' },
      { level: 'warn', peer: 'ap', code: 'LINK_UNREACHABLE', reason: 'unknown-host' },
    ]),
  )
  expect(logged()).toHaveLength(2)
  later = 61_000
  await until(() => logged().length === 4, 'the next minute')
  expect(
    logged()
      .slice(2)
      .every(({ suppressed = 0 }) => suppressed >= 3),
  ).toBe(true)

  const metrics = await (await eu.ask('/metrics')).text()
  expect(metrics).toMatch(/sojourn_link_failures_total\{peer="us",reason="refused",region="eu"\} \d/)
  expect(metrics).toMatch(/sojourn_link_failures_total\{peer="ap",reason="unknown-host",region="eu"\} \d/)
  const shown = await sojourn(['status', '--admin', eu.url('admin')], { SOJOURN_TOKEN: TOKENS.read })
  expect(shown.stdout).toMatch(/eu → us +down: refused \(connect ECONNREFUSED 127.0.0.1:\d+\)(, next try at [\d:]{8})?/)
  expect(shown.stdout).toMatch(/eu → ap +down: unknown-host \(getaddrinfo \w+ no-such-host.invalid\)/)
})

it('[REGION-2] the second of two servers of one region is not ready, lets no client in, and says so', async () => {
  await using servers = await openServers(['eu', 'us'])
  const us = servers.get('us')
  const flags = { peers: `us=${servers.link('us').url}`, 'clients.port': '0' }
  const second = await start('eu', 'second', { flags })
  const reason = 'another process runs as this region, and is linked with us'
  await until(() => second.status().reasons.includes(reason), 'the second one to know')
  expect(await readyz(second)).toMatchObject({ status: 503, text: expect.stringContaining(reason) })
  expect(second.status().listeners.clients).toBeUndefined()
  await until(() => servers.get('eu').status().replica.links.us!.state === 'live', 'the first one to be linked')
  expect(await readyz(servers.get('eu'))).toMatchObject({ status: 200 })
  expect(linesOf(us)).toContainEqual(
    expect.objectContaining({ level: 'error', msg: 'link refused', peer: 'eu', code: 'LINK_REGION_TAKEN' }),
  )
  expect(linesOf(second)).toContainEqual(
    expect.objectContaining({ level: expect.stringMatching('warn|error'), peer: 'us', code: 'LINK_REGION_TAKEN' }),
  )
  await servers.stop('eu')
  await until(() => second.status().ready && second.status().listeners.clients !== undefined, 'it to take over')
})

it('[CLOCK-1] [ADM-1] a server whose clock jumped is not ready, and says so, until it is right again', async () => {
  let ahead = 0
  const clock: Clock = { ...systemClock, now: () => systemClock.now() + ahead }
  await using servers = await openServers(['eu', 'us', 'ap'])
  await servers.stop('eu')
  const eu = await servers.start('eu', { clock })
  await servers.settled()
  ahead = 49 * 3_600_000
  await until(() => eu.status().reasons.some((reason) => reason.startsWith('its clock is ahead by 1763')), 'the reason')
  expect((await readyz(eu)).status).toBe(503)
  await until(() => linesOf(eu).some(({ level, code }) => level === 'error' && code === 'CLOCK_UNTRUSTED'), 'the log')
  expect(await (await eu.ask('/metrics')).text()).toMatch(/sojourn_clock_trusted\{region="eu"\} 0/)
  for (const other of ['us', 'ap'] as const) expect((await readyz(servers.get(other))).status).toBe(200)
  ahead = 0
  await servers.settled()
  expect(await (await eu.ask('/metrics')).text()).toMatch(/sojourn_clock_trusted\{region="eu"\} 1/)
})
