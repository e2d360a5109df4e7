import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from '@sojourn/client'
import { ADMIN_ROUTES, type AdminCall, type AdminRequest, type AdminRoute, adminTarget } from '@sojourn/wire'
import { describe, expect, it } from 'vitest'
import { openServers, type Server, startServer, TOKENS } from '../support/servers.js'
import { ROOT } from '../support/sources.js'
import { until } from '../support/until.js'

const clientOf = (server: Server) => connect({ url: server.url('clients'), token: TOKENS.write })

/** The samples of a scrape, by name and labels; `region` is left out. */
const scrape = async (server: Server): Promise<Map<string, number>> => {
  const response = await server.ask('/metrics')
  expect(response.headers.get('content-type')).toContain('text/plain')
  const samples = new Map<string, number>()
  for (const line of (await response.text()).split('\n')) {
    const [, name, labels = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
    if (name === undefined) continue
    const kept = labels.split(/,(?=\w+=)/).filter((label) => label !== '' && !label.startsWith('region='))
    samples.set(kept.length > 0 ? `${name}{${kept.sort().join(',')}}` : name, Number(value))
  }
  return samples
}

type Answer = AdminRoute['answer']

/** What is wrong with an answer, by its declaration. */
const faultIn = (answer: Exclude<Answer, string>, text: string) =>
  'line' in answer
    ? text
        .trim()
        .split('\n')
        .map((line) => answer.line.fault(JSON.parse(line)))
        .find((fault) => fault !== undefined)
    : answer.fault(JSON.parse(text))

describe('[ADM-6] a call of the admin API', () => {
  it('is answered in the shape that is declared, also where links and clients failed', async () => {
    const env = { SOJOURN_ENCRYPTION_KEYS: `only=${'5e'.repeat(32)}` }
    await using servers = await openServers(['eu', 'us', 'ap'], { options: { flags: { readyPeerWait: '1ms' }, env } })
    const eu = servers.get('eu')
    const client = await clientOf(eu)
    const data = { at: new Date(0), bytes: Uint8Array.of(1), list: [1, { a: null }] }
    const { id, handle } = await client.create(data, { subject: 'ada', device: 'Phone', auth: { amr: ['pwd'] } })
    await client.create({}, { subject: 'ada' })
    await servers.settled()
    await servers.stop('us')
    await until(() => eu.status().replica.links.us!.lastError, 'a failure')
    const asked: { readonly [name in AdminCall]?: readonly unknown[] } = {
      status: [{}],
      sessions: [{ subject: 'ada' }],
      session: [
        { call: 'get', id },
        { call: 'get', id: 'none' },
        { call: 'touch', id },
        { call: 'end', id },
      ],
      digests: [{}],
      versions: [{ slice: 1, asOf: 1 }],
      repair: [{}],
      rekey: [{}],
      members: [
        { call: 'add', region: 'sa', url: null },
        { call: 'remove', region: 'sa' },
      ],
      end: [
        { call: 'handle', handle, reason: 'logout' },
        { call: 'subject', subject: 'ada', except: [handle] },
      ],
      endAll: [{ write: 1 }],
    }
    const json = Object.entries(ADMIN_ROUTES).flatMap(([name, route]: [string, AdminRoute]) =>
      typeof route.answer === 'string' ? [] : [[name, { ...route, answer: route.answer }] as const],
    )
    expect(Object.keys(asked).sort()).toEqual(json.map(([name]) => name).sort())
    for (const [name, { method, answer }] of json)
      for (const request of asked[name as AdminCall]!) {
        const path = adminTarget(name as AdminCall, request as AdminRequest<AdminCall>)
        const response = await eu.ask(path, { token: TOKENS.admin, ...(method === 'POST' && { body: request }) })
        expect(response.status, name).toBe(200)
        expect(faultIn(answer, await response.text()), name).toBeUndefined()
      }
    await client.close()
  })
})

describe('[ADM-8] the log', () => {
  it('names who called what, where sessions are shown or ended or the region is changed; no id, subject or token', async () => {
    await using servers = await openServers(['eu'])
    const server = servers.get('eu')
    const client = await clientOf(server)
    const { id, handle } = await client.create({}, { subject: 'ada@example.net' })
    const ask = (path: string, body?: object) => server.ask(path, { token: TOKENS.admin, ...(body && { body }) })
    for (const [path, body] of [
      ['/session', { call: 'get', id }],
      ['/sessions', { subject: 'ada@example.net' }],
      ['/end', { call: 'handle', handle }],
      ['/end', { call: 'subject', subject: 'ada@example.net', write: 7 }],
      ['/end-all', {}],
      ['/rekey', {}],
    ] as const)
      await (await ask(path, body)).text()
    await (await ask('/backup')).arrayBuffer()
    await (await ask('/digests')).text()
    await until(() => calls().length >= 7, 'the lines')
    expect(calls()).toEqual([
      ['session', 'get', undefined],
      ['sessions', undefined, undefined],
      ['end', 'handle', undefined],
      ['end', 'subject', 'INVALID_OPTION'],
      ['endAll', undefined, undefined],
      ['rekey', undefined, 'INVALID_OPTION'],
      ['backup', undefined, undefined],
    ])
    for (const secret of [id, id.slice(0, 22), 'ada@example.net', TOKENS.admin])
      expect(server.log.join('\n')).not.toContain(secret)
    await client.close()

    function calls() {
      const made = server.log.map((line) => JSON.parse(line)).filter(({ msg }) => msg === 'admin call')
      for (const { by, address } of made) expect([by, address]).toEqual(['admin-bearer', '127.0.0.1'])
      return made.map(({ call, what, code }) => [call, what, code])
    }
  })
})

describe('[ADM-1] a probe', () => {
  it('finds a replica ready when it has caught up with the peers that are there, and clients are let in then', async () => {
    await using servers = await openServers(['eu', 'us'], { options: { flags: { readyPeerWait: '1h' } } })
    const eu = await clientOf(servers.get('eu'))
    const ids = await Promise.all(Array.from({ length: 200 }, async () => (await eu.create({ n: 1 })).id))
    await servers.stop('us')
    for (const id of ids) await eu.increment(id, '/n')

    // It comes back, and cannot hear what it missed.
    servers.link('eu').cut()
    servers.link('us').cut()
    const us = await servers.start('us')
    expect(await (await us.ask('/livez')).text()).toBe('ok\n')
    const probe = await us.ask('/readyz')
    expect(probe.status).toBe(503)
    expect(await probe.text()).toBe('no link to "eu" yet\n')
    expect(us.status().listeners.clients).toBeUndefined()
    expect((await scrape(us)).get('sojourn_ready')).toBe(0)

    servers.link('eu').heal()
    servers.link('us').heal()
    await until(() => us.status().listeners.clients, 'clients to be let in')
    expect((await us.ask('/readyz')).status).toBe(200)
    const client = await clientOf(us)
    for (const id of ids) expect((await client.get(id))!.data.n).toBe(2)

    // From now on no peer makes it unready.
    await servers.stop('eu')
    await until(() => us.status().replica.links.eu!.state === 'down', 'the link to go')
    expect((await us.ask('/readyz')).status).toBe(200)
    await client.close()
    await eu.close()
  })

  it('finds a replica ready although its peers are down, once it has waited for them', async () => {
    await using servers = await openServers(['eu', 'us'], { options: { flags: { readyPeerWait: '1ms' } } })
    await servers.stop('us')
    await servers.stop('eu')
    const eu = await servers.start('eu')
    await until(() => eu.status().ready, 'it to be ready')
    expect(eu.status().replica.links.us!.state).toBe('down')
  })
})

describe('[ADM-2] the admin listener', () => {
  const paths = {
    read: ['GET /metrics', 'GET /status'],
    admin: [
      'POST /session',
      'POST /sessions',
      'POST /end',
      'POST /end-all',
      'GET /digests',
      'GET /versions',
      'POST /repair',
      'POST /rekey',
      'GET /backup',
      'POST /members',
    ],
  }
  const asked = (server: Server, what: string, token?: string) => {
    const [method, path] = what.split(' ') as [string, string]
    return server.ask(path, { method, token, ...(method === 'POST' && { body: {} }) })
  }

  it('takes a token of the scope that a call needs', async () => {
    const server = await startServer('eu', ':memory:', { flags: { 'admin.host': '0.0.0.0' } })
    for (const what of [...paths.read, ...paths.admin]) {
      for (const token of [undefined, '', 'nonsense', `${TOKENS.admin}x`])
        expect((await asked(server, what, token)).status, `${what} with ${token}`).toBe(401)
      expect((await asked(server, what, TOKENS.admin)).status, what).not.toBe(401)
    }
    for (const what of paths.admin) {
      const response = await asked(server, what, TOKENS.write)
      expect(response.status).toBe(403)
      expect(await response.json()).toMatchObject({
        error: {
          code: 'SCOPE_REFUSED',
          message: expect.stringContaining('write-bearer has the scope write. This request needs admin'),
        },
      })
    }
    for (const what of paths.read) expect((await asked(server, what, TOKENS.read)).status).toBe(200)
    for (const path of ['/livez', '/readyz']) expect((await server.ask(path)).status).toBe(200)
    await server.stop()
  })

  it('shows figures to who is on the same machine, and nothing else', async () => {
    const server = await startServer('eu', ':memory:')
    for (const what of paths.read) expect((await asked(server, what)).status).toBe(200)
    for (const what of paths.admin) expect((await asked(server, what)).status).toBe(401)
    await server.stop()
  })

  it('asks nobody where a setting with a frightening name says so', async () => {
    const server = await startServer('eu', ':memory:', {
      flags: { 'admin.host': '0.0.0.0', 'admin.dangerouslyAllowAnyone': 'true' },
    })
    expect((await asked(server, 'GET /digests')).status).toBe(200)
    expect(server.log.join()).toContain('accepts anyone without a token')
    await server.stop()
  })

  it('answers no web page, whoever it lets in', async () => {
    const server = await startServer('eu', ':memory:', { flags: { 'admin.dangerouslyAllowAnyone': 'true' } })
    const headers = { origin: 'http://evil.example.net' }
    expect((await fetch(`${server.url('admin')}/status`, { headers })).status).toBe(403)
    const body = JSON.stringify({ call: 'remove', region: 'us' })
    expect((await fetch(`${server.url('admin')}/members`, { method: 'POST', body, headers })).status).toBe(403)
    expect((await fetch(`${server.url('admin')}/members`, { method: 'POST', body })).status).toBe(200)
    await server.stop()
  })

  it('refuses what is no call of it, with a code, and goes on', async () => {
    const server = await startServer('eu', ':memory:')
    const token = TOKENS.admin
    const refused = async (path: string, body: unknown, status: number, code: string) => {
      const response = await server.ask(path, { token, body })
      expect([response.status, ((await response.json()) as { error: { code: string } }).error.code]).toEqual([
        status,
        code,
      ])
    }
    const id = 'i'.repeat(43)
    await refused('/nowhere', {}, 404, 'NOT_FOUND')
    await refused('/__proto__', {}, 404, 'NOT_FOUND')
    await refused('/status', {}, 404, 'NOT_FOUND')
    await refused('/session', '{', 400, 'FRAME_INVALID')
    await refused('/session', '', 400, 'FRAME_INVALID')
    await refused('/session', 'null', 400, 'INVALID_OPTION')
    await refused('/session', { call: 'steal', id }, 400, 'INVALID_OPTION')
    await refused('/session', { call: 'get', id: '' }, 400, 'INVALID_OPTION')
    await refused('/session', { call: 'get', id: 'x'.repeat(513) }, 400, 'INVALID_OPTION')
    await refused('/session', { call: 'get', id, level: 'most' }, 400, 'INVALID_OPTION')
    await refused('/session', { call: 'get', id, level: 2 }, 400, 'INVALID_OPTION')
    await refused('/session', { call: 'get', id, more: 1 }, 400, 'INVALID_OPTION')
    await refused('/session', JSON.stringify({ call: 'get', id: 'x'.repeat(70_000) }), 413, 'FRAME_TOO_LARGE')
    await refused('/members', { call: 'add', region: 'us', url: 'http://x' }, 400, 'INVALID_OPTION')
    await refused('/members', { call: 'add', region: 'eu', url: null }, 400, 'INVALID_OPTION')
    await refused('/members', { call: 'add', region: 'x'.repeat(65), url: null }, 400, 'INVALID_OPTION')
    for (const query of [
      '',
      '?asOf=1',
      '?slice=256&asOf=1',
      '?slice=1&asOf=-1',
      '?slice=1.5&asOf=1',
      '?slice=1&asOf=99999999999999999',
    ])
      expect((await server.ask(`/versions${query}`, { token })).status).toBe(400)
    // A body that breaks off.
    await new Promise<void>((resolve) => {
      const broken = request(`${server.url('admin')}/session`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-length': 100 },
      })
      broken.on('error', () => resolve())
      broken.write('{"call"', () => broken.destroy())
    })
    expect((await server.ask('/livez', { method: 'HEAD' })).status).toBe(200)
    expect(server.log.join()).not.toContain('unexpected')
    // The id of a question is not in its answer, and in no error.
    const answer = await server.ask('/session', { token, body: { call: 'get', id, level: 'most' } })
    expect(await answer.text()).not.toContain(id)
    await server.stop()
  })
})

it('[ADM-3] the metrics answer how fast, how full, what fails, who logs in, how sessions die, how the links are', async () => {
  const options = { flags: { fsync: 'always', 'session.maxPerSubject': '2', reuse: 'end' } }
  await using servers = await openServers(['eu', 'us'], { options })
  const server = servers.get('eu')
  const client = await clientOf(server)
  const session = await client.create({ n: 0 })
  await client.get(session.id)
  await client.get(`${session.id}x`)
  await client.increment(session.id, '/n', 1, { write: 'all' })
  await client.update('nobody', {}).catch(() => {})
  await client.end((await client.create({})).id, { reason: 'revoked' })
  await client.rotate((await client.create({}, { id: 'chosen by middleware' })).id)
  await client.create({}, { idleTimeout: 1 })
  // Two logins of one user, of which the first is rotated, its old id is shown, and it ends; one too many; the end of all.
  const old = await client.create({})
  const { id } = await client.elevate(old.id, { subject: 'ada' })
  const { id: rotated } = await client.rotate(id)
  expect(await client.get(id)).toBeUndefined()
  await until(async () => (await client.get(rotated)) === undefined, 'the session to end')
  for (const device of ['a', 'b', 'c']) await client.create({}, { subject: 'ada', device })
  await until(() => server.status().replica.sessions === 4, 'the oldest login to end')
  await client.endSubject('ada')
  await until(() => server.status().replica.sessions === 2, 'the others to end')
  await servers.settled()
  servers.link('eu').cut()
  servers.link('us').cut()
  await until(() => server.status().replica.links.us!.state === 'down', 'the link to go')
  await client.touch(session.id, { write: 'majority', timeout: 1, idleTimeout: '1h' }).catch(() => {})
  servers.link('eu').heal()
  servers.link('us').heal()
  await servers.settled()
  await until(async () => (await scrape(server)).get('sojourn_sessions_expired_total{cause="idle"}'), 'the expiry')
  await until(
    async () => (await scrape(server)).get('sojourn_link_rtt_seconds{peer="us"}'),
    'a heartbeat to be answered',
  )

  const samples = await scrape(server)
  const readme = await readFile(join(ROOT, 'packages/server/README.md'), 'utf8')
  const names = [...(await (await server.ask('/metrics')).text()).matchAll(/^# TYPE (sojourn_\w+)/gm)].map(
    ([, name]) => name!,
  )
  expect(names.length).toBeGreaterThan(40)
  expect(names.filter((name) => !readme.includes(`\`${name}\``))).toEqual([])
  expect(
    [...readme.matchAll(/`(sojourn_\w+)`/g)].map(([, name]) => name!).filter((name) => !names.includes(name)),
  ).toEqual([])
  const value = (name: string) => samples.get(name)
  const are = (expected: Record<string, number>) =>
    expect(Object.fromEntries(Object.keys(expected).map((name) => [name, value(name)]))).toEqual(expected)
  // How fast.
  are({
    'sojourn_request_seconds_count{level="local",operation="create",outcome="ok"}': 8,
    'sojourn_request_seconds_count{level="local",operation="get",outcome="ok"}': 1,
    'sojourn_request_seconds_count{level="local",operation="elevate",outcome="ok"}': 1,
    'sojourn_request_seconds_count{level="all",operation="increment",outcome="ok"}': 1,
  })
  expect(value('sojourn_request_seconds_sum{level="local",operation="create",outcome="ok"}')).toBeGreaterThan(0)
  // How full.
  are({
    'sojourn_sessions{state="live"}': 2,
    'sojourn_sessions{state="expired"}': 1,
    sojourn_cutoffs: 1,
  })
  for (const name of [
    'sojourn_memory_bytes{what="cache"}',
    'sojourn_memory_bytes{what="recent"}',
    'sojourn_disk_bytes',
  ])
    expect(value(name), name).toBeGreaterThan(100)
  expect(value('sojourn_cache_requests_total{result="hit"}')).toBeGreaterThan(0)
  // What is nowhere is known without a look.
  expect(value('sojourn_cache_requests_total{result="miss"}')).toBe(0)
  // What fails.
  are({
    'sojourn_errors_total{code="SESSION_NOT_FOUND",operation="update"}': 1,
    'sojourn_quorum_unmet_total{kind="write"}': 1,
    'sojourn_errors_total{code="QUORUM_UNMET",operation="touch"}': 1,
  })
  // Who logs in.
  are({
    'sojourn_sessions_elevated_total{origin="local"}': 1,
    'sojourn_sessions_rotated_total{origin="local"}': 1,
    sojourn_sessions_reused_total: 1,
  })
  // How sessions die.
  are({
    'sojourn_sessions_created_total{origin="local"}': 9,
    'sojourn_sessions_ended_total{origin="local",reason="revoked"}': 1,
    'sojourn_sessions_ended_total{origin="local",reason="reused"}': 1,
    'sojourn_sessions_ended_total{origin="local",reason="displaced"}': 1,
    'sojourn_sessions_ended_total{origin="local",reason="logout"}': 2,
    'sojourn_sessions_expired_total{cause="idle"}': 1,
  })
  // How the links are.
  const link = (name: string) => value(`sojourn_link_${name}{peer="us"}`)
  expect([link('up'), link('live'), link('unacked_commits'), link('to_receive_commits')]).toEqual([1, 1, 0, 0])
  for (const name of ['lag_seconds', 'rtt_seconds', 'clock_skew_seconds', 'buffered_bytes'])
    expect(link(name), name).toBeDefined()
  for (const direction of ['sent', 'received'])
    expect(value(`sojourn_link_bytes_total{direction="${direction}",peer="us"}`)).toBeGreaterThan(100)
  for (const kind of ['full', 'partial']) expect(value(`sojourn_catch_ups_total{kind="${kind}"}`)).toBeDefined()
  for (const cause of ['read', 'digest', 'corrupt']) expect(value(`sojourn_repairs_total{cause="${cause}"}`)).toBe(0)
  expect(value('sojourn_commits_total')).toBeGreaterThan(7)
  for (const what of ['commits', 'writes', 'reads']) expect(value(`sojourn_pending{what="${what}"}`)).toBe(0)
  expect(value('sojourn_storage_write_seconds_count{what="append"}')).toBeGreaterThan(7)
  expect(value('nodejs_eventloop_lag_p99_seconds')).toBeDefined()
  expect(value('sojourn_client_connections')).toBe(1)
  expect(value('sojourn_client_requests_total')).toBeGreaterThan(8)
  expect(value('sojourn_client_bytes_total{direction="received"}')).toBeGreaterThan(100)
  expect((await scrape(servers.get('us'))).get('sojourn_sessions_ended_total{origin="remote",reason="revoked"}')).toBe(
    1,
  )

  // What callers choose makes no new series.
  const before = samples.size
  for (let level = 3; level < 30; level++) await client.get(session.id, { read: level }).catch(() => {})
  expect(
    (await scrape(server)).get('sojourn_request_seconds_count{level="other",operation="get",outcome="INVALID_OPTION"}'),
  ).toBe(27)
  expect((await scrape(server)).size - before).toBeLessThan(25)
  await client.close()
})

it('[ADM-4] a token that is taken away or given another scope is so at once', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sojourn-tokens-'))
  const file = `${directory}/tokens`
  await writeFile(file, `one:write:${TOKENS.write} two:admin:${TOKENS.admin}`)
  const server = await startServer('eu', ':memory:', {
    flags: { tokensFile: file, 'clients.port': '0' },
    env: { SOJOURN_TOKENS: '' },
  })
  await until(() => server.status().listeners.clients, 'clients to be let in')
  const client = await clientOf(server)
  const { id } = await client.create({})
  await writeFile(file, `one:read:${TOKENS.write}`)
  server.reload()
  await expect(client.touch(id)).rejects.toThrow(/SCOPE_REFUSED/)
  expect(await client.get(id)).toBeDefined()
  expect((await server.ask('/digests', { token: TOKENS.admin })).status).toBe(401)
  // What is wrong is reported, and what was goes on.
  await writeFile(file, 'nonsense')
  server.reload()
  expect(await client.get(id)).toBeDefined()
  expect(server.log.join()).toContain('entry 1 is not name:scope:token')
  expect((await scrape(server)).get('sojourn_reloads_total{file="tokens",outcome="INVALID_OPTION"}')).toBe(1)
  expect((await scrape(server)).get('sojourn_reloads_total{file="tokens",outcome="ok"}')).toBe(1)
  await client.close()
  await server.stop()
  await rm(directory, { recursive: true })
})
