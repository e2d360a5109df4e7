/** What an OpenID provider says to the identity listener over real sockets: who has logged out there. */
import { createSecretKey } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  ask,
  type IdentityServer,
  identityFlags,
  keyDirectory,
  OWN_KEY,
  openApp,
  startIdentity,
} from '../support/identity.js'
import { CLIENT_ID, jwksOf, logoutClaims, logoutToken, PROVIDER, publicJwk } from '../support/logouts.js'
import { type Flags, openServers, type Server } from '../support/servers.js'
import { forge, newKey, partsOf, unsigned } from '../support/tokens.js'
import { until } from '../support/until.js'

const key = newKey('login-1', 'RS256')

const logoutFlags = (keysFile: string): Flags => ({
  'identity.logout.issuer': PROVIDER,
  'identity.logout.audience': CLIENT_ID,
  'identity.logout.keysFile': keysFile,
})
const start = (): Promise<IdentityServer> =>
  startIdentity((keys) => logoutFlags(keys.write('provider.json', jwksOf(key), 0o644)))

const sign = (more: object = {}, header: object = {}) =>
  logoutToken(key, logoutClaims(Date.now(), { ...more }), { ...header })
/** A provider has no token of the server. */
const logout = (server: Server, token: string) =>
  ask(server, '/backchannel-logout', { logout_token: token }, { token: null })
const DONE = { status: 200, body: '' }
const outcomes = async (server: Server) =>
  new Map(
    [
      ...(await (await server.ask('/metrics')).text()).matchAll(
        /endpoint="logout",outcome="([\w-]+)",region="eu"\} (\d+)/g,
      ),
    ].map(([, outcome, count]) => [outcome, Number(count)]),
  )

describe('[OAUTH-4] a logout token', () => {
  it('of a subject ends all of its sessions, and their JWTs', async () => {
    await using server = await start()
    await using app = await openApp(server)
    const [one, two, other] = [await app.login(), await app.login(), await app.login('bob')]
    const answer = await logout(server, await sign({ sub: 'ada' }))
    expect(answer).toMatchObject(DONE)
    expect(answer.headers.get('cache-control')).toBe('no-store')
    for (const { session } of [one, two]) expect(await app.client.get(session.id)).toBeUndefined()
    expect((await ask(server, '/introspect', { token: one.jwt })).body).toEqual({ active: false })
    expect(await app.client.get(other.session.id)).toBeDefined()
    expect(await (await server.ask('/metrics')).text()).toMatch(
      /ended_total\{reason="logout",origin="local",region="eu"\} 2/,
    )
    // Whoever logs in again stays.
    const again = await app.login()
    expect(await app.client.get(again.session.id)).toBeDefined()
  })

  it('whose sid is the handle of a session ends that one', async () => {
    await using server = await start()
    await using app = await openApp(server)
    const [one, two, three] = [await app.login(), await app.login(), await app.login()]
    expect(await logout(server, await sign({ sid: one.session.handle }))).toMatchObject(DONE)
    expect(await logout(server, await sign({ sub: undefined, sid: two.session.handle }))).toMatchObject(DONE)
    expect(await app.client.get(one.session.id)).toBeUndefined()
    expect(await app.client.get(two.session.id)).toBeUndefined()
    expect(await app.client.get(three.session.id)).toBeDefined()
    // It has ended already, which is as good.
    expect(await logout(server, await sign({ sub: undefined, sid: two.session.handle }))).toMatchObject(DONE)
    expect(await app.client.get(three.session.id)).toBeDefined()
    expect(await outcomes(server)).toEqual(
      new Map([
        ['ended', 2],
        ['unknown', 1],
      ]),
    )
  })

  it("whose sid is the provider's own ends all sessions of its subject", async () => {
    await using server = await start()
    await using app = await openApp(server)
    for (const sid of ['08a5019c-17e1-4977-8f42-65a12843ea02', 'a'.repeat(32), 'A'.repeat(32)]) {
      const { session } = await app.login()
      expect(await logout(server, await sign({ sid })), sid).toMatchObject(DONE)
      expect(await app.client.get(session.id), sid).toBeUndefined()
    }
    const { session } = await app.login()
    expect((await logout(server, await sign({ sub: undefined, sid: 'a-session-of-theirs' }))).status).toBe(400)
    expect(await app.client.get(session.id)).toBeDefined()
  })

  it('ends sessions in every region', async () => {
    using keys = keyDirectory()
    const flags = {
      ...identityFlags(keys.write('own.json', jwksOf(OWN_KEY))),
      ...logoutFlags(keys.write('provider.json', jwksOf(key))),
    }
    await using servers = await openServers(['eu', 'us'], { options: { flags } })
    const [eu, us] = [servers.get('eu'), servers.get('us')]
    await using app = await openApp(eu)
    const { jwt } = await app.login()
    const active = async () => ((await ask(us, '/introspect', { token: jwt })).body as { active: boolean }).active
    await until(active, 'the session to arrive')
    expect(await logout(us, await sign())).toMatchObject(DONE)
    expect(await active()).toBe(false)
    await until(async () => (await ask(eu, '/introspect', { token: jwt })).body, 'an answer')
    await until(
      async () => !((await ask(eu, '/introspect', { token: jwt })).body as { active: boolean }).active,
      'the end to arrive',
    )
  })

  it('that is not good is answered with 400, and ends nothing', async () => {
    await using server = await start()
    await using app = await openApp(server)
    const { session, jwt } = await app.login()
    const now = Math.floor(Date.now() / 1_000)
    const claims = logoutClaims(Date.now())
    const secret = createSecretKey(Buffer.from(JSON.stringify(publicJwk(key))))
    const replayed = await sign({ sub: 'nobody' })
    expect(await logout(server, replayed)).toMatchObject(DONE)
    const refused: [token: Promise<string> | string, reason: string][] = [
      ['x', 'malformed'],
      ['x'.repeat(9_000), 'too-long'],
      [unsigned({ alg: 'none', typ: 'logout+jwt' }, claims), 'malformed'],
      [unsigned({ alg: 'none', typ: 'logout+jwt' }, claims, 'AA'), 'algorithm'],
      [forge({ alg: 'HS256' as never, privateKey: key.privateKey }, { kid: key.kid }, claims, secret), 'algorithm'],
      [logoutToken(newKey('login-1', 'RS256'), claims), 'signature'],
      [sign({}, { kid: 'other' }), 'key'],
      [sign({}, { jwk: publicJwk(newKey('x')) }), 'header'],
      [jwt, 'type'],
      [forge(OWN_KEY, { kid: key.kid }, partsOf(jwt)[1]), 'key'],
      [sign({ aud: 'other' }), 'audience'],
      [sign({ iss: 'https://evil.example' }), 'issuer'],
      [sign({ exp: now - 60 }), 'expired'],
      [sign({ iat: now - 3_600 }), 'expired'],
      [sign({ iat: now + 3_600 }), 'not-yet-valid'],
      [sign({ events: undefined }), 'events'],
      [sign({ nonce: 'n' }), 'nonce'],
      [sign({ sub: undefined }), 'claims'],
      [sign({ jti: undefined }), 'claims'],
      [replayed, 'replayed'],
    ]
    for (const [token, reason] of refused) {
      const { status, headers, body } = await logout(server, await token)
      expect([status, headers.get('cache-control')], reason).toEqual([400, 'no-store'])
      expect(body, reason).toEqual({
        error: 'invalid_request',
        error_description: expect.stringMatching(new RegExp(`\\(${reason}\\)$`)),
      })
      expect(JSON.stringify(body)).not.toMatch(/ada|logout-\d|login-1/)
    }
    expect(await app.client.get(session.id)).toBeDefined()
    const counted = await outcomes(server)
    for (const reason of new Set(refused.map(([, each]) => each)))
      expect(counted.get(reason), reason).toBeGreaterThan(0)
    expect((await ask(server, '/backchannel-logout', { token: 'x' }, { token: null })).status).toBe(400)
    expect((await ask(server, '/backchannel-logout', undefined)).status).toBe(405)
  })

  it('may come again where its logout failed', async () => {
    using keys = keyDirectory()
    const flags = {
      ...identityFlags(keys.write('own.json', jwksOf(OWN_KEY))),
      ...logoutFlags(keys.write('provider.json', jwksOf(key))),
      'consistency.write': 'majority',
      'consistency.timeout': '300ms',
    }
    await using servers = await openServers(['eu', 'us'], { options: { flags } })
    const eu = servers.get('eu')
    await servers.stop('us')
    await until(() => eu.status().replica.links.us!.state === 'down', 'us to be gone')
    const token = await sign()
    const failed = await logout(eu, token)
    expect([failed.status, failed.body]).toMatchObject([503, { error: 'temporarily_unavailable' }])
    await servers.start('us')
    await servers.settled()
    expect(await logout(eu, token)).toMatchObject(DONE)
    expect((await logout(eu, token)).status).toBe(400)
  })
})
