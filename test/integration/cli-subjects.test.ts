/** `sojourn sessions` and `sojourn end`, by subject, by handle and of all: what they show, end, print, and keep to themselves. */
import { type Client, connect } from '@sojourn/client'
import { sessionKey } from '@sojourn/core'
import { describe, expect, it } from 'vitest'
import { openServers, type Server, type Servers, startServer, TOKENS } from '../support/servers.js'
import { sojourn } from '../support/sojourn-process.js'
import { until } from '../support/until.js'

/** Not in ASCII, so that a cut through a character is noticed. */
const ADA = 'ada-лавлейс@example.net'
const PLAIN_ADA = 'ada-'
const REGIONS = ['eu', 'us'] as const
type Two = Servers<'eu' | 'us'>

const clientOf = (server: Server) => connect({ url: server.url('clients'), token: TOKENS.admin })
const run = (server: Server, args: readonly string[], input?: string) =>
  sojourn(args, { SOJOURN_TOKEN: TOKENS.admin, SOJOURN_ADMIN_URL: server.url('admin') }, input)
const json = async (server: Server, args: readonly string[], code: number, input?: string) => {
  const ended = await run(server, [...args, '--json'], input)
  expect(ended, args.join(' ')).toMatchObject({ code, stderr: '' })
  return JSON.parse(ended.stdout)
}

const login = (client: Client, subject: string, device: string) =>
  client.create({ cart: device }, { subject, device, auth: { acr: 'aal2', amr: ['pwd', 'otp'] } })
const cut = async (servers: Two) => {
  for (const name of REGIONS) servers.link(name).cut()
  await until(() => servers.get('eu').status().replica.links.us!.state === 'down', 'the link to go')
}
const heal = async (servers: Two) => {
  for (const name of REGIONS) servers.link(name).heal()
  await servers.settled()
}
const HELD = { eu: 'held', us: 'held' }
const PENDING = { eu: 'held', us: 'pending' }

describe('[CLI-9] sojourn sessions', () => {
  it('lists what a subject has, and never an id; the subject is an argument or on standard input', async () => {
    await using servers = await openServers(['eu', 'us'])
    const eu = servers.get('eu')
    const client = await clientOf(eu)
    const phone = await login(client, ADA, 'Phone')
    const laptop = await login(client, ADA, 'Lap\u001b[2Jtop')
    await login(client, 'bob', 'Desk')
    await servers.settled()
    const row = ({ id, createdAt, expiresAt, lastUsedAt, device, auth }: typeof phone) => {
      return { handle: sessionKey(id), device, createdAt, lastUsedAt, expiresAt, auth, region: 'eu' }
    }
    const listed = await json(eu, ['sessions', '--subject', ADA], 0)
    expect(listed).toEqual({ sessions: [row(phone), row(laptop)] })
    expect(listed.sessions[0].auth).toMatchObject({ acr: 'aal2', amr: ['pwd', 'otp'] })
    // The same where it was not made, and however the subject is given.
    for (const [args, input] of [
      [['sessions', '--subject'], ADA],
      [['sessions', '--subject', '-'], `${ADA}\r\nbob\n`],
      [['sessions', '--subject=-'], `${ADA}\n`],
    ] as const)
      expect(await json(servers.get('us'), args, 0, input), args.join(' ')).toEqual(listed)

    const text = await run(eu, ['sessions', '--subject'], ADA)
    expect(text).toMatchObject({ code: 0, stderr: '' })
    const [head, ...lines] = text.stdout.trim().split('\n')
    expect(head!.split(/ {2,}/)).toEqual(['HANDLE', 'DEVICE', 'CREATED', 'LAST USED', 'EXPIRES', 'LOGIN', 'REGION'])
    expect(lines).toHaveLength(2)
    const at = (ms: number) => `${new Date(ms).toISOString().slice(0, 19)}Z`
    expect(lines[0]!.split(/ {2,}/)).toEqual([
      sessionKey(phone.id),
      'Phone',
      at(phone.createdAt),
      at(phone.lastUsedAt),
      at(phone.expiresAt),
      `${at(phone.auth!.time)} pwd+otp (aal2)`,
      'eu',
    ])
    // What a browser says of itself draws nothing on the operator's terminal.
    expect(lines[1]).toContain('Lap?[2Jtop')
    for (const { id } of [phone, laptop]) expect(text.stdout).not.toContain(id)
    await client.close()
  })

  it('ends with 1 where there is none, and with 2 where no subject is given', async () => {
    await using servers = await openServers(['eu'])
    const eu = servers.get('eu')
    expect(await json(eu, ['sessions', '--subject'], 1, 'nobody')).toEqual({ sessions: [] })
    const none = { code: 1, stdout: 'no live session has this subject\n', stderr: '' }
    expect(await run(eu, ['sessions', '--subject', 'nobody'])).toEqual(none)
    const cases: [args: string[], input: string, says: string][] = [
      [['sessions'], ADA, '--subject is not given'],
      [['sessions', '--subject'], '', 'holds no subject in its first line'],
      [['sessions', '--subject'], `\n${ADA}`, 'holds no subject in its first line'],
      [['sessions', '--subject'], PLAIN_ADA.repeat(65), 'holds no subject in its first line'],
      [['sessions', '--subject', PLAIN_ADA.repeat(65)], '', 'subject: give a string of 1 to 256 characters'],
    ]
    for (const [args, input, says] of cases) {
      const { code, stdout, stderr } = await run(eu, args, input)
      expect({ code, stdout }, says).toEqual({ code: 2, stdout: '' })
      expect(stderr).toContain(says)
      expect(stderr).not.toContain(PLAIN_ADA)
    }
  })

  it('finds subjects under the key of subjects, and says so where there is none', async () => {
    const [key, other] = ['a-key-of-subjects-of-the-tests', 'another-key-of-subjects-of-them']
    const env = { SOJOURN_SUBJECT_KEY: key }
    await using servers = await openServers(['eu'], { options: { env, flags: { 'log.level': 'trace' } } })
    const client = await clientOf(servers.get('eu'))
    await login(client, ADA, 'Phone')
    await client.close()
    const restarted = async (env: NodeJS.ProcessEnv) => {
      const { log } = servers.get('eu')
      await servers.stop('eu')
      expect(log.join('\n')).not.toContain(key)
      await servers.start('eu', { env })
      return servers.get('eu')
    }
    expect(await json(await restarted({ SOJOURN_SUBJECT_KEY: other }), ['sessions', '--subject'], 1, ADA)).toEqual({
      sessions: [],
    })
    expect((await json(await restarted(env), ['sessions', '--subject'], 0, ADA)).sessions).toHaveLength(1)
    const none = await startServer('alone', ':memory:', { env: { SOJOURN_SECRET: '' } })
    for (const command of ['sessions', 'end'])
      expect(await run(none, [command, '--subject'], ADA)).toEqual({
        code: 2,
        stdout: '',
        stderr: expect.stringContaining('the replica has no key for subjects'),
      })
    await none.stop()
  })

  it('shows whose a session is to who has its id', async () => {
    await using servers = await openServers(['eu'])
    const client = await clientOf(servers.get('eu'))
    const { id, handle } = await login(client, ADA, 'Phone')
    expect(await json(servers.get('eu'), ['get', '-'], 0, id)).toMatchObject({ handle, subject: ADA, device: 'Phone' })
    const { stdout } = await run(servers.get('eu'), ['get', '-'], id)
    expect(stdout).toMatch(
      new RegExp(`^handle +${handle}\nsubject +${ADA}\ndevice +Phone\nlogin +\\S+Z pwd\\+otp \\(aal2\\)\n`),
    )
    await client.close()
  })
})

describe('[CLI-9] sojourn end', () => {
  it('ends the sessions of a subject; the receipt names the region that does not hold it yet', async () => {
    await using servers = await openServers(['eu', 'us'])
    const [eu, us] = REGIONS.map((name) => servers.get(name)) as [Server, Server]
    const [here, there] = [await clientOf(eu), await clientOf(us)]
    const phone = await login(here, ADA, 'Phone')
    const laptop = await login(here, ADA, 'Laptop')
    const bob = await login(here, 'bob', 'Desk')
    await servers.settled()

    const except = ['--except', phone.handle]
    expect(await json(eu, ['end', '--subject', ...except], 0, ADA)).toEqual({ ended: 1, regions: HELD })
    expect(await there.get(laptop.id)).toBeUndefined()
    expect(await there.get(phone.id)).toBeDefined()

    await cut(servers)
    // What us makes while it is away has not arrived when it ends.
    const tablet = await login(there, ADA, 'Tablet')
    expect(await json(eu, ['end', '--subject'], 1, ADA)).toEqual({ ended: 1, regions: PENDING })
    const again = await run(eu, ['end', '--subject', '-', '--reason', 'logout'], ADA)
    expect(again).toEqual({
      code: 1,
      stderr: '',
      stdout: 'ended    0\nheld by  eu\npending  us: they get it as soon as they are linked\n',
    })
    expect(await there.get(phone.id)).toBeDefined()
    const unmet = await run(eu, ['end', '--subject', '--write', 'all'], ADA)
    expect(unmet).toMatchObject({ code: 5, stdout: '', stderr: expect.stringContaining('QUORUM_UNMET') })

    await heal(servers)
    await until(async () => (await there.get(phone.id)) === undefined, 'the end to arrive')
    await until(async () => (await there.get(tablet.id)) === undefined, 'what had not arrived to end')
    expect(await there.get(bob.id)).toBeDefined()
    expect(await run(eu, ['end', '--subject'], ADA)).toEqual({
      code: 0,
      stderr: '',
      stdout: 'ended    0\nheld by  eu, us\n',
    })
    // A login after it lives.
    const next = await login(here, ADA, 'Phone')
    expect(await here.get(next.id)).toBeDefined()
    await Promise.all([here.close(), there.close()])
  })

  it('ends the session of a handle, and no other', async () => {
    await using servers = await openServers(['eu', 'us'])
    const eu = servers.get('eu')
    const client = await clientOf(eu)
    const phone = await login(client, ADA, 'Phone')
    const laptop = await login(client, ADA, 'Laptop')
    await servers.settled()
    expect(await json(eu, ['end', '--handle', phone.handle], 0)).toEqual({ ended: 1, regions: HELD })
    expect(await client.get(phone.id)).toBeUndefined()
    expect(await client.get(laptop.id)).toBeDefined()
    // It is over already: the answer is no.
    expect(await json(eu, ['end', '--handle', phone.handle], 1)).toMatchObject({ ended: 0 })
    await client.close()
  })

  it('ends all, here and where it arrives', async () => {
    await using servers = await openServers(['eu', 'us'])
    const eu = servers.get('eu')
    const client = await clientOf(eu)
    await Promise.all(Array.from({ length: 300 }, (_, n) => client.create({ n }, n % 2 ? { subject: ADA } : {})))
    await servers.settled()
    expect(await json(eu, ['end', '--all', '--quiet'], 0)).toEqual({ ended: 300, regions: HELD })
    expect(servers.get('us').status().replica.sessions).toBe(0)
    await client.create({})
    await servers.settled()
    await cut(servers)
    expect(await json(eu, ['end', '--all'], 1)).toEqual({ ended: 1, regions: PENDING })
    await client.close()
  })

  it('takes one of id, subject, handle and all, and repeats none of them where it is wrong', async () => {
    await using servers = await openServers(['eu'])
    const eu = servers.get('eu')
    const handle = 'a'.repeat(32)
    const id = `${'i'.repeat(22)}.${'s'.repeat(22)}`
    const one = 'give one of <id>, --subject, --handle, --all'
    const cases: [args: string[], says: string][] = [
      [[], one],
      [[id, '--all'], one],
      [['--all', '--handle', handle], one],
      [['--subject', ADA, '--handle', handle], one],
      [['--all', '--except', handle], '--except needs --subject'],
      [['--handle', id], '--handle: give a handle of 32 lower-case hex digits'],
      [['--subject', ADA, '--except', `${handle},${id}`], '--except: give a handle of 32 lower-case hex digits'],
      [['--all', '--reason', 'x'], '--reason is "x"; give one of logout'],
      [['--all', '--write', 'most'], '--write is "most"'],
    ]
    for (const [args, says] of cases) {
      const { code, stdout, stderr } = await run(eu, ['end', ...args], 'x')
      expect({ code, stdout }, says).toEqual({ code: 2, stdout: '' })
      expect(stderr).toContain(says)
      for (const text of [ADA, id]) expect(stderr).not.toContain(text)
    }
    expect(eu.status().calls.requests).toBe(0)
  })
})

describe('[ADM-7] the sessions of a subject over the admin API', () => {
  const bodies: [path: string, body: unknown][] = [
    ['/sessions', { subject: ADA }],
    ['/end', { call: 'subject', subject: ADA, except: ['b'.repeat(32)] }],
    ['/end', { call: 'handle', handle: 'c'.repeat(32) }],
    ['/end-all', {}],
  ]

  it('are for tokens with the scope admin', async () => {
    await using servers = await openServers(['eu'])
    const eu = servers.get('eu')
    for (const [path, body] of bodies) {
      expect((await eu.ask(path, { body })).status, path).toBe(401)
      for (const token of [TOKENS.read, TOKENS.write]) expect((await eu.ask(path, { body, token })).status).toBe(403)
      expect((await eu.ask(path, { body, token: TOKENS.admin })).status, path).toBe(200)
      expect((await eu.ask(`${path}?subject=${ADA}`, { token: TOKENS.admin })).status, path).toBe(404)
    }
  })

  it('leave the subject in no log, metric or status, whatever becomes of the call', async () => {
    await using servers = await openServers(['eu', 'us'], { options: { flags: { 'log.level': 'trace' } } })
    const eu = servers.get('eu')
    const client = await clientOf(eu)
    const { id, handle } = await login(client, ADA, 'Phone')
    await client.elevate(id, { subject: ADA, device: 'Phone' })
    await login(client, ADA, 'Laptop')
    await servers.settled()
    for (const [args, input] of [
      [['sessions', '--subject'], ADA],
      [['sessions', '--subject', ADA]],
      [['end', '--subject', '--except', handle], ADA],
      [['end', '--subject', ADA, '--write', '9'], ''],
      [['end', '--subject', '--write', 'all'], ADA],
    ] as [string[], string?][]) {
      const { stdout, stderr } = await run(eu, args, input)
      expect(`${stdout}${stderr}`, args.join(' ')).not.toContain(PLAIN_ADA)
    }
    const token = TOKENS.admin
    const wrong: unknown[] = [
      { subject: [ADA] },
      { subject: ADA, [ADA]: 1 },
      { subject: `${ADA}${'x'.repeat(256)}` },
      { call: ADA, subject: ADA },
      { call: 'subject', subject: ADA, except: [ADA] },
      { call: 'subject', subject: ADA, except: Array.from({ length: 257 }, () => handle) },
      { call: 'subject', subject: ADA, reason: ADA },
      { call: 'handle', handle: ADA },
      `{"subject":"${ADA}"`,
    ]
    for (const path of ['/sessions', '/end', '/end-all'])
      for (const body of wrong) {
        const answer = await eu.ask(path, { token, body })
        expect(answer.status, JSON.stringify(body)).toBe(400)
        expect(await answer.text()).not.toContain(PLAIN_ADA)
      }
    const long = { subject: ADA.repeat(5_000) }
    expect((await eu.ask('/sessions', { token, body: long })).status).toBe(413)
    for (const name of REGIONS) {
      const server = servers.get(name)
      expect(server.log.length).toBeGreaterThan(0)
      expect(server.log.join('\n')).not.toContain(PLAIN_ADA)
      expect(await (await server.ask('/metrics')).text()).not.toContain(PLAIN_ADA)
      expect(await (await server.ask('/status')).text()).not.toContain(PLAIN_ADA)
    }
    await client.close()
  })

  it('say in lines how many are left, and in the last one what became of it', async () => {
    await using servers = await openServers(['eu', 'us'], { options: { flags: { 'consistency.timeout': '3s' } } })
    const eu = servers.get('eu')
    const client = await clientOf(eu)
    const endAll = async () => {
      await client.create({})
      await servers.settled()
      await cut(servers)
      return eu.ask('/end-all', { token: TOKENS.admin, body: { write: 'all' } })
    }
    const linesOf = async (answer: Response, first: () => void = () => {}) => {
      expect(answer.headers.get('content-type')).toBe('application/x-ndjson')
      let text = ''
      for await (const chunk of answer.body!) {
        if (text === '') first()
        text += Buffer.from(chunk).toString()
      }
      return text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
    }
    // A region that is away makes it wait; when it is back, all is well.
    const healed = await linesOf(await endAll(), () => void heal(servers))
    expect(healed.length).toBeGreaterThan(1)
    expect(healed[0]).toEqual({ left: 0 })
    expect(healed.at(-1)).toEqual({ ended: 1, regions: HELD })
    // One that stays away is reported as the last line, with the code; the command reports it, too.
    const failed = await linesOf(await endAll())
    expect(failed[0]).toEqual({ left: 0 })
    expect(failed.at(-1)).toMatchObject({ error: { code: 'QUORUM_UNMET', need: 2, got: 1 } })
    await heal(servers)
    await client.create({})
    await servers.settled()
    await cut(servers)
    expect(await run(eu, ['end', '--all', '--write', 'all'])).toMatchObject({
      code: 5,
      stdout: '',
      stderr: expect.stringContaining('QUORUM_UNMET'),
    })
    // Before the first line it is an answer as any other.
    await client.create({})
    const refused = await eu.ask('/end-all', { token: TOKENS.admin, body: { write: 3 } })
    expect(refused.status).toBe(400)
    await client.close()
  })
})
