import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from '@sojourn/client'
import { sessionKey } from '@sojourn/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openServers, type Server, TOKENS } from '../support/servers.js'
import { sojourn, sojournUnread } from '../support/sojourn-process.js'
import { until } from '../support/until.js'

const clientOf = (server: Server) => connect({ url: server.url('clients'), token: TOKENS.write })

const run = (server: Server | undefined, args: readonly string[], input?: string) =>
  sojourn(args, { SOJOURN_TOKEN: TOKENS.admin, ...(server && { SOJOURN_ADMIN_URL: server.url('admin') }) }, input)
const json = async (server: Server, args: readonly string[], code = 0, input?: string) => {
  const ended = await run(server, [...args, '--json'], input)
  expect(ended).toMatchObject({ code, stderr: '' })
  return JSON.parse(ended.stdout)
}

let directory = ''
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sojourn-cli-'))
})
afterAll(() => rm(directory, { recursive: true }))

describe('[CLI-1] the command line', () => {
  it('shows regions, links and what they do', async () => {
    await using servers = await openServers(['eu', 'us'])
    const [eu, us] = [servers.get('eu'), servers.get('us')]
    const client = await clientOf(eu)
    await client.create({ a: 1 })
    await servers.settled()
    const both = ['--admin', eu.url('admin'), '--admin', us.url('admin')]
    const text = await run(undefined, ['status', ...both])
    expect(text.code).toBe(0)
    expect(text.stdout).toMatch(/^eu +ready +1 +0 +1 +1 /m)
    expect(text.stdout).toMatch(/^eu → us +live +0 /m)
    expect(text.stdout).toMatch(/^us → eu +live +0 /m)

    // One that is not given is reported, where its admin address is known or not.
    const alone = await json(eu, ['status'])
    expect(alone.regions).toMatchObject({
      eu: { ready: true, replica: { sessions: 1 }, clients: { connections: 1 } },
      us: { error: expect.stringContaining('admin.peers') },
    })
    const top = await run(undefined, ['top', '--times', '2', '--interval', '50ms', '--json', ...both])
    const lines = top.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines).toHaveLength(2)
    expect(lines[1].regions.us).toMatchObject({ requests: 0, errors: 0, lagMs: expect.any(Number) })
    expect((await run(undefined, ['top', '--times', '1', '--interval', '1ms', ...both])).stdout).toMatch(/^us +0 +0 /m)
    await client.close()
  })

  it('reports in its tables a region that is gone, and soon one that is silent', async () => {
    // Takes connections, and says nothing: a process that is paused, or a network that swallows.
    const silent = createServer().listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as AddressInfo
    await using servers = await openServers(['eu', 'us', 'ap'], {
      options: { flags: { 'admin.peers': `us=http://127.0.0.1:1,ap=http://127.0.0.1:${port}` } },
    })
    const eu = servers.get('eu')
    const since = performance.now()
    const [status, top, verified] = await Promise.all([
      run(eu, ['status']),
      run(eu, ['top', '--times', '1', '--interval', '1ms']),
      run(eu, ['verify']),
    ])
    expect(status.code).toBe(5)
    expect(status.stdout).toMatch(/^ap +UNAVAILABLE: .* \(silent for 3 s\)$/m)
    expect(status.stdout).toMatch(/^us +UNAVAILABLE: .* \(ECONNREFUSED\)$/m)
    expect(status.stdout).toMatch(/^eu +ready +0 +0 +0 +0 /m)
    expect(top).toMatchObject({ code: 5, stderr: '' })
    expect(verified.code).toBe(5)
    expect(verified.stdout).toContain('The other regions did not answer')
    expect(performance.now() - since).toBeLessThan(30_000)
    silent.close()
  })

  it('[ADM-6] takes no answer of another shape, says which field is wrong, and ends with 5', async () => {
    let body = ''
    const server = createHttpServer((_request, response) => response.end(body)).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    for (const [text, args, why] of [
      ['{}', ['status'], `${url} answers /status region with something other than a text`],
      ['{"region":"eu"}', ['verify'], `${url} answers /status version with something other than a text`],
      ['{"found":1}', ['get', 'x'], `${url} answers /session found with something other than true or false`],
      [
        '{"handle":1}\n',
        ['sessions', '--subject', 'x'],
        `${url} answers /sessions handle with something other than a text`,
      ],
      ['{"handle":', ['sessions', '--subject', 'x'], 'the last line of the answer is truncated'],
      [`"${'x'.repeat(70_000)}`, ['sessions', '--subject', 'x'], 'a line of more than 65536 bytes'],
      ['{"ended":1}', ['end', '--subject', 'x'], `${url} answers /end regions with something other than an object`],
      ['{"ended":1}\n', ['end', '--all'], `${url} answers /end-all with something other than a receipt`],
      ['{"left":1}\n', ['end', '--all'], `${url} did not say what became of the end`],
      [
        '{"left":1}\n{"error":{"code":"TIMEOUT","message":"TIMEOUT: it stalls"}}\n',
        ['end', '--all'],
        'TIMEOUT: it stalls',
      ],
      ['[]', ['region', 'remove', 'us'], `${url} answers /members with something other than an object`],
      ['<html>', ['status'], 'the answer is not JSON'],
    ] as const) {
      body = text
      const ended = await run(undefined, [...args, '--admin', url])
      expect(ended.stderr, text).toContain(why)
      expect(ended.code, text).toBe(5)
    }
    server.close()
  })

  it('[CLI-3] says of each region that it was given and that is down why, and ends with 5', async () => {
    await using servers = await openServers(['eu', 'us', 'ap'])
    const eu = servers.get('eu')
    const gone = servers.get('us').url('admin')
    await servers.stop('us')
    const both = ['--admin', gone, '--admin', eu.url('admin')]
    const status = await run(undefined, ['status', ...both])
    expect(status).toMatchObject({ code: 5, stderr: '' })
    expect(status.stdout).toMatch(/^eu +ready /m)
    const row = (name: string) =>
      status.stdout
        .split('\n')
        .find((line) => line.startsWith(`${name} `))!
        .replace(/ +/, ': ')
    expect(row(gone)).toBe(`${gone}: UNAVAILABLE: ${gone} cannot be reached (ECONNREFUSED)`)
    // It has not said which region it is.
    for (const name of ['us', 'ap'])
      expect(row(name)).toBe(
        `${name}: its admin address is not known here (--admin, admin.peers), unless it has the address ${gone}, which did not answer`,
      )
    for (const command of ['status', 'top', 'verify']) {
      const args = command === 'top' ? ['--times', '1', '--interval', '1ms'] : []
      const ended = await run(undefined, [command, ...args, '--json', ...both])
      expect(ended.code, command).toBe(5)
      expect(ended.stdout, command).toContain(`"${gone}"`)
    }
    // Where it is known whose address that is, it is said of that region, once.
    await servers.stop('ap')
    const ap = await servers.start('ap', { flags: { 'admin.peers': `us=${gone}` } })
    const reported = await json(ap, ['status', '--admin', gone, '--admin', ap.url('admin')], 5)
    expect(Object.keys(reported.regions).sort()).toEqual(['ap', 'eu', 'us'])
    expect(reported.regions.us.error).toContain('ECONNREFUSED')
    const none = await run(undefined, ['status', '--admin', gone, '--admin', 'http://127.0.0.1:1'])
    expect(none).toMatchObject({ code: 5, stdout: '' })
    for (const url of [gone, 'http://127.0.0.1:1']) expect(none.stderr).toContain(`${url} cannot be reached`)
  })

  it('shows the help of each command, and nothing that draws over it in a pipe', async () => {
    await using servers = await openServers(['eu'])
    for (const command of ['get', 'touch', 'end']) {
      const { code, stdout } = await run(undefined, [command, '--help'])
      expect(code).toBe(0)
      expect(stdout).toContain(`Usage: sojourn ${command} `)
      expect(stdout).toContain(`| sojourn ${command} -`)
    }
    const top = await run(servers.get('eu'), ['top', '--times', '3', '--interval', '1ms'])
    expect(top).toMatchObject({ code: 0, stderr: '' })
    expect(top.stdout).not.toContain('\u001b')
    expect(top.stdout.match(/^REGION /gm)).toHaveLength(3)
  })

  it('[CLI-3] ends quietly when nobody reads on', async () => {
    await using servers = await openServers(['eu'])
    const env = { SOJOURN_ADMIN_URL: servers.get('eu').url('admin') }
    const commands = [['serve', '--help'], ['settings'], ['top', '--interval', '1ms'], ['status']]
    for (const args of commands)
      expect(await sojournUnread(args, env), args.join(' ')).toEqual({ code: 0, stdout: '', stderr: '' })
  })

  it('shows, renews and ends a session, and repeats no id', async () => {
    await using servers = await openServers(['eu'])
    const eu = servers.get('eu')
    const client = await clientOf(eu)
    const at = new Date(0)
    const { id, expiresAt } = await client.create({ user: 'ada', at, raw: Uint8Array.of(1, 2) })
    const shown = await run(eu, ['get', '-'], `${id}\nmore`)
    expect(shown).toMatchObject({ code: 0, stderr: '' })
    expect(shown.stdout).toContain('"user": "ada"')
    expect(await json(eu, ['get', id])).toEqual({
      found: true,
      data: { user: 'ada', at: at.toISOString(), raw: { $bytes: 'AQI=' } },
      createdAt: expect.any(Number),
      lastUsedAt: expect.any(Number),
      expiresAt,
      handle: sessionKey(id),
    })
    expect(await json(eu, ['touch', '-', '--write', 'majority'], 0, id)).toMatchObject({ found: true })
    expect(await json(eu, ['end', '-', '--reason', 'logout'], 0, id)).toEqual({ found: true })
    const gone = await Promise.all(['get', 'touch', 'end'].map((command) => run(eu, [command, '-'], id)))
    // One id in 64 begins as an option does: of those that are made now, and that were made before ids had two parts.
    for (const like of [`-${'a1_'.repeat(7)}.${'-b'.repeat(11)}`, `-${'a1_-bZ'.repeat(7)}`]) {
      const { id: dashed } = await client.create({ user: 'bob' }, { id: like })
      expect(await json(eu, ['get', dashed])).toMatchObject({ found: true, data: { user: 'bob' } })
      expect(await json(eu, ['end', dashed, '--reason', 'revoked', '--write', 'all'])).toEqual({ found: true })
    }
    for (const each of gone) expect(each).toMatchObject({ code: 1, stdout: 'no live session has this id\n' })
    const wrong = [
      ['get', '-', '--read', '9'],
      ['get', '-', '--read', 'most'],
      ['end', '-', '--reason', 'x'],
    ]
    for (const { code, stderr, stdout } of await Promise.all(wrong.map((args) => run(eu, args, id)))) {
      expect(code).toBe(2)
      expect(`${stderr}${stdout}`).not.toContain(id)
    }
    expect(await run(eu, ['get', '-'], '')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('holds no session id'),
    })
    expect(eu.log.join()).not.toContain(id)
    await client.close()
  })

  it('reports what it cannot reach, and who is refused, by its code', async () => {
    await using servers = await openServers(['eu'])
    const eu = servers.get('eu')
    const tokenFile = join(directory, 'token')
    await writeFile(tokenFile, `${TOKENS.admin}\n`)
    const nobody = ['--admin', 'http://127.0.0.1:1']
    const [mine, none] = [{ SOJOURN_TOKEN: TOKENS.admin }, {}]
    const here = ['--admin', eu.url('admin')]
    const cases: [args: string[], env: NodeJS.ProcessEnv, code: number, says: string][] = [
      [['status', ...nobody], mine, 5, 'cannot be reached (ECONNREFUSED)'],
      [['get', 'x', ...nobody], mine, 5, 'cannot be reached (ECONNREFUSED)'],
      [['verify', ...nobody], mine, 5, 'cannot be reached (ECONNREFUSED)'],
      [['backup', join(directory, 'none'), ...nobody], mine, 5, 'cannot be reached (ECONNREFUSED)'],
      [['region', 'remove', 'x', ...nobody], mine, 5, 'cannot be reached (ECONNREFUSED)'],
      [['status', '--admin', eu.url('clients', 'http')], mine, 5, 'is not a Sojourn admin listener'],
      [
        ['get', 'x', '--admin', `${eu.url('admin')}/x`],
        mine,
        5,
        'does not know this call: it is older, or --admin has a path',
      ],
      [['get', 'x', ...here], none, 5, 'needs a token. Set SOJOURN_TOKEN'],
      [
        ['get', 'x', ...here],
        { SOJOURN_TOKEN: 'nonsense' },
        5,
        'does not know the token from SOJOURN_TOKEN or --token-file',
      ],
      [['end', 'x', '--reason', 'y', ...here], mine, 2, '--reason is "y"; give one of logout, revoked, rotated'],
      [['region', 'add', 'us', 'http://us:7402', ...here], mine, 2, 'its admin listener is --admin-url'],
      [
        ['region', 'add', 'us', 'ws://us', '--admin-url', 'ws://us', ...here],
        mine,
        2,
        'give the address of its admin listener',
      ],
      [['region', 'remove', 'us', ...here], mine, 1, ''],
      [['get', 'x', ...here], { SOJOURN_TOKEN: TOKENS.write }, 5, 'SCOPE_REFUSED'],
      [['get', 'x', '--token-file', tokenFile, ...here], none, 1, ''],
      [['get', 'x', '--admin', 'nonsense'], mine, 2, '--admin is "nonsense"'],
      [['nonsense'], mine, 2, 'unknown command'],
      [['top', '--times', '0', ...here], mine, 2, '--times is "0"'],
      [['verify', '--wait', 'soon', ...here], mine, 2, '--wait is "soon"'],
    ]
    await Promise.all(
      cases.map(async ([args, env, code, says]) =>
        expect(await sojourn(args, env), args.join(' ')).toMatchObject({ code, stderr: expect.stringContaining(says) }),
      ),
    )
  })
})

it('[CLI-2] verify reports whether regions hold the same, and what they do not', async () => {
  await using servers = await openServers(['eu', 'us'])
  const [eu, us] = [servers.get('eu'), servers.get('us')]
  const all = ['--admin', eu.url('admin'), '--admin', us.url('admin')]
  const client = await clientOf(eu)
  const ids = await Promise.all(Array.from({ length: 30 }, async () => (await client.create({ n: 0 })).id))
  await client.end(ids.pop()!)
  await servers.settled()
  expect(await json(eu, ['verify', ...all])).toEqual({
    agree: true,
    complete: true,
    records: { eu: 30, us: 30 },
    differ: [],
    moving: 0,
    absent: {},
  })
  // One that could not be asked is no region that agrees.
  const alone = await json(eu, ['verify', '--admin', eu.url('admin')], 5)
  expect(alone).toMatchObject({ agree: true, complete: false, absent: { us: expect.any(String) } })

  servers.link('eu').cut()
  servers.link('us').cut()
  await until(() => eu.status().replica.links.us!.state === 'down', 'the link to go')
  await client.increment(ids[0]!, '/n')
  const { id } = await client.create({})
  const differ = await json(eu, ['verify', '--wait', '1ms', ...all], 1)
  expect(differ).toMatchObject({ agree: false, records: { eu: 31, us: 30 }, moving: 0 })
  expect(differ.differ).toHaveLength(2)
  expect(JSON.stringify(differ)).not.toContain(id)
  expect(differ.differ.map(({ versions }: { versions: object }) => Object.keys(versions).sort().join()).sort()).toEqual(
    ['eu', 'eu,us'],
  )
  const text = await run(undefined, ['verify', '--wait', '1ms', ...all])
  expect(text).toMatchObject({ code: 1, stdout: expect.stringContaining('2 records differ') })
  expect(text.stdout).toMatch(/^[0-9a-f]{32}: eu [0-9a-f]{8}, us none$/m)

  // On its way is not different: it looks again until it has come.
  const verifying = run(undefined, ['verify', '--wait', '20s', '--json', ...all])
  servers.link('eu').heal()
  servers.link('us').heal()
  const healed = await verifying
  expect(healed.code).toBe(0)
  expect(JSON.parse(healed.stdout)).toMatchObject({ agree: true, records: { eu: 31, us: 31 } })
  expect(await run(undefined, ['verify', '--repair', ...all])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('"eu", "us" hold the same'),
  })
  await client.close()
})

describe('[BACKUP-2] sojourn backup', () => {
  it('copies a region that goes on; a damaged copy, or a place that is taken, is refused', async () => {
    await using servers = await openServers(['eu'])
    const eu = servers.get('eu')
    const client = await clientOf(eu)
    const ids = await Promise.all(
      Array.from({ length: 500 }, async () => (await client.create({ text: 'x'.repeat(500) })).id),
    )
    const file = join(directory, 'copy')
    let writing = true
    const writes = (async () => {
      while (writing) await client.increment(ids[0]!, '/n')
    })()
    const made = await json(eu, ['backup', file])
    writing = false
    await writes
    expect(made).toMatchObject({ file, region: 'eu', rows: expect.any(Number), bytes: (await stat(file)).size })
    expect(made.rows).toBeGreaterThan(500)
    expect((await stat(file)).mode & 0o077).toBe(0)
    const bytes = await readFile(file)
    for (const id of ids) expect(bytes.includes(id)).toBe(false)
    expect(await run(eu, ['backup', file])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('exists already'),
    })
    expect(await run(eu, ['backup', join(directory, 'no', 'such')])).toMatchObject({ code: 3 })
    expect((await readdir(directory)).filter((name) => name.endsWith('.part'))).toEqual([])

    const damaged = join(directory, 'damaged')
    const data = join(directory, 'from-damaged')
    const flipped = (at: number) => {
      const copy = Buffer.from(bytes)
      copy[at]! ^= 1
      return copy
    }
    const cases: [what: string, bytes: Buffer][] = [
      ['flipped in the header', flipped(3)],
      ['flipped in the middle', flipped(bytes.length >> 1)],
      ['flipped in the sum', flipped(bytes.length - 1)],
      ['flipped in the count', flipped(bytes.length - 33)],
      ['cut', bytes.subarray(0, -1)],
      ['cut in half', bytes.subarray(0, bytes.length >> 1)],
      ['with more after it', Buffer.concat([bytes, Buffer.from('x')])],
      ['empty', Buffer.alloc(0)],
    ]
    await Promise.all(
      cases.map(async ([what, wrong], index) => {
        const [file, data] = [`${damaged}-${index}`, join(directory, `from-damaged-${index}`)]
        await writeFile(file, wrong)
        expect(await run(undefined, ['restore', file, '--region', 'eu', '--data', data]), what).toMatchObject({
          code: 3,
        })
        expect(existsSync(join(data, 'store')), what).toBe(false)
      }),
    )
    const restore = (...args: string[]) => run(undefined, ['restore', file, ...args])
    expect(await restore('--region', 'us', '--data', data)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('the backup is of region "eu"'),
    })
    expect(await restore('--region', 'us', '--data', data, '--from-region', 'ap')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('give --from-region eu'),
    })
    const taken = join(directory, 'taken-by-us')
    expect(await restore('--region', 'us', '--data', taken, '--from-region', 'eu')).toMatchObject({ code: 0 })
    expect(await run(undefined, ['serve', '--region', 'eu', '--data', taken, '--admin-port', '0'])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('STORE_FOREIGN'),
    })
    expect(await restore('--region', 'eu', '--data', eu.data)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('exists already'),
    })
    expect(await restore('--region', 'eu', '--data', ':memory:')).toMatchObject({ code: 2 })
    expect(await restore('--data', data)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('region is not set'),
    })
    expect(await restore('--region', 'eu', '--data', data, '--json')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('"rows"'),
    })
    await client.close()
  })
})

describe('[BACKUP-3] sojourn restore', () => {
  it('brings no ended session back: no client is let in before every peer has reported what ended', async () => {
    await using servers = await openServers(['eu', 'us', 'ap'], { options: { flags: { readyPeerWait: '1ms' } } })
    const eu = servers.get('eu')
    const client = await clientOf(servers.get('us'))
    const [kept, ended] = [await client.create({ n: 1 }), await client.create({ n: 1 })]
    await servers.settled()
    const file = join(directory, 'before')
    await json(eu, ['backup', file])
    // Ended in ap alone, so far.
    await servers.settled()
    await client.end(ended.id)
    await servers.settled()
    const added = await client.create({ late: true })
    await servers.settled()

    await servers.stop('eu')
    await rm(servers.data('eu'), { recursive: true })
    const restored = await run(undefined, ['restore', file, '--region', 'eu', '--data', servers.data('eu')])
    expect(restored).toMatchObject({ code: 0, stderr: '' })
    // With ap away it is not known what ended there.
    servers.link('ap').cut()
    await servers.stop('ap')
    const again = await servers.start('eu')
    await until(() => again.status().reasons.join().includes('ap'), 'eu to wait for ap')
    await until(() => again.status().replica.links.us!.toReceive === 0, 'eu to have caught up with us')
    expect(again.status()).toMatchObject({
      ready: false,
      reasons: ['restored from a backup, and "ap" has not reported what ended since'],
    })
    expect(again.status().listeners.clients).toBeUndefined()
    expect(existsSync(join(servers.data('eu'), 'restored.json'))).toBe(true)
    // The note is kept until then.
    await servers.stop('eu')
    const third = await servers.start('eu')
    expect(third.status().ready).toBe(false)

    servers.link('ap').heal()
    await servers.start('ap')
    await until(() => third.status().listeners.clients, 'clients to be let in')
    const home = await clientOf(third)
    expect(await home.get(ended.id)).toBeUndefined()
    expect((await home.get(kept.id))!.data).toEqual({ n: 1 })
    expect(await home.get(added.id)).toBeDefined()
    expect(existsSync(join(servers.data('eu'), 'restored.json'))).toBe(false)
    await servers.settled()
    const urls = (['eu', 'us', 'ap'] as const).flatMap((name) => ['--admin', servers.get(name).url('admin')])
    expect((await run(undefined, ['verify', ...urls])).code).toBe(0)
    await home.close()
    await client.close()
  })

  it('serves at once where a setting with a frightening name says so', async () => {
    await using servers = await openServers(['eu', 'us'])
    const client = await clientOf(servers.get('eu'))
    const { id } = await client.create({ n: 1 })
    await client.close()
    const file = join(directory, 'alone')
    await json(servers.get('eu'), ['backup', file])
    await servers.stop('eu')
    await servers.stop('us')
    await rm(servers.data('eu'), { recursive: true })
    await run(undefined, ['restore', file, '--region', 'eu', '--data', servers.data('eu')])
    const eu = await servers.start('eu', { flags: { restoredDangerouslyServeAtOnce: 'true', readyPeerWait: '1ms' } })
    await until(() => eu.status().listeners.clients, 'clients to be let in')
    const again = await clientOf(eu)
    expect(await again.get(id)).toBeDefined()
    await again.close()
  })
})
