import { createHmac } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect } from '@sojourn/client'
import { describe, expect, it } from 'vitest'
import { SECRET } from '../support/region.js'
import { openServers, type Server, startServer, TOKENS } from '../support/servers.js'
import { sojourn } from '../support/sojourn-process.js'
import { until } from '../support/until.js'

const clientOf = (server: Server) => connect({ url: server.url('clients'), token: TOKENS.write })
const region = (server: Server, ...args: string[]) =>
  sojourn(['region', ...args, '--json'], { SOJOURN_TOKEN: TOKENS.admin, SOJOURN_ADMIN_URL: server.url('admin') })
const namesOf = (server: Server) =>
  server
    .status()
    .members.map(({ region: name }) => name)
    .sort()

describe('[MEM-3] sojourn region', () => {
  it('adds a region at one region, while another is down: all hear of it, the one that was down when it is back', async () => {
    await using servers = await openServers(['eu', 'us', 'ap'], { later: ['sa'] })
    const eu = servers.get('eu')
    const client = await clientOf(eu)
    const { id } = await client.create({ n: 0 })
    await servers.settled()
    await servers.stop('ap')
    await servers.start('sa', {
      flags: {
        peers: (['eu', 'us', 'ap'] as const).map((name) => `${name}=${servers.link(name).url}`).join(),
        readyPeerWait: '1h',
      },
    })

    const added = await region(eu, 'add', 'sa', servers.link('sa').url, '--admin-url', 'http://sa.example.net:7402')
    expect(added).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(added.stdout)).toMatchObject({
      changed: true,
      notified: { us: 'notified', ap: 'unreachable', sa: 'notified' },
    })
    expect(namesOf(servers.get('us'))).toEqual(['ap', 'eu', 'sa'])
    // Four regions, three of them there.
    await client.increment(id, '/n', 1, { write: 'majority', timeout: '10s' })
    await expect(client.increment(id, '/n', 1, { write: 'all', timeout: '50ms' })).rejects.toMatchObject({ need: 4 })

    const ap = await servers.start('ap')
    await until(() => namesOf(ap).includes('sa'), 'ap to hear of it')
    await servers.settled()
    expect((await client.increment(id, '/n', 1, { write: 'all', timeout: '10s' })).data.n).toBe(3)
    expect(ap.status().members.find((member) => member.region === 'sa')).toEqual({
      region: 'sa',
      url: servers.link('sa').url,
      admin: 'http://sa.example.net:7402',
      from: 'added',
    })
    await client.close()
  })

  it('removes a region while another is down, and keeps that over restarts, whatever the settings say', async () => {
    await using servers = await openServers(['eu', 'us', 'ap'])
    await servers.stop('us')
    const removed = await region(servers.get('eu'), 'remove', 'ap')
    expect(JSON.parse(removed.stdout)).toMatchObject({ changed: true, notified: { us: 'unreachable' } })
    expect(await region(servers.get('eu'), 'remove', 'ap')).toMatchObject({ code: 1 })
    // It has heard that it is none any more: requests should go elsewhere.
    const ap = servers.get('ap')
    await until(() => !ap.status().ready, 'ap to hear')
    expect(await (await ap.ask('/readyz')).text()).toBe('this region was removed from the others\n')

    await servers.start('us')
    await until(() => namesOf(servers.get('us')).join() === 'eu', 'us to hear')
    for (const name of ['eu', 'us'] as const) {
      await servers.stop(name)
      expect(namesOf(await servers.start(name))).toEqual([name === 'eu' ? 'us' : 'eu'])
    }
    const client = await (async () => {
      await until(() => servers.get('eu').status().listeners.clients, 'clients to be let in')
      return clientOf(servers.get('eu'))
    })()
    const { id } = await client.create({})
    await client.touch(id, { write: 'all', timeout: '10s' })
    expect(servers.get('eu').status().replica.links.ap).toBeUndefined()

    // And back again.
    expect(await region(servers.get('us'), 'add', 'ap', servers.link('ap').url)).toMatchObject({ code: 0 })
    await until(() => ap.status().ready && ap.status().replica.links.eu!.state === 'live', 'ap to be back')
    await client.close()
  })

  it('refuses what cannot be, and changes nothing', async () => {
    await using servers = await openServers(['eu', 'us'], { options: { flags: { 'consistency.write': '2' } } })
    const eu = servers.get('eu')
    for (const [args, says] of [
      [['add', 'ap', 'http://x'], 'url'],
      [['add', 'eu', 'ws://x'], '"eu" is this region'],
      [['remove', 'us'], 'consistency.write is 2'],
    ] as const)
      expect(await region(eu, ...args)).toMatchObject({ code: 2, stderr: expect.stringContaining(says) })
    expect(namesOf(eu)).toEqual(['us'])
    await servers.stop('eu')
    expect(namesOf(await servers.start('eu'))).toEqual(['us'])
  })

  it('leaves everything as it was where the disk refuses', async () => {
    await using servers = await openServers(['eu', 'us'])
    const eu = servers.get('eu')
    // A directory in the place of the draft.
    await mkdir(join(servers.data('eu'), 'members.json.new'))
    expect(await region(eu, 'add', 'ap', 'ws://ap.example.net')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('members.json cannot be written'),
    })
    expect(namesOf(eu)).toEqual(['us'])
    expect(Object.keys(eu.status().replica.links)).toEqual(['us'])
    expect(namesOf(servers.get('us'))).toEqual(['eu'])
  })

  it('a damaged list of regions is refused at the start', async () => {
    await using servers = await openServers(['eu'])
    await servers.stop('eu')
    const file = join(servers.data('eu'), 'members.json')
    const entry = { region: 'us', version: 1, present: true, url: 'ws://x' }
    for (const text of [
      '',
      '{}',
      '[]',
      '{"format":2,"regions":[]}',
      '{"format":1}',
      JSON.stringify({ format: 1, regions: [{ ...entry, version: 0 }] }),
    ]) {
      await writeFile(file, text)
      await expect(servers.start('eu'), text).rejects.toThrow(/STORE_CORRUPT: .*members\.json/)
    }
    await writeFile(file, JSON.stringify({ format: 1, regions: [entry] }))
    expect(namesOf(await servers.start('eu'))).toEqual(['us'])
  })
})

describe('[MEM-4] who does not know the secret changes no regions', () => {
  const entry = { region: 'evil', version: 9, present: true, url: 'ws://evil.example.net' }
  const prove = (body: string, secret = SECRET, role = 'request') =>
    createHmac('sha256', secret).update(`sojourn members ${role}\0${body}`).digest('hex')
  const post = (server: Server, body: string, proof?: string) =>
    fetch(`${server.url('links', 'http')}/members`, {
      method: 'POST',
      body,
      ...(proof !== undefined && { headers: { 'sojourn-proof': proof } }),
    })

  it('by no proof, another secret, a reflected proof or another body', async () => {
    const server = await startServer('eu', ':memory:', { flags: { 'links.port': '0' } })
    const body = JSON.stringify([entry])
    for (const proof of [
      undefined,
      '',
      'x',
      prove(body, 'another secret of the tests'),
      prove(body, SECRET, 'response'),
      prove('[]'),
    ]) {
      const answer = await post(server, body, proof)
      expect([answer.status, await answer.text()]).toEqual([403, ''])
    }
    const large = JSON.stringify([{ ...entry, url: `ws://${'x'.repeat(100_000)}` }])
    await post(server, large, prove(large)).catch(() => {})
    expect(namesOf(server)).toEqual([])
    expect((await fetch(`${server.url('links', 'http')}/members`)).status).toBe(426)
    // It is the proof that was missing.
    const good = await post(server, body, prove(body))
    expect(good.headers.get('sojourn-proof')).toBe(prove(await good.text(), SECRET, 'response'))
    expect(namesOf(server)).toEqual(['evil'])
    await server.stop()
  })

  it('and a peer that says nonsense changes nothing either', async () => {
    const server = await startServer('eu', ':memory:', { flags: { 'links.port': '0' } })
    const nonsense = [
      'x',
      '{}',
      'null',
      JSON.stringify([{ ...entry, version: 1.5 }]),
      JSON.stringify([{ ...entry, version: 2 ** 53 }]),
      JSON.stringify([{ ...entry, url: 'http://x' }]),
      JSON.stringify([{ ...entry, region: '' }]),
      JSON.stringify([{ ...entry, more: 1 }]),
      JSON.stringify(Array.from({ length: 65 }, (_, index) => ({ ...entry, region: `r${index}` }))),
    ]
    for (const body of nonsense) expect((await post(server, body, prove(body))).status, body).toBe(403)
    expect(namesOf(server)).toEqual([])
    // Many messages do not add up to more than one may bring.
    for (const start of [0, 40, 80]) {
      const body = JSON.stringify(Array.from({ length: 40 }, (_, index) => ({ ...entry, region: `r${start + index}` })))
      await post(server, body, prove(body))
    }
    expect(namesOf(server)).toHaveLength(40)
    await server.stop()
  })

  it('news in any order, and sent again, lead to the same', async () => {
    const entries = [
      { ...entry, region: 'ap', version: 1 },
      { ...entry, region: 'ap', version: 2, present: false },
      { ...entry, region: 'ap', version: 2, url: 'ws://other.example.net' },
      { ...entry, region: 'ap', version: 3, url: 'ws://a.example.net' },
      { ...entry, region: 'ap', version: 3, url: 'ws://b.example.net' },
      { ...entry, region: 'sa', version: 2, present: false },
      { ...entry, region: 'sa', version: 2 },
    ]
    const ends: string[] = []
    for (const order of [entries, [...entries].reverse(), [3, 6, 0, 4, 2, 5, 1].map((index) => entries[index]!)]) {
      const server = await startServer('eu', ':memory:', { flags: { 'links.port': '0' } })
      for (const each of [...order, ...order.slice(0, 3)]) {
        const body = JSON.stringify([each])
        await post(server, body, prove(body))
      }
      ends.push(JSON.stringify(server.status().members))
      await server.stop()
    }
    expect(ends[0]).toBe('[{"region":"ap","url":"ws://b.example.net","from":"added"}]')
    expect(new Set(ends).size).toBe(1)
  })
})

it('[MEM-3] the list is kept in a file that says what it is', async () => {
  await using servers = await openServers(['eu'])
  await region(servers.get('eu'), 'add', 'us', 'null')
  expect(JSON.parse(await readFile(join(servers.data('eu'), 'members.json'), 'utf8'))).toEqual({
    format: 1,
    regions: [{ region: 'us', url: null, present: true, version: 1 }],
  })
})
