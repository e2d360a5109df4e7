/** The keys of the identity listener: files that change, files that others may read, and a provider's address. */
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect as dial } from 'node:net'
import { isSojournError } from '@sojourn/core/internal'
import { describe, expect, it, onTestFinished } from 'vitest'
import { RemoteKeys } from '../../packages/server/src/identity/remote-keys.js'
import { ask, keyDirectory, OWN_KEY, openApp, startIdentity } from '../support/identity.js'
import { CLIENT_ID, jwksOf, logoutClaims, logoutToken, PROVIDER, publicJwk } from '../support/logouts.js'
import { steppedClock } from '../support/region.js'
import { type Flags, type Server, startServer, TOKENS } from '../support/servers.js'
import { sojourn } from '../support/sojourn-process.js'
import { AUDIENCE, ISSUER, newKey } from '../support/tokens.js'
import { until } from '../support/until.js'

const provider = newKey('login-1', 'RS256')
const next = newKey('2026-12')
const privateJwk = ({ privateKey, kid, alg }: typeof OWN_KEY) => ({ ...privateKey.export({ format: 'jwk' }), kid, alg })

const logout = async (server: Server, key = provider, more: object = {}) =>
  ask(
    server,
    '/backchannel-logout',
    { logout_token: await logoutToken(key, logoutClaims(Date.now(), { ...more })) },
    { token: null },
  )
const active = async (server: Server, token: string) =>
  ((await ask(server, '/introspect', { token })).body as { active: boolean }).active

/** Something that answers as a provider, and how often it was asked. */
const publish = async (answer: RequestListener) => {
  let asked = 0
  const server = createServer((request, response) => {
    asked++
    answer(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close().closeAllConnections())
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`,
    get asked() {
      return asked
    },
  }
}

describe('[OAUTH-7] keys from files', () => {
  it('are read anew as they change; what is wrong with a file is logged, and what was goes on', async () => {
    await using server = await startIdentity((keys) => ({
      'identity.logout.issuer': PROVIDER,
      'identity.logout.audience': CLIENT_ID,
      'identity.logout.keysFile': keys.write('provider.json', jwksOf(provider)),
    }))
    await using app = await openApp(server)
    await using changed = await openApp(server, next)
    const [old, fresh] = [await app.login(), await changed.login()]
    expect([await active(server, old.jwt), await active(server, fresh.jwt)]).toEqual([true, false])
    server.keys.write('own.json', jwksOf(OWN_KEY, next))
    server.reload()
    expect([await active(server, old.jwt), await active(server, fresh.jwt)]).toEqual([true, true])
    server.keys.write('own.json', jwksOf(next))
    server.reload()
    expect([await active(server, old.jwt), await active(server, fresh.jwt)]).toEqual([false, true])
    const { body } = await ask(server, '/.well-known/jwks.json', undefined)
    expect((body as { keys: { kid: string }[] }).keys.map(({ kid }) => kid)).toEqual(['2026-12'])

    const marker = 'marker-of-a-key'
    for (const wrong of [marker, { keys: [{ kty: marker, kid: 'k', alg: 'EdDSA' }] }, { keys: [] }]) {
      server.keys.write('own.json', wrong)
      server.reload()
      expect(await active(server, fresh.jwt)).toBe(true)
    }
    const other = newKey('login-2', 'ES256')
    expect((await logout(server, other)).status).toBe(400)
    server.keys.write('own.json', jwksOf(next))
    server.keys.write('provider.json', jwksOf(other))
    server.reload()
    expect((await logout(server, other)).status).toBe(200)
    expect((await logout(server)).status).toBe(400)
    const log = server.log.join('\n')
    expect(log.match(/keys reloaded/g)).toHaveLength(3)
    expect(log.match(/"file":"identity.keysFile","why"/g)).toHaveLength(3)
    expect(log).not.toContain(marker)
    const metrics = await (await server.ask('/metrics')).text()
    expect(metrics).toMatch(/reloads_total\{file="identity.keysFile",outcome="INVALID_OPTION",region="eu"\} 3/)
  })

  it('with a private key are for their owner alone, and its private half stays there', async () => {
    using keys = keyDirectory()
    const flags = { 'identity.port': '0', 'identity.issuer': ISSUER, 'identity.audience': AUDIENCE }
    const start = (keysFile: string, more: Flags = {}) =>
      startServer('eu', ':memory:', { flags: { ...flags, 'identity.keysFile': keysFile, ...more } })
    const pair = { keys: [privateJwk(OWN_KEY)] }
    for (const mode of [0o640, 0o604, 0o644, 0o620])
      await expect(start(keys.write('shared.json', pair, mode)), mode.toString(8)).rejects.toThrow(
        /identity\.keysFile is "[^"]+", which holds a private key, and others may read it; run chmod 600/,
      )
    const server = await start(keys.write('own.json', pair, 0o600))
    const { body } = await ask(server, '/.well-known/jwks.json', undefined)
    expect(JSON.stringify(body)).not.toContain(pair.keys[0]!.d)
    await server.stop()
    const open = await start(keys.write('public.json', jwksOf(OWN_KEY), 0o644))
    await open.stop()
  })

  it('that cannot be used are refused at once, and by `config check`, without what is in them', async () => {
    using keys = keyDirectory()
    const marker = 'marker-of-a-key'
    const file = (content: unknown) => keys.write('keys.json', content)
    const own = (content: unknown): Flags => ({
      'identity.port': '0',
      'identity.issuer': ISSUER,
      'identity.audience': AUDIENCE,
      'identity.keysFile': file(content),
    })
    const logouts = (content: unknown): Flags => ({
      'identity.port': '0',
      'identity.logout.issuer': PROVIDER,
      'identity.logout.audience': CLIENT_ID,
      'identity.logout.keysFile': file(content),
    })
    const jwk = publicJwk(OWN_KEY)
    const wrong: [flags: () => Flags, why: RegExp][] = [
      [() => own(marker), /is no JSON Web Key Set/],
      [() => own({ keys: [marker] }), /is no JSON Web Key Set/],
      [() => own({ keys: [{ ...jwk, kid: undefined }] }), /key 1 has no kid, or no alg/],
      [() => own({ keys: [{ ...jwk, alg: undefined }] }), /key 1 has no kid, or no alg/],
      [() => own({ keys: [{ ...jwk, alg: 'HS256' }] }), /is no algorithm for tokens/],
      [() => own({ keys: [{ ...jwk, alg: 'RS256' }] }), /does not fit RS256/],
      [() => own({ keys: [{ kty: 'oct', k: marker, kid: 'k', alg: 'EdDSA' }] }), /cannot be read/],
      [() => own({ keys: [jwk, jwk] }), /is that of another key/],
      [() => own({ keys: [{ ...jwk, x: 'x'.repeat(70_000) }] }), /holds more than 65536 bytes/],
      [() => ({ ...own(jwksOf(OWN_KEY)), 'identity.keysFile': '/nowhere' }), /cannot be read \(ENOENT\)/],
      [() => logouts({ keys: [privateJwk(provider)] }), /is a private or secret key/],
      [() => logouts({ keys: {} }), /is no JSON Web Key Set/],
    ]
    for (const [flags, why] of wrong) {
      const given = flags()
      const error = await startServer('eu', ':memory:', { flags: given }).catch((thrown: unknown) => thrown)
      expect(isSojournError(error, 'INVALID_OPTION'), String(why)).toBe(true)
      expect(String(error)).toMatch(why)
      expect(String(error)).toMatch(/identity\.(logout\.)?keysFile/)
      expect(String(error)).not.toContain(marker)
    }
    const env = { SOJOURN_TOKENS: `a:read:${TOKENS.read}`, SOJOURN_IDENTITY_PORT: '0', SOJOURN_IDENTITY_ISSUER: ISSUER }
    const files = { SOJOURN_IDENTITY_AUDIENCE: AUDIENCE, SOJOURN_IDENTITY_KEYS_FILE: file({ keys: [marker] }) }
    const checked = await sojourn(['config', 'check', '--region', 'eu'], { ...env, ...files })
    expect(checked).toMatchObject({ code: 2, stderr: expect.stringContaining('identity.keysFile') })
    expect(checked.stderr).not.toContain(marker)
  })

  it('and settings that do not go together are refused', async () => {
    using keys = keyDirectory()
    const keysFile = keys.write('keys.json', jwksOf(OWN_KEY))
    const whole = { 'identity.issuer': ISSUER, 'identity.audience': AUDIENCE, 'identity.keysFile': keysFile }
    const logoutWhole = {
      'identity.logout.issuer': PROVIDER,
      'identity.logout.audience': CLIENT_ID,
      'identity.logout.keysFile': keysFile,
    }
    const port = { 'identity.port': '0' }
    const wrong: [flags: Flags, why: RegExp][] = [
      [{ ...port, 'identity.issuer': ISSUER }, /identity\.audience is not set; give all of identity\.issuer, /],
      [{ ...port, 'identity.keysFile': keysFile }, /identity\.issuer is not set/],
      [whole, /identity\.port is not set, so nobody could ask/],
      [logoutWhole, /identity\.port is not set, so nobody could ask/],
      [{ ...port, ...logoutWhole, 'identity.logout.keysUrl': 'https://x.example' }, /are both set; give one of them/],
      [{ ...port, 'identity.logout.keysUrl': 'https://x.example' }, /identity\.logout\.issuer is not set/],
      [{ ...port, 'identity.logout.keysUrl': 'http://x.example' }, /give an https:\/\/ address/],
      [{ ...port, 'identity.logout.keysUrl': 'https://u:p@x.example' }, /give an https:\/\/ address/],
      [{ ...port, 'identity.logout.algorithms': 'RS256,none' }, /identity\.logout\.algorithms/],
      [{ ...port, 'identity.logout.algorithms': 'HS256' }, /identity\.logout\.algorithms/],
      [{ ...port, 'identity.tls.certFile': keysFile }, /identity\.tls has certFile only/],
    ]
    for (const [flags, why] of wrong)
      await expect(startServer('eu', ':memory:', { flags }), String(why)).rejects.toThrow(why)
    const none = startServer('eu', ':memory:', { flags: port, env: { SOJOURN_TOKENS: '' } })
    await expect(none).rejects.toThrow(/tokens is not set, but identity\.port is/)
  })
})

describe('[OAUTH-7] keys from the address of a provider', () => {
  const urlFlags = (url: string): Flags => ({
    'identity.logout.issuer': PROVIDER,
    'identity.logout.audience': CLIENT_ID,
    'identity.logout.keysUrl': url,
  })

  it('are asked for when the first token comes, and not again for each', async () => {
    const site = await publish((_, response) => response.end(JSON.stringify(jwksOf(provider))))
    await using server = await startIdentity(urlFlags(site.url))
    expect(site.asked).toBe(0)
    const answers = await Promise.all(Array.from({ length: 5 }, () => logout(server)))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
    // Whoever sends tokens with names of keys cannot have the provider asked.
    for (let at = 0; at < 5; at++) expect((await logout(server, newKey(`k${at}`))).status).toBe(400)
    expect(site.asked).toBe(1)
  })

  it('that cannot be had make the provider send its token again, and are logged', async () => {
    const site = await publish((_, response) => response.writeHead(500).end('marker of an error'))
    await using server = await startIdentity(urlFlags(site.url))
    const { status, headers, body } = await logout(server)
    expect([status, headers.get('retry-after')]).toEqual([503, '1'])
    expect(body).toMatchObject({ error: 'temporarily_unavailable' })
    expect(server.log.join('\n')).toContain('keys of the issuer cannot be had')
    expect(server.log.join('\n')).not.toContain('marker of an error')
    const metrics = await (await server.ask('/metrics')).text()
    expect(metrics).toMatch(/reloads_total\{file="identity.logout.keysUrl",outcome="UNAVAILABLE",region="eu"\} 1/)
  })

  const remote = (url: string, more: Partial<ConstructorParameters<typeof RemoteKeys>[0]> = {}) => {
    const clock = steppedClock()
    const failures: unknown[] = []
    const keys = new RemoteKeys({
      url: new URL(url),
      option: 'identity.logout.keysUrl',
      clock,
      maxBytes: 2_000,
      timeoutMs: 5_000,
      asked: (error) => error !== undefined && failures.push((error as { code: string }).code),
      ...more,
    })
    return { clock, failures, get: (fresh = false) => keys.get({ fresh }) }
  }
  const MINUTE_MS = 60_000

  it('are asked for anew where they are old, or one is not among them, and go on where there are none', async () => {
    let answer: unknown = jwksOf(provider)
    const site = await publish((_, response) =>
      response.end(typeof answer === 'string' ? answer : JSON.stringify(answer)),
    )
    const { clock, failures, get } = remote(site.url)
    const first = await get()
    expect(await get(true)).toBe(first)
    expect(site.asked).toBe(1)
    clock.advance(11_000)
    expect([await get(), site.asked]).toEqual([first, 1])
    // The same text is the same set.
    expect(await get(true)).toBe(first)
    expect(site.asked).toBe(2)
    answer = jwksOf(provider, next)
    clock.advance(10 * MINUTE_MS)
    const second = await get()
    expect(second.keys).toHaveLength(2)
    for (const wrong of ['not JSON', { keys: 'x' }, { keys: [privateJwk(provider)] }, 'x'.repeat(3_000)]) {
      answer = wrong
      clock.advance(10 * MINUTE_MS)
      expect(await get()).toBe(second)
    }
    expect(failures).toEqual(['FRAME_INVALID', 'INVALID_OPTION', 'INVALID_OPTION', 'FRAME_TOO_LARGE'])
    clock.advance(24 * 60 * MINUTE_MS)
    await expect(get()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  it('do not come from elsewhere, and not slowly', async () => {
    const elsewhere = await publish((_, response) => response.end(JSON.stringify(jwksOf(provider))))
    const site = await publish((_, response) => response.writeHead(302, { location: elsewhere.url }).end())
    await expect(remote(site.url).get()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(elsewhere.asked).toBe(0)
    for (const hasHead of [true, false]) {
      const slow = await publish((_, response) => hasHead && response.write('{'))
      const late: (() => void)[] = []
      const after = (_: number, call: () => void) => {
        late.push(call)
        return { cancel: () => {}, hold: () => {}, release: () => {} }
      }
      const { failures, get } = remote(slow.url, { clock: { ...steppedClock(), after } })
      const waiting = get().catch((error: unknown) => error)
      await until(() => slow.asked === 1, 'the question')
      for (const call of late) call()
      expect(await waiting).toMatchObject({ code: 'UNAVAILABLE' })
      expect(failures).toEqual(['TIMEOUT'])
    }
    const { failures, get } = remote('http://127.0.0.1:9/')
    await expect(get()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(failures).toEqual(['UNAVAILABLE'])
  })
})

it('[OAUTH-7] no token, id, subject or key is in logs, metrics or status', async () => {
  const log = { 'log.level': 'trace' }
  await using server = await startIdentity((keys) => ({
    ...log,
    'identity.logout.issuer': PROVIDER,
    'identity.logout.audience': CLIENT_ID,
    'identity.logout.keysFile': keys.write('provider.json', jwksOf(provider)),
  }))
  await using app = await openApp(server)
  const marker = 'marker-of-a-subject'
  const [one, two] = [await app.login(marker), await app.login(marker)]
  for (const token of [one.jwt, one.session.id, `${one.jwt}x`, marker]) {
    await ask(server, '/introspect', { token })
    await ask(server, '/revoke', { token })
  }
  await logout(server, provider, { sub: marker, jti: 'marker-of-a-jti' })
  await logout(server, provider, { sub: marker, jti: 'marker-of-a-jti' })
  await logout(server, newKey('marker-of-a-kid'), { sub: marker })
  const metrics = await (await server.ask('/metrics')).text()
  const said = [server.log.join('\n'), metrics, JSON.stringify(server.status())].join('\n')
  const secrets = [one, two].flatMap(({ session, jwt }) => [session.id, session.handle, jwt, jwt.split('.')[2]!])
  for (const secret of [...secrets, 'marker-of', provider.privateKey.export({ format: 'jwk' }).n!])
    expect(said).not.toContain(secret)
})

it('[SRV-2] a stop answers what is in flight on the identity listener', async () => {
  const server = await startServer('eu', ':memory:', { flags: { 'identity.port': '0' } })
  const url = server.url('identity')
  const socket = dial(Number(new URL(url).port), '127.0.0.1')
  let heard = ''
  socket.on('data', (chunk) => {
    heard += String(chunk)
  })
  const closed = new Promise((resolve) => socket.on('close', resolve))
  const head = ['POST /introspect HTTP/1.1', 'Host: x', `Authorization: Bearer ${TOKENS.read}`, 'Content-Length: 7']
  const form = ['Content-Type: application/x-www-form-urlencoded', 'Expect: 100-continue']
  socket.write(`${[...head, ...form].join('\r\n')}\r\n\r\n`)
  await until(() => heard.includes('100 Continue'), 'the request to be taken')
  const stopped = server.stop()
  const isOpen = () =>
    new Promise<boolean>((resolve) => {
      const other = dial(Number(new URL(url).port), '127.0.0.1')
      other.on('connect', () => resolve(!other.destroy()))
      other.on('error', () => resolve(false))
    })
  await until(async () => !(await isOpen()), 'nobody to be let in any more')
  socket.write('token=x')
  await closed
  expect(heard).toContain('{"active":false}')
  expect(heard.toLowerCase()).toContain('connection: close')
  expect(await stopped).toBe('done')
})
