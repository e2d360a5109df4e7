import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { connect } from '@sojourn/client'
import { isSojournError } from '@sojourn/core/internal'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Authority, openAuthority } from '../support/certificates.js'
import { openIdle } from '../support/idle.js'
import { openProxy } from '../support/proxy.js'
import { type Flags, type Server, startServer, TOKENS } from '../support/servers.js'
import { sojourn } from '../support/sojourn-process.js'
import { until } from '../support/until.js'

let directory = ''
let authority: Authority
let foreign: Authority
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sojourn-tls-'))
  authority = await openAuthority()
  foreign = await openAuthority()
  await writeFile(file('ca'), authority.cert)
  await writeFile(file('foreign-ca'), foreign.cert)
  for (const name of ['eu', 'us', 'app']) await issue(name, authority)
  await issue('mallory', foreign)
})
afterAll(() => rm(directory, { recursive: true }))

const file = (name: string) => join(directory, `${name}.pem`)

const issue = async (name: string, by: Authority, days?: number, hosts?: readonly string[]) => {
  const { cert, key } = await by.sign(name, days, hosts)
  await writeFile(file(name), cert)
  await writeFile(file(`${name}-key`), key)
  return { cert, key }
}

const tlsOf = (listener: string, name: string, ca = 'ca'): Flags => ({
  [`${listener}.tls.certFile`]: file(name),
  [`${listener}.tls.keyFile`]: file(`${name}-key`),
  [`${listener}.tls.caFile`]: file(ca),
})
const mutual = (listener: string): Flags => ({ [`${listener}.tls.requireClientCertificate`]: 'true' })

/** Two servers that dial each other over TLS. */
const pair = async (flags: { readonly eu: Flags; readonly us: Flags }) => {
  const open: { eu?: Server; us?: Server } = {}
  const proxies = {
    eu: await openProxy(() => open.eu?.status().listeners.links),
    us: await openProxy(() => open.us?.status().listeners.links),
  }
  const start = (name: 'eu' | 'us', other: 'eu' | 'us') =>
    startServer(name, ':memory:', {
      flags: { 'links.port': '0', peers: `${other}=${proxies[other].url.replace('ws:', 'wss:')}`, ...flags[name] },
    })
  open.eu = await start('eu', 'us')
  open.us = await start('us', 'eu')
  const { eu, us } = open
  return {
    eu,
    us,
    async [Symbol.asyncDispose]() {
      await Promise.all([eu.stop(), us.stop()])
      await Promise.all([proxies.eu.close(), proxies.us.close()])
    },
  }
}

const linkOf = (server: Server, peer: string) => server.status().replica.links[peer]!.state

describe('[TLS-1] links', () => {
  it('are encrypted, and both sides show a certificate', async () => {
    const flags = (name: string) => ({ ...tlsOf('links', name), ...mutual('links') })
    await using servers = await pair({ eu: flags('eu'), us: flags('us') })
    const { eu, us } = servers
    await until(() => linkOf(eu, 'us') === 'live' && linkOf(us, 'eu') === 'live', 'the links')
    // Regions send each other the list of regions over the same listener.
    await eu.ask('/members', { token: TOKENS.admin, body: { call: 'add', region: 'ap', url: null } })
    await until(() => us.status().members.some(({ region }) => region === 'ap'), 'us to hear')
  })

  it.each([
    ['of another authority', () => ({ ...tlsOf('links', 'mallory', 'foreign-ca'), ...mutual('links') })],
    ['that is none, where one must be shown', (): Flags => ({ 'links.tls.caFile': file('ca') })],
  ])('are refused a certificate %s, and the log says why', async (_, flags) => {
    await using servers = await pair({ eu: { ...tlsOf('links', 'eu'), ...mutual('links') }, us: flags() })
    const { us } = servers
    await until(() => us.status().replica.totals.refused.LINK_TLS, 'the refusal')
    expect(us.log.join('\n')).toMatch(/"peer":"eu","code":"LINK_TLS"/)
    expect(linkOf(us, 'eu')).toBe('down')
    expect(linkOf(servers.eu, 'us')).toBe('down')
  })

  it('are refused a certificate that has expired, and stand once it is renewed, without a restart', async () => {
    await issue('stale', authority, -0.5)
    const flags = (name: string) => ({ ...tlsOf('links', name), ...mutual('links') })
    await using servers = await pair({ eu: flags('eu'), us: flags('stale') })
    const { eu, us } = servers
    await until(() => eu.log.some((line) => /"peer":"us","code":"LINK_TLS".*expired/.test(line)), 'the refusal')
    // The one that is refused as a client hears no reason: its connection is reset.
    expect(linkOf(eu, 'us')).toBe('down')
    await issue('stale', authority)
    us.reload()
    await until(() => linkOf(eu, 'us') === 'live' && linkOf(us, 'eu') === 'live', 'the links')
  })
})

describe('[TLS-4] certificates that are bound to regions', () => {
  const bound = (region: string): Flags => ({
    ...tlsOf('links', `bound-${region}`),
    ...mutual('links'),
    'links.tls.bindRegion': '{region}.sessions.test',
  })
  beforeAll(async () => {
    for (const region of ['eu', 'us']) await issue(`bound-${region}`, authority, 30, [`${region}.sessions.test`])
  })

  it('let regions link, and report each other the list of regions', async () => {
    await using servers = await pair({ eu: bound('eu'), us: bound('us') })
    const { eu, us } = servers
    await until(() => linkOf(eu, 'us') === 'live' && linkOf(us, 'eu') === 'live', 'the links')
    const answer = await eu.ask('/members', { token: TOKENS.admin, body: { call: 'add', region: 'ap', url: null } })
    expect(await answer.json()).toMatchObject({ notified: { us: 'notified' } })
    expect(us.status().members.map(({ region }) => region)).toContain('ap')
  })

  it('keep a process with another certificate from linking, and from adding regions', async () => {
    // It knows the secret, and its certificate is of the authority, but for no region.
    await using servers = await pair({ eu: bound('eu'), us: { ...tlsOf('links', 'us'), ...mutual('links') } })
    const { eu, us } = servers
    await until(() => eu.status().replica.totals.refused.LINK_CERTIFICATE, 'the refusal')
    expect(linkOf(eu, 'us')).toBe('down')
    expect(eu.log.join('\n')).toMatch(/"peer":"us","code":"LINK_CERTIFICATE"/)
    const metrics = await (await eu.ask('/metrics')).text()
    expect(metrics).toMatch(/^sojourn_link_failures_total\{.*reason="LINK_CERTIFICATE".*\} [1-9]/m)

    // Who asks is refused; and so is what the other side answers with.
    const added = await us.ask('/members', { token: TOKENS.admin, body: { call: 'add', region: 'ap', url: null } })
    expect(await added.json()).toMatchObject({ notified: { eu: 'refused' } })
    await until(
      () =>
        eu.log.some((line) =>
          /LINK_CERTIFICATE: a request about regions shows a certificate of none of them/.test(line),
        ),
      'the log',
    )
    const asked = await eu.ask('/members', { token: TOKENS.admin, body: { call: 'add', region: 'sa', url: null } })
    expect(await asked.json()).toMatchObject({ notified: { us: 'refused' } })
    expect(eu.status().members.map(({ region }) => region)).toEqual(['us', 'sa'])
  })

  it('leave a region that was removed nothing to say', async () => {
    await using servers = await pair({ eu: bound('eu'), us: bound('us') })
    const { eu, us } = servers
    await until(() => linkOf(eu, 'us') === 'live' && linkOf(us, 'eu') === 'live', 'the links')
    await eu.ask('/members', { token: TOKENS.admin, body: { call: 'remove', region: 'us' } })
    await until(() => us.status().reasons.some((reason) => /was removed/.test(reason)), 'us to hear')
    const added = await us.ask('/members', { token: TOKENS.admin, body: { call: 'add', region: 'ap', url: null } })
    expect(await added.json()).toMatchObject({ notified: { eu: 'notified' } })
    expect(eu.status().members).toEqual([])
  })

  it('are looked at when a server starts', async () => {
    await expect(startServer('us', ':memory:', { flags: { 'links.port': '0', ...bound('eu') } })).rejects.toThrow(
      /links\.tls\.certFile: the certificate is not for "us\.sessions\.test"/,
    )
  })
})

describe('[TLS-1] clients', () => {
  it('are served over TLS, and over mutual TLS with a certificate only', async () => {
    const server = await startServer('eu', ':memory:', {
      flags: { 'clients.port': '0', ...tlsOf('clients', 'eu'), ...mutual('clients') },
    })
    await until(() => server.status().listeners.clients, 'clients to be let in')
    const url = server.url('clients', 'wss')
    const shown = { cert: await text('app'), key: await text('app-key') }
    const client = await connect({ url, token: TOKENS.write, tls: { ca: authority.cert, ...shown } })
    const { id } = await client.create({ a: 1 })
    expect((await client.get(id))!.data).toEqual({ a: 1 })
    await client.close()
    for (const tls of [{ ca: authority.cert }, { ca: foreign.cert, ...shown }]) {
      const refused = connect({ url, token: TOKENS.write, tls, connectTimeout: '300ms' }).then(async (late) => {
        await late.get(id).finally(() => late.close())
      })
      await expect(refused).rejects.toSatisfy((error) => isSojournError(error))
    }
    await server.stop()
  })
})

describe('[HOST-5] over TLS', () => {
  it.each([
    ['that never begin it', 70, undefined],
    ['that begin it and say nothing', 20, 16],
  ])('connections %s make room for clients, and clients that are there stay', async (_how, count, limit) => {
    const flags = {
      'clients.port': '0',
      ...tlsOf('clients', 'eu'),
      'clients.limits.maxHandshakes': String(limit ?? 256),
    }
    const server = await startServer('eu', ':memory:', { flags })
    await until(() => server.status().listeners.clients, 'clients to be let in')
    const clientOf = () =>
      connect({ url: server.url('clients', 'wss'), token: TOKENS.write, tls: { ca: authority.cert } })
    const early = await clientOf()
    const { port } = server.status().listeners.clients!
    const open: (() => void)[] = []
    if (limit === undefined) open.push((await openIdle({ port, count })).end)
    else
      for (let n = 0; n < count; n++) {
        const socket = connectTls({ port, host: '127.0.0.1', ca: authority.cert })
        socket.on('error', () => {})
        await new Promise<void>((resolve) => socket.once('secureConnect', resolve))
        open.push(() => socket.destroy())
      }
    const late = await clientOf()
    const { id } = await early.create({ a: 1 })
    expect((await late.get(id))!.data).toEqual({ a: 1 })
    expect(early.status().totals.connections).toBe(1)
    // The late one came when the budget was full, and counts no more since it is known.
    const left = (limit ?? 64) - 1
    await until(() => server.status().clients!.unauthenticated.connections === left, 'the rest to be there')
    expect(server.status().clients!.unauthenticated.evicted).toBeGreaterThan(0)
    for (const end of open) end()
    await until(() => server.status().clients!.unauthenticated.connections === 0, 'nobody to be left')
    expect(server.status().clients!.connections).toBe(2)
    await Promise.all([early.close(), late.close()])
    await server.stop()
  })
})

const text = (name: string) => readFile(file(name), 'utf8')

describe('[TLS-1] the admin listener', () => {
  it('answers the command line over mutual TLS', async () => {
    const server = await startServer('eu', ':memory:', { flags: { ...tlsOf('admin', 'eu'), ...mutual('admin') } })
    const env = { SOJOURN_TOKEN: TOKENS.admin, SOJOURN_ADMIN_URL: server.url('admin', 'https') }
    const certificate = ['--cert-file', file('app'), '--key-file', file('app-key')]
    const good = await sojourn(['status', '--json', '--ca-file', file('ca'), ...certificate], env)
    expect(JSON.parse(good.stdout)).toMatchObject({
      regions: { eu: { ready: true, certificates: { admin: expect.any(Number) } } },
    })
    for (const args of [[], ['--ca-file', file('ca')], ['--ca-file', file('foreign-ca'), ...certificate]])
      expect(await sojourn(['status', ...args], env)).toMatchObject({
        code: 5,
        stderr: expect.stringContaining('cannot be reached'),
      })
    await server.stop()
  })
})

describe('[TLS-2] certificates', () => {
  /** The serial number that a listener shows. */
  const shown = (server: Server): Promise<string> =>
    new Promise((resolve, reject) => {
      const { port } = server.status().listeners.admin!
      const socket = connectTls({ port, host: '127.0.0.1', ca: authority.cert }, () => {
        resolve(socket.getPeerCertificate().serialNumber)
        socket.end()
      })
      socket.on('error', reject)
    })
  const expiry = async (server: Server): Promise<number> => {
    const body = await new Promise<string>((resolve, reject) => {
      const asked = request(
        `${server.url('admin', 'https')}/metrics`,
        { ca: authority.cert, agent: false },
        async (response) => {
          let all = ''
          for await (const chunk of response) all += chunk
          resolve(all)
        },
      )
      asked.on('error', reject).end()
    })
    return Number(/^sojourn_certificate_expiry_timestamp_seconds\{listener="admin".*\} (\S+)$/m.exec(body)?.[1])
  }

  it('are taken in anew without a restart, and the metrics report when they expire', async () => {
    await issue('fresh', authority, 10)
    const server = await startServer('eu', ':memory:', { flags: tlsOf('admin', 'fresh') })
    const before = await shown(server)
    expect(await expiry(server)).toBeCloseTo((Date.now() + 10 * 86_400_000) / 1_000, -2)
    server.reload()
    expect(await shown(server)).toBe(before)

    await issue('fresh', authority, 90)
    server.reload()
    expect(await shown(server)).not.toBe(before)
    expect(await expiry(server)).toBeCloseTo((Date.now() + 90 * 86_400_000) / 1_000, -2)
    const renewed = await shown(server)

    // A key that does not belong to it, and no certificate at all.
    for (const wrong of [(await foreign.sign('x')).key, 'nonsense', '']) {
      await writeFile(file('fresh-key'), wrong)
      server.reload()
      expect(await shown(server)).toBe(renewed)
    }
    await rm(file('fresh'))
    server.reload()
    expect(await shown(server)).toBe(renewed)
    expect(server.log.filter((line) => line.includes('"reload failed"'))).toHaveLength(4)
    await server.stop()
  })

  it('are looked at now and then', async () => {
    await issue('timed', authority)
    const server = await startServer('eu', ':memory:', {
      flags: { ...tlsOf('admin', 'timed'), reloadInterval: '20ms' },
    })
    const before = await shown(server)
    await issue('timed', authority)
    await until(async () => (await shown(server)) !== before, 'the new certificate')
    await server.stop()
  })

  it('that are none are refused at the start, with the setting that names them', async () => {
    await writeFile(file('none'), 'nonsense')
    await expect(
      startServer('eu', ':memory:', { flags: { ...tlsOf('admin', 'eu'), 'admin.tls.keyFile': file('none') } }),
    ).rejects.toThrow(
      /INVALID_OPTION: admin\.tls: the certificate, key and authorities in the files are not PEM or do not match/,
    )
    await expect(
      startServer('eu', ':memory:', { flags: { ...tlsOf('links', 'eu'), 'links.tls.caFile': file('gone') } }),
    ).rejects.toThrow(/links\.tls\.caFile is ".*gone\.pem", which cannot be read \(ENOENT\)/)
  })
})
