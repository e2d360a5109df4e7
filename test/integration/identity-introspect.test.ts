/** What services ask the identity listener over real sockets: keys, introspection and revocation. */
import { readFile } from 'node:fs/promises'
import { connect as dial } from 'node:net'
import { askHttp, readBody } from '@sojourn/net'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { describe, expect, it } from 'vitest'
import { CertificateDirectory } from '../support/certificates.js'
import { type Answer, ask, identityFlags, keyDirectory, OWN_KEY, openApp, startIdentity } from '../support/identity.js'
import { jwksOf } from '../support/logouts.js'
import { openServers, type Server, startServer, TOKENS } from '../support/servers.js'
import { AUDIENCE, forge, ISSUER, newKey, partsOf, unsigned } from '../support/tokens.js'
import { until } from '../support/until.js'

const INACTIVE = { active: false }

const introspect = (server: Server, token: string) => ask(server, '/introspect', { token }, { token: TOKENS.read })
const revoke = (server: Server, token: string) => ask(server, '/revoke', { token })

describe('[OAUTH-1] the identity listener', () => {
  it('is off by default', async () => {
    const server = await startServer('eu', ':memory:')
    expect(server.status().listeners.identity).toBeUndefined()
    await server.stop()
  })

  it('publishes public keys to anybody, to be kept for a while', async () => {
    // As an app has it that signs: the private half is in the file, and stays there.
    const pair = { ...OWN_KEY.privateKey.export({ format: 'jwk' }), kid: OWN_KEY.kid, alg: OWN_KEY.alg }
    await using server = await startIdentity((keys) => ({
      'identity.keysFile': keys.write('own.json', { keys: [pair] }),
    }))
    const { status, headers, body } = await ask(server, '/.well-known/jwks.json', undefined, { token: null })
    expect([status, headers.get('content-type'), headers.get('cache-control')]).toEqual([
      200,
      'application/jwk-set+json',
      'public, max-age=300',
    ])
    expect(body).toEqual({
      keys: [{ crv: 'Ed25519', x: pair.x, kty: 'OKP', kid: '2026-11', alg: 'EdDSA', use: 'sig' }],
    })
    await using app = await openApp(server)
    const { jwt } = await app.login()
    expect((await jwtVerify(jwt, createLocalJWKSet(body as never), { issuer: ISSUER })).payload.sub).toBe('ada')
    const etag = headers.get('etag')!
    for (const known of [etag, `"x", W/${etag}`]) {
      const again = await ask(server, '/.well-known/jwks.json', undefined, { headers: { 'if-none-match': known } })
      expect([again.status, again.body, again.headers.get('etag')]).toEqual([304, '', etag])
    }
    const head = await ask(server, '/.well-known/jwks.json', undefined, { method: 'HEAD' })
    expect([head.status, head.body, head.headers.get('etag')]).toEqual([200, '', etag])
  })

  it('speaks TLS where it has a certificate, and reports when that expires', async () => {
    await using certificates = await CertificateDirectory.open()
    const { certFile, keyFile, caFile } = await certificates.issue('eu')
    await using server = await startIdentity({ 'identity.tls.certFile': certFile, 'identity.tls.keyFile': keyFile })
    const { port } = server.status().listeners.identity!
    const tls = { ca: await readFile(caFile, 'utf8') }
    const request = { method: 'GET', path: '/.well-known/jwks.json', headers: {}, timeoutMs: 5_000, tls }
    const answer = await askHttp(new URL(`https://127.0.0.1:${port}`), request)
    expect([answer.statusCode, JSON.parse(await readBody(answer)).keys.length]).toEqual([200, 1])
    expect(server.status().certificates.identity).toBeGreaterThan(Date.now())
    await expect(askHttp(new URL(`http://127.0.0.1:${port}`), request)).rejects.toThrow()
  })

  it('opens nothing of the admin API, and no endpoint that has no settings', async () => {
    const server = await startServer('eu', ':memory:', { flags: { 'identity.port': '0' } })
    for (const path of ['/status', '/metrics', '/livez', '/session', '/backup', '/.well-known/jwks.json'])
      expect((await ask(server, path, undefined, { token: TOKENS.admin })).status, path).toBe(404)
    for (const path of ['/end-all', '/session', '/backchannel-logout', '/__proto__'])
      expect((await ask(server, path, {}, { token: TOKENS.admin })).status, path).toBe(404)
    const { status, headers } = await ask(server, '/introspect', undefined)
    expect([status, headers.get('allow')]).toEqual([405, 'POST'])
    expect((await introspect(server, 'a.b.c')).body).toEqual(INACTIVE)
    await server.stop()
  })
})

describe('[OAUTH-2] introspection', () => {
  it('says what a JWT and an id of a session are good for', async () => {
    await using server = await startIdentity()
    await using app = await openApp(server)
    const { session, jwt } = await app.login()
    const ofJwt = await introspect(server, jwt)
    expect([ofJwt.status, ofJwt.headers.get('cache-control')]).toEqual([200, 'no-store'])
    expect(ofJwt.body).toEqual({ active: true, token_type: 'Bearer', ...partsOf(jwt)[1] })
    const seconds = (ms: number) => Math.floor(ms / 1_000)
    expect((await introspect(server, session.id)).body).toEqual({
      active: true,
      iss: ISSUER,
      sub: 'ada',
      sid: session.handle,
      iat: seconds(session.createdAt),
      exp: seconds(session.expiresAt),
      auth_time: seconds(session.auth!.time),
      acr: 'silver',
      amr: ['pwd', 'otp'],
    })
    const nobody = await app.client.create({ cart: {} })
    expect((await introspect(server, nobody.id)).body).toEqual({
      active: true,
      iss: ISSUER,
      sid: nobody.handle,
      iat: seconds(nobody.createdAt),
      exp: seconds(nobody.expiresAt),
    })
    // An id that middleware chose may look like a JWT.
    const chosen = await app.client.create({}, { id: 'an.id.of-express' })
    expect((await introspect(server, 'an.id.of-express')).body).toMatchObject({ active: true, sid: chosen.handle })
    const hinted = { token: jwt, token_type_hint: 'refresh_token', other: 'x' }
    expect((await ask(server, '/introspect', hinted)).body).toMatchObject({ active: true })
  })

  it('says nothing of any other one but that it is not active', async () => {
    await using server = await startIdentity()
    await using app = await openApp(server)
    const { session, jwt } = await app.login()
    const [header, claims] = partsOf(jwt)
    const iat = Number(claims.iat)
    const rsa = newKey(OWN_KEY.kid, 'RS256')
    const sign = (more: object, head: object = {}) => forge(OWN_KEY, { ...header, ...head }, { ...claims, ...more })
    const inactive: { readonly [what: string]: string | Promise<string> } = {
      'another text': 'x',
      'an id of nobody': `${'a'.repeat(22)}.${'b'.repeat(22)}`,
      'the same locator with another secret': `${session.id.slice(0, 22)}.${'b'.repeat(22)}`,
      'a handle': session.handle,
      'what is too long': 'x'.repeat(5_000),
      none: unsigned({ ...header, alg: 'none' }, claims),
      'another algorithm': forge(rsa, { ...header, alg: 'RS256' }, claims),
      'another key': forge(newKey('x'), header, claims),
      'an unknown key': sign({}, { kid: 'other' }),
      'a key that it brings': sign({}, { jwk: {} }),
      'another type': sign({}, { typ: 'JWT' }),
      'another issuer': sign({ iss: 'https://evil.example' }),
      'another audience': sign({ aud: 'https://other.example' }),
      'one that expired': sign({ iat: iat - 100, exp: iat - 50 }),
      'one of the future': sign({ iat: iat + 1_000, exp: iat + 2_000 }),
      'another session': sign({ sid: 'a'.repeat(32) }),
      'no session': sign({ sid: '../admin' }),
    }
    for (const [what, token] of Object.entries(inactive)) {
      const { status, body } = await introspect(server, await token)
      expect([status, body], what).toEqual([200, INACTIVE])
    }
    await app.client.end(session.id)
    for (const token of [jwt, session.id]) expect((await introspect(server, token)).body).toEqual(INACTIVE)
  })

  it('of a token whose session another region ended says so once that end arrives', async () => {
    using keys = keyDirectory()
    const flags = identityFlags(keys.write('own.json', jwksOf(OWN_KEY)))
    await using servers = await openServers(['eu', 'us'], { options: { flags } })
    const [eu, us] = [servers.get('eu'), servers.get('us')]
    await using app = await openApp(eu)
    const { session, jwt } = await app.login()
    const bodies = async () => [(await introspect(us, jwt)).body, (await introspect(us, session.id)).body]
    await until(
      async () => (await bodies()).every((body) => (body as { active: boolean }).active),
      'it to arrive in us',
    )

    servers.link('us').cut()
    servers.link('eu').cut()
    await until(() => us.status().replica.links.eu!.state === 'down', 'the regions to be apart')
    expect((await revoke(eu, jwt)).status).toBe(200)
    expect((await introspect(eu, jwt)).body).toEqual(INACTIVE)
    expect(await bodies()).toMatchObject([{ active: true }, { active: true }])
    servers.link('us').heal()
    servers.link('eu').heal()
    await until(async () => !((await introspect(us, jwt)).body as { active: boolean }).active, 'the end to arrive')
    expect(await bodies()).toEqual([INACTIVE, INACTIVE])
  })
})

describe('[OAUTH-3] revocation', () => {
  it('ends the session of a JWT, or of an id', async () => {
    await using server = await startIdentity()
    await using app = await openApp(server)
    const [one, two, left] = [await app.login(), await app.login(), await app.login()]
    for (const token of [one.jwt, two.session.id]) {
      const { status, body, headers } = await revoke(server, token)
      expect([status, body, headers.get('cache-control')]).toEqual([200, '', 'no-store'])
    }
    for (const { session } of [one, two]) expect(await app.client.get(session.id)).toBeUndefined()
    expect(await app.client.get(left.session.id)).toBeDefined()
    const metrics = await (await server.ask('/metrics')).text()
    expect(metrics).toMatch(/sojourn_sessions_ended_total\{reason="revoked",origin="local",region="eu"\} 2/)
    expect(metrics).toMatch(/identity_requests_total\{endpoint="revoke",outcome="ended",region="eu"\} 2/)
  })

  it('ends a session that has not arrived yet, by its JWT as by its id', async () => {
    using keys = keyDirectory()
    const flags = identityFlags(keys.write('own.json', jwksOf(OWN_KEY)))
    await using servers = await openServers(['eu', 'us'], { options: { flags: { readyPeerWait: '1ms', ...flags } } })
    const [eu, us] = [servers.get('eu'), servers.get('us')]
    await using app = await openApp(eu)
    servers.link('eu').cut()
    servers.link('us').cut()
    await until(() => us.status().replica.links.eu!.state === 'down', 'the cut')
    const [one, two] = [await app.login(), await app.login()]
    for (const token of [one.jwt, two.session.id]) expect((await revoke(us, token)).status).toBe(200)
    servers.link('eu').heal()
    servers.link('us').heal()
    await until(async () => (await app.client.get(one.session.id)) === undefined, 'the end by the JWT')
    await until(async () => (await app.client.get(two.session.id)) === undefined, 'the end by the id')
  })

  it('answers tokens that nobody knows alike', async () => {
    await using server = await startIdentity()
    await using app = await openApp(server)
    const { session, jwt } = await app.login()
    const [header, claims] = partsOf(jwt)
    const others = [
      'x',
      'x'.repeat(5_000),
      session.handle,
      `${session.id.slice(0, 22)}.${'b'.repeat(22)}`,
      await forge(newKey('x'), header, claims),
      await forge(OWN_KEY, header, { ...claims, aud: 'other' }),
    ]
    for (const token of others) expect(await revoke(server, token)).toMatchObject({ status: 200, body: '' })
    expect(await app.client.get(session.id)).toBeDefined()
    await revoke(server, jwt)
    expect(await revoke(server, jwt)).toMatchObject({ status: 200, body: '' })
  })
})

const basic = (name: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`,
})
const error = ({ status, body }: Answer) => [status, (body as { error?: string }).error]

describe('[OAUTH-5] who asks', () => {
  it('has a token of the server with the scope that it needs', async () => {
    await using server = await startIdentity()
    const asked = (path: string, headers: Record<string, string>) =>
      ask(server, path, { token: 'x' }, { token: null, headers })
    for (const path of ['/introspect', '/revoke']) {
      const strangers = [
        {},
        { authorization: 'Bearer nonsense-of-a-stranger' },
        { authorization: `Token ${TOKENS.admin}` },
        { authorization: 'Basic !' },
        { authorization: 'Basic eA==' },
        basic('write-bearer', 'nonsense-of-a-stranger'),
        basic('read-bearer', TOKENS.write),
        basic('', TOKENS.write),
      ]
      for (const headers of strangers) {
        const answer = await asked(path, headers as Record<string, string>)
        expect(error(answer), JSON.stringify(headers)).toEqual([401, 'invalid_client'])
        expect(answer.headers.get('www-authenticate')).toBe('Basic realm="sojourn", Bearer realm="sojourn"')
      }
      for (const headers of [
        basic('write-bearer', TOKENS.write),
        basic('write%2Dbearer', encodeURIComponent(TOKENS.write)),
      ])
        expect((await asked(path, headers)).status).toBe(200)
      expect((await ask(server, path, { token: 'x' }, { token: TOKENS.admin })).status).toBe(200)
    }
    expect((await asked('/introspect', basic('read-bearer', TOKENS.read))).status).toBe(200)
    const refused = await asked('/revoke', basic('read-bearer', TOKENS.read))
    expect(error(refused)).toEqual([403, 'insufficient_scope'])
    expect(refused.headers.get('www-authenticate')).toContain('insufficient_scope')
  })

  it('is no web page', async () => {
    await using server = await startIdentity()
    const headers = { origin: 'https://evil.example' }
    expect(error(await ask(server, '/introspect', { token: 'x' }, { headers }))).toEqual([403, 'insufficient_scope'])
    expect((await ask(server, '/.well-known/jwks.json', undefined, { headers })).status).toBe(403)
  })

  it("is answered in OAuth's form what is wrong, and nothing that was sent", async () => {
    await using server = await startIdentity()
    const secret = 'marker-of-a-token'
    const form = { 'content-type': 'application/x-www-form-urlencoded' }
    const wrong: [body: string, headers: Record<string, string>][] = [
      [`{"token":"${secret}"}`, { 'content-type': 'application/json' }],
      [`token=${secret}`, { 'content-type': 'text/plain' }],
      [`token=${secret}`, { 'content-type': 'application/x-www-form-urlencodedx' }],
      ['', form],
      ['token=', form],
      [`other=${secret}`, form],
      [`token=${secret}&token=${secret}`, form],
    ]
    for (const path of ['/introspect', '/revoke'])
      for (const [body, headers] of wrong) {
        const answer = await ask(server, path, body, { headers })
        expect(error(answer), body).toEqual([400, 'invalid_request'])
        expect(JSON.stringify(answer.body)).not.toContain(secret)
        expect((answer.body as { error_description: string }).error_description).toMatch(
          /^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/,
        )
      }
    const good = { 'content-type': 'application/x-www-form-urlencoded; charset=UTF-8' }
    expect((await ask(server, '/introspect', 'token=x', { headers: good })).body).toEqual(INACTIVE)
  })
})

/** Says something over TCP, and gives what is answered until the other side closes. */
const say = (server: Server, ...parts: readonly string[]): Promise<string> =>
  new Promise((resolve) => {
    const socket = dial(server.status().listeners.identity!.port, '127.0.0.1')
    let heard = ''
    socket.on('data', (chunk) => {
      heard += chunk.toString('latin1')
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(heard))
    for (const part of parts) socket.write(part)
  })
const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1])

describe('[OAUTH-6] what is asked is bounded', () => {
  const head = (...headers: string[]) =>
    ['POST /introspect HTTP/1.1', 'Host: x', `Authorization: Bearer ${TOKENS.read}`, ...headers, '', ''].join('\r\n')
  const type = 'Content-Type: application/x-www-form-urlencoded'

  it('in the bytes of a body', async () => {
    await using server = await startIdentity({ 'identity.limits.maxBodyBytes': '100' })
    const answer = await say(server, head(type, 'Content-Length: 101'), `token=${'x'.repeat(95)}`)
    expect([statusOf(answer), /"error":"(\w+)"/.exec(answer)?.[1]]).toEqual([413, 'invalid_request'])
    expect(answer.toLowerCase()).toContain('connection: close')
    const chunk = 'x'.repeat(0x60)
    const chunked = await say(server, head(type, 'Transfer-Encoding: chunked'), `60\r\n${chunk}\r\n60\r\n${chunk}\r\n`)
    expect(statusOf(chunked)).toBe(413)
    expect((await introspect(server, 'x'.repeat(94))).body).toEqual(INACTIVE)
  })

  it('in time and in connections', async () => {
    await using server = await startIdentity({
      'identity.limits.maxConnections': '1',
      'identity.limits.maxUnauthenticated': '2',
      'identity.limits.maxHeadersMs': '500',
      'identity.limits.maxRequestMs': '500',
    })
    // A head that does not end, and a body that does not.
    expect(statusOf(await say(server, 'POST /introspect HTTP/1.1\r\n'))).toBe(408)
    expect(statusOf(await say(server, head(type, 'Content-Length: 10'), 'token'))).toBe(408)
    const silent = Array.from({ length: 5 }, () => say(server))
    await until(() => server.status().unauthenticated.identity?.evicted === 3, 'the oldest to go')
    await Promise.all(silent)
    // One connection with a token is held by a request that goes on.
    const held = say(server, head(type, 'Content-Length: 10'), 'token')
    await until(async () => (await introspect(server, 'x')).status === 503, 'no room to be left')
    expect(error(await introspect(server, 'x'))).toEqual([503, 'temporarily_unavailable'])
    await held
    await until(async () => (await introspect(server, 'x')).status === 200, 'room')
  })

  it('by whether the region has caught up', async () => {
    using keys = keyDirectory()
    const own = identityFlags(keys.write('own.json', jwksOf(OWN_KEY)))
    const peers = { peers: 'us=ws://127.0.0.1:9', readyPeerWait: '1h' }
    const server = await startServer('eu', ':memory:', { flags: { ...own, ...peers } })
    for (const path of ['/introspect', '/revoke']) {
      const answer = await ask(server, path, { token: 'x' })
      expect(error(answer)).toEqual([503, 'temporarily_unavailable'])
      expect(answer.headers.get('retry-after')).toBe('1')
      expect(error(await ask(server, path, { token: 'x' }, { token: null }))).toEqual([401, 'invalid_client'])
    }
    expect((await ask(server, '/.well-known/jwks.json', undefined)).status).toBe(200)
    await server.stop()
  })

  it('and what is no well-formed request gets no further', async () => {
    await using server = await startIdentity()
    const line = (text: string) => say(server, `${text}\r\nHost: x\r\nConnection: close\r\n\r\n`)
    for (const text of ['GET //evil.example/x HTTP/1.1', 'OPTIONS * HTTP/1.1', 'GET http://evil.example/ HTTP/1.1'])
      expect(statusOf(await line(text)), text).toBe(400)
    expect((await introspect(server, AUDIENCE)).body).toEqual(INACTIVE)
  })
})
