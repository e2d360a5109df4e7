/** JWTs of sessions: what they say, how long they live, and which are refused, with replicas that keep the sessions. */
import { createPublicKey, createSecretKey, generateKeyPairSync } from 'node:crypto'
import { type IssueOptions, type SessionTokensOptions, sessionTokens, type TokenKeys } from '@sojourn/identity'
import { openReplica, type Replica, type ReplicaOptions } from '@sojourn/replica'
import { createLocalJWKSet, exportJWK, jwtVerify } from 'jose'
import { afterEach, describe, expect, it, onTestFinished } from 'vitest'
import { openRegions, SECRET, type SteppedClock, steppedClock } from '../support/region.js'
import { MINUTE } from '../support/replica.js'
import { Opened } from '../support/serve.js'
import { AUDIENCE, forge, ISSUER, newKey, partsOf, retired, unsigned } from '../support/tokens.js'

const key = newKey('2026-11')
const KEYS: TokenKeys = { active: key.kid, keys: [key] }

const opened: Replica[] = []
afterEach(() => Promise.all(opened.splice(0).map((replica) => replica.close())))

interface World {
  readonly sessions: Replica
  readonly clock: SteppedClock
  readonly tokens: ReturnType<typeof sessionTokens<Awaited<ReturnType<Replica['rotate']>>>>
  readonly tokensWith: (options: Partial<SessionTokensOptions>) => World['tokens']
  readonly login: () => Promise<string>
}

const open = async (
  options: Partial<SessionTokensOptions> = {},
  session: ReplicaOptions['session'] = {},
): Promise<World> => {
  const clock = steppedClock()
  const sessions = await openReplica({ region: 'eu', location: ':memory:', secret: SECRET, session, ports: { clock } })
  opened.push(sessions)
  const tokensWith = (more: Partial<SessionTokensOptions>) =>
    sessionTokens({ issuer: ISSUER, audience: AUDIENCE, keys: KEYS, clock, ...options, ...more, sessions })
  const login = async () => {
    const { id } = await sessions.create({}, { idleTimeout: '30m' })
    const auth = { time: clock.now() - 90_500, acr: 'urn:mace:incommon:iap:silver', amr: ['pwd', 'otp'] }
    return (await sessions.elevate(id, { subject: 'ada', auth })).id
  }
  return { sessions, clock, tokens: tokensWith({}), tokensWith, login }
}

const refusalOf = async (call: Promise<unknown>): Promise<unknown> => {
  try {
    return await call
  } catch (error) {
    return error
  }
}
const invalid = (reason: string) => ({ code: 'TOKEN_INVALID', reason })
const seconds = (ms: number) => Math.floor(ms / 1_000)

describe('[JWT-1] a token says who, which session, and how that was proven', () => {
  it('in the claims of RFC 9068', async () => {
    const { sessions, clock, tokens, login } = await open()
    const id = await login()
    const { handle, auth } = (await sessions.get(id))!
    const [header, claims] = partsOf(await tokens.issue(id))
    expect(header).toEqual({ alg: 'EdDSA', kid: '2026-11', typ: 'at+jwt' })
    expect(claims).toEqual({
      iss: ISSUER,
      aud: AUDIENCE,
      sub: 'ada',
      client_id: ISSUER,
      sid: handle,
      iat: expect.any(Number),
      exp: expect.any(Number),
      jti: expect.stringMatching(/^[\w-]{22}$/),
      auth_time: seconds(auth!.time),
      acr: 'urn:mace:incommon:iap:silver',
      amr: ['pwd', 'otp'],
    })
    expect(Math.abs(Number(claims.iat) - clock.now() / 1_000)).toBeLessThan(5)
    expect(Number(claims.exp) - Number(claims.iat)).toBeGreaterThanOrEqual(300)
    expect(Number(claims.exp) - Number(claims.iat)).toBeLessThanOrEqual(301)
    expect(partsOf(await tokens.issue(id))[1].jti).not.toBe(claims.jti)
  })

  it('and no more than is known of the login', async () => {
    const { sessions, tokens } = await open()
    const { id } = await sessions.create({}, { subject: 'ada' })
    const claims = partsOf(await tokens.issue(id))[1]
    expect(claims.sub).toBe('ada')
    expect(claims).not.toHaveProperty('acr')
    expect(claims).not.toHaveProperty('amr')
  })

  it('and is for another audience, client or time where its caller says so', async () => {
    const { tokens, tokensWith, login } = await open()
    const id = await login()
    const claimsOf = async (options: IssueOptions) => partsOf(await tokens.issue(id, options))[1]
    expect(await claimsOf({ audience: ['a', 'b'] })).toMatchObject({ aud: ['a', 'b'] })
    const { iat, exp } = await claimsOf({ ttl: '10s' })
    expect(Number(exp) - Number(iat)).toBeLessThanOrEqual(11)
    const mobile = tokensWith({ clientId: 'mobile', ttl: '20s' })
    const claims = partsOf(await mobile.issue(id))[1]
    expect(claims.client_id).toBe('mobile')
    expect(Number(claims.exp) - Number(claims.iat)).toBeLessThanOrEqual(21)
  })

  it('and never outlives its session', async () => {
    const { sessions, clock, tokens, login } = await open()
    const id = await login()
    const { expiresAt } = (await sessions.get(id))!
    const { exp } = await tokens.verify(await tokens.issue(id, { ttl: '2h' }))
    expect(exp).toBe(seconds(expiresAt))
    clock.advance(expiresAt - clock.now() - 500)
    if (seconds(clock.now()) === seconds(expiresAt))
      expect(await refusalOf(tokens.issue(id))).toMatchObject({ code: 'SESSION_NOT_FOUND' })
    clock.advance(500)
    expect(await refusalOf(tokens.issue(id))).toMatchObject({ code: 'SESSION_NOT_FOUND' })
  })

  it('and none is issued for nobody, or for no session', async () => {
    const { sessions, tokens, login } = await open()
    const { id } = await sessions.create({ cart: {} })
    const error = await refusalOf(tokens.issue(id))
    expect(error).toMatchObject({ code: 'INVALID_OPTION', option: 'id' })
    expect(String(error)).toMatch(/has no subject\. Log the user in with elevate first/)
    expect(String(error)).not.toContain(id)
    expect(await refusalOf(tokens.issue('none'))).toMatchObject({ code: 'SESSION_NOT_FOUND' })
    expect(await refusalOf(tokens.issue(''))).toMatchObject({ code: 'INVALID_OPTION', option: 'id' })
    const good = await login()
    await sessions.end(good)
    expect(await refusalOf(tokens.issue(good))).toMatchObject({ code: 'SESSION_NOT_FOUND' })
  })

  it('and any library verifies it by the published keys', async () => {
    const { tokens, login, clock } = await open()
    const { payload } = await jwtVerify(await tokens.issue(await login()), createLocalJWKSet(tokens.jwks() as never), {
      issuer: ISSUER,
      audience: AUDIENCE,
      typ: 'at+jwt',
      currentDate: new Date(clock.now()),
    })
    expect(payload.sub).toBe('ada')
  })
})

describe('[JWT-2] a token is good while its claims are, and its session lives here', () => {
  it('and its claims are given, frozen', async () => {
    const { sessions, tokens, login } = await open()
    const id = await login()
    const token = await tokens.issue(id)
    const claims = await tokens.verify(token)
    expect(claims).toEqual(partsOf(token)[1])
    expect(claims.sid).toBe((await sessions.get(id))!.handle)
    expect(Object.isFrozen(claims) && Object.isFrozen(claims.amr)).toBe(true)
    expect(await tokens.verify(token)).toEqual(claims)
  })

  it('and is refused once it is not, whether it was verified before or not', async () => {
    for (const isRemembered of [true, false]) {
      const { sessions, clock, tokens, login } = await open()
      const issue = async (id: string) => {
        const token = await tokens.issue(id, { ttl: '1m' })
        if (isRemembered) await tokens.verify(token)
        return token
      }
      const ended = await login()
      const endedToken = await issue(ended)
      await sessions.end(ended)
      expect(await refusalOf(tokens.verify(endedToken))).toMatchObject(invalid('ended'))

      const cutToken = await issue(await login())
      await sessions.endSubject('ada', { reason: 'revoked' })
      expect(await refusalOf(tokens.verify(cutToken))).toMatchObject(invalid('ended'))

      const { id } = await sessions.create({}, { subject: 'eve' })
      const token = await issue(id)
      expect(await refusalOf(tokens.verify(token, { audience: 'another' }))).toMatchObject(invalid('audience'))
      expect(await refusalOf(tokens.verify(token, { audience: ['another', AUDIENCE] }))).toMatchObject({ sub: 'eve' })
      clock.advance(-10_000)
      expect(await refusalOf(tokens.verify(token))).toMatchObject(invalid('not-yet-valid'))
      clock.advance(6_000)
      expect(await refusalOf(tokens.verify(token))).toMatchObject({ sub: 'eve' })
      clock.advance(4_000 + MINUTE + 1_000)
      expect(await refusalOf(tokens.verify(token))).toMatchObject(invalid('expired'))
    }
  })

  it('and a session that expires by itself takes its tokens with it, within their time', async () => {
    const { sessions, clock, tokens } = await open()
    const { id } = await sessions.create({}, { subject: 'ada', idleTimeout: '30s' })
    const token = await tokens.issue(id)
    clock.advance(31_000)
    expect(await refusalOf(tokens.verify(token))).toMatchObject(invalid('expired'))
  })

  it('and an end in another region counts as soon as it has arrived', async () => {
    await using regions = await openRegions(['eu', 'us'])
    const tokensAt = (sessions: Replica) => sessionTokens({ sessions, issuer: ISSUER, audience: AUDIENCE, keys: KEYS })
    const { eu, us } = regions
    const { id } = await eu.create({}, { subject: 'ada' })
    const token = await tokensAt(eu).issue(id)
    const there = tokensAt(us)
    await regions.settled()
    expect((await there.verify(token)).sub).toBe('ada')
    await regions.cut('eu', 'us')
    await eu.endSubject('ada', { reason: 'revoked', write: 'local' })
    expect(await refusalOf(tokensAt(eu).verify(token))).toMatchObject(invalid('ended'))
    // Nobody asks another region: this one does not know yet.
    expect((await there.verify(token)).sub).toBe('ada')
    regions.heal('eu', 'us')
    await regions.settled()
    expect(await refusalOf(there.verify(token))).toMatchObject(invalid('ended'))
  })

  it('and by a client, as its server has it', async () => {
    const served = new Opened()
    onTestFinished(() => served.close())
    const { url, replica } = await served.serve({ region: { secret: SECRET } })
    const client = await served.connect({ url })
    const tokens = sessionTokens({ sessions: client, issuer: ISSUER, audience: AUDIENCE, keys: KEYS })
    const { id } = await client.create({ cart: {} }, { subject: 'ada' })
    const { session, token } = await tokens.refresh(id)
    expect(session.data).toEqual({ cart: {} })
    expect(await tokens.verify(token)).toMatchObject({ sub: 'ada', sid: session.handle })
    await replica.end(session.id)
    expect(await refusalOf(tokens.verify(token))).toMatchObject(invalid('ended'))
  })

  it('and what is no token is refused, and shown nowhere', async () => {
    const { tokens, tokensWith, login } = await open()
    const token = await tokens.issue(await login())
    const [header, payload, signature] = token.split('.') as [string, string, string]
    const odd = [
      '',
      '.',
      '..',
      '...',
      'a.b.c',
      header,
      `${header}.${payload}`,
      `${token}.${signature}`,
      ` ${token}`,
      `${token}=`,
      `${token}\n`,
      `${header}.${payload} .${signature}`,
      `${token} `,
    ]
    for (const each of [...odd, `${header}.${payload}.`, 42, undefined, null, [token], { token }]) {
      const error = await refusalOf(tokens.verify(each as string))
      expect(error, String(each)).toMatchObject({ code: 'TOKEN_INVALID' })
      expect(['malformed', 'signature']).toContain((error as { reason: string }).reason)
      expect(JSON.stringify(error)).not.toContain(payload.slice(0, 20))
    }
    const narrow = tokensWith({ limits: { maxTokenBytes: token.length } })
    expect(await narrow.verify(token)).toMatchObject({ sub: 'ada' })
    expect(await refusalOf(narrow.verify(`${token}=`))).toMatchObject(invalid('too-long'))
    expect(await refusalOf(tokens.verify('a'.repeat(5_000)))).toMatchObject(invalid('too-long'))
    expect(await refusalOf(tokens.verify(token, { audiance: 'x' } as never))).toMatchObject({ code: 'INVALID_OPTION' })
  })

  it('and each flipped bit', async () => {
    const { tokens, login } = await open()
    const token = await tokens.issue(await login())
    const parts = token.split('.').map((part) => Buffer.from(part, 'base64url'))
    for (const [index, part] of parts.entries())
      for (let bit = 0; bit < part.length * 8; bit += 5) {
        const flipped = Buffer.from(part)
        flipped[bit >> 3]! ^= 1 << (bit & 7)
        const forged = parts.with(index, flipped).map((each) => each.toString('base64url'))
        expect(await refusalOf(tokens.verify(forged.join('.'))), `${index} ${bit}`).toMatchObject({
          code: 'TOKEN_INVALID',
        })
      }
    expect(tokens.status().rememberedTokens).toBe(0)
  })

  it('and one of our keys that says something else, with a reason', async () => {
    const { sessions, tokens, login, clock } = await open()
    const id = await login()
    const [header, good] = partsOf(await tokens.issue(id))
    const { handle } = (await sessions.get(id))!
    const cases: readonly (readonly [claims: object, reason: string])[] = [
      [{ iss: 'https://evil.example' }, 'issuer'],
      [{ iss: undefined }, 'issuer'],
      [{ aud: 'https://other.example' }, 'audience'],
      [{ aud: [] }, 'claims'],
      [{ aud: 7 }, 'claims'],
      [{ exp: seconds(clock.now()) - 1 }, 'expired'],
      [{ exp: undefined }, 'claims'],
      [{ exp: 'never' }, 'claims'],
      [{ iat: seconds(clock.now()) + 60 }, 'not-yet-valid'],
      [{ nbf: seconds(clock.now()) + 60 }, 'not-yet-valid'],
      [{ iat: undefined }, 'claims'],
      [{ sub: undefined }, 'claims'],
      [{ jti: '' }, 'claims'],
      [{ client_id: undefined }, 'claims'],
      [{ sid: handle.toUpperCase() }, 'claims'],
      [{ sid: '../x' }, 'claims'],
      [{ sid: '0'.repeat(32) }, 'ended'],
      [{ amr: 'pwd' }, 'claims'],
      [{ auth_time: 'today' }, 'claims'],
    ]
    for (const [claims, reason] of cases) {
      const forged = await forge(key, header, { ...good, ...claims })
      expect(await refusalOf(tokens.verify(forged)), JSON.stringify(claims)).toMatchObject(invalid(reason))
    }
    expect(await tokens.verify(await forge(key, header, { ...good, roles: ['x'] }))).toEqual(good)
    expect(await tokens.verify(await forge(key, { ...header, typ: 'application/AT+JWT' }, good))).toEqual(good)
  })
})

describe('[JWT-3] only the keys of the list verify, each by its own algorithm', () => {
  it('of any algorithm that is allowed', async () => {
    for (const alg of ['EdDSA', 'ES256', 'RS256', 'PS256'] as const) {
      const { tokens, login } = await open({ keys: { active: 'k', keys: [newKey('k', alg)] } })
      const token = await tokens.issue(await login())
      expect(partsOf(token)[0]).toEqual({ alg, kid: 'k', typ: 'at+jwt' })
      expect(await tokens.verify(token)).toMatchObject({ sub: 'ada' })
    }
  })

  it('and none, HMAC, other types and foreign keys are refused', async () => {
    const rsa = newKey('rsa', 'RS256')
    const { tokens, login } = await open({ keys: { active: key.kid, keys: [key, rsa] } })
    const [header, claims] = partsOf(await tokens.issue(await login()))
    const evil = newKey('evil')
    const publicKey = createPublicKey(key.privateKey)
    const pem = Buffer.from(publicKey.export({ type: 'spki', format: 'pem' }) as string)
    const rsaPem = Buffer.from(createPublicKey(rsa.privateKey).export({ type: 'spki', format: 'pem' }) as string)
    const jwk = await exportJWK(createPublicKey(evil.privateKey))
    const byHmac = (alg: string, kid: string, secret: Uint8Array) =>
      forge({ ...key, alg: alg as never }, { ...header, alg, kid }, claims, createSecretKey(secret))
    const cases: readonly (readonly [what: string, token: string, reason: string])[] = [
      ['none', unsigned({ ...header, alg: 'none' }, claims), 'algorithm'],
      ['none, without a kid', unsigned({ alg: 'none', typ: 'at+jwt' }, claims), 'key'],
      ['no algorithm', unsigned({ ...header, alg: undefined }, claims), 'algorithm'],
      ['HMAC under the public key', await byHmac('HS256', key.kid, pem), 'algorithm'],
      ['HMAC under the public RSA key', await byHmac('HS256', 'rsa', rsaPem), 'algorithm'],
      ['HMAC of 512 bits', await byHmac('HS512', key.kid, Buffer.concat([pem, pem])), 'algorithm'],
      ['the algorithm of another key', await forge(rsa, { ...header, alg: 'PS256', kid: 'rsa' }, claims), 'algorithm'],
      ['another key under our kid', await forge(evil, header, claims), 'signature'],
      ['another key under its kid', await forge(evil, { ...header, kid: 'evil' }, claims), 'key'],
      ['the kid of another key of ours', await forge(key, { ...header, kid: 'rsa' }, claims), 'algorithm'],
      ['a kid that is a path', await forge(evil, { ...header, kid: '../../dev/null' }, claims), 'key'],
      ['a kid of every object', await forge(evil, { ...header, kid: '__proto__' }, claims), 'key'],
      ['no kid', await forge(key, { ...header, kid: undefined }, claims), 'key'],
      ['an embedded key', await forge(evil, { ...header, jwk }, claims), 'header'],
      ['an address of keys', await forge(evil, { ...header, jku: 'https://evil.example/jwks' }, claims), 'header'],
      [
        'an address of a certificate',
        await forge(evil, { ...header, x5u: 'https://evil.example/c' }, claims),
        'header',
      ],
      ['certificates', await forge(evil, { ...header, x5c: ['MIIB'] }, claims), 'header'],
      ['our own key, embedded', await forge(key, { ...header, jwk: await exportJWK(publicKey) }, claims), 'header'],
      ['an extension', unsigned({ ...header, crit: ['b64'], b64: false }, claims), 'header'],
      ['the type of an ID token', await forge(key, { ...header, typ: 'JWT' }, claims), 'type'],
      ['the type of a logout token', await forge(key, { ...header, typ: 'logout+jwt' }, claims), 'type'],
      ['no type', await forge(key, { ...header, typ: undefined }, claims), 'type'],
    ]
    for (const [what, token, reason] of cases)
      expect(await refusalOf(tokens.verify(token)), what).toMatchObject(invalid(reason))
    expect(tokens.status().rememberedTokens).toBe(0)
  })

  it('and keys that do not fit are refused, and shown nowhere', async () => {
    const { tokensWith } = await open()
    const secret = createSecretKey(Buffer.from('s'.repeat(32)))
    const jwk = key.privateKey.export({ format: 'jwk' })
    const publicKey = createPublicKey(key.privateKey)
    const weak = generateKeyPairSync('rsa', { modulusLength: 1_024 }).privateKey
    const curve = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey
    const one = (more: object) => ({ active: 'k', keys: [{ kid: 'k', privateKey: key.privateKey, ...more }] })
    const cases: readonly (readonly [keys: unknown, option: string])[] = [
      [undefined, 'keys'],
      [[key], 'keys'],
      [{ keys: [key] }, 'keys.active'],
      [{ active: 'other', keys: [key] }, 'keys.active'],
      [{ active: key.kid, keys: [retired(key)] }, 'keys.active'],
      [{ active: 'k', keys: [] }, 'keys.keys'],
      [{ active: 'k', keys: Array.from({ length: 17 }, (_, at) => ({ ...key, kid: `k${at}` })) }, 'keys.keys'],
      [{ active: key.kid, keys: [key, key] }, 'keys.keys.1.kid'],
      [{ active: 'k', keys: [key], secret: 's' }, 'keys.secret'],
      [{ active: 'k', keys: [null] }, 'keys.keys.0'],
      [one({ alg: 'none' }), 'keys.keys.0.alg'],
      [one({ alg: 'HS256' }), 'keys.keys.0.alg'],
      [one({ alg: 'toString' }), 'keys.keys.0.alg'],
      [one({ alg: 'ES256' }), 'keys.keys.0.privateKey'],
      [one({ alg: 'RS256', privateKey: weak }), 'keys.keys.0.privateKey'],
      [one({ alg: 'ES256', privateKey: curve }), 'keys.keys.0.privateKey'],
      [one({ kid: '' }), 'keys.keys.0.kid'],
      [one({ kid: 'a b' }), 'keys.keys.0.kid'],
      [one({ secret: 's' }), 'keys.keys.0'],
      [one({ publicKey }), 'keys.keys.0'],
      [one({ privateKey: undefined }), 'keys.keys.0'],
      [one({ privateKey: secret }), 'keys.keys.0.privateKey'],
      [one({ privateKey: publicKey }), 'keys.keys.0.privateKey'],
      [one({ privateKey: 'pem' }), 'keys.keys.0.privateKey'],
      [one({ privateKey: { kty: 'oct', k: 'c2VjcmV0' } }), 'keys.keys.0.privateKey'],
      [one({ privateKey: { ...jwk, d: '!' } }), 'keys.keys.0.privateKey'],
      [one({ privateKey: { ...jwk, alg: 'ES256' } }), 'keys.keys.0.privateKey'],
      [one({ privateKey: { ...jwk, kid: 'other' } }), 'keys.keys.0.privateKey'],
      [one({ privateKey: { ...jwk, use: 'enc' } }), 'keys.keys.0.privateKey'],
      [{ active: key.kid, keys: [key, { kid: 'b', publicKey: jwk }] }, 'keys.keys.1.publicKey'],
    ]
    for (const [keys, option] of cases) {
      const error = await refusalOf((async () => tokensWith({ keys: keys as TokenKeys }))())
      expect(error, option).toMatchObject({ code: 'INVALID_OPTION', option })
      expect(String(error)).not.toContain(jwk.d)
      expect((error as Error).cause).toBeUndefined()
    }
    tokensWith({ keys: one({ privateKey: { ...jwk, kid: 'k', alg: 'EdDSA', use: 'sig' } }) })
  })
})

describe('[JWT-4] keys rotate with an overlap', () => {
  it('retired keys verify, and dropped ones do not, remembered or not', async () => {
    const next = newKey('2026-12', 'ES256')
    const { tokens, login } = await open()
    const id = await login()
    const before = await tokens.issue(id)
    await tokens.verify(before)
    tokens.replaceKeys({ active: next.kid, keys: [next, retired(key)] })
    const after = await tokens.issue(id)
    expect(partsOf(after)[0].kid).toBe('2026-12')
    for (const token of [before, after]) expect(await tokens.verify(token)).toMatchObject({ sub: 'ada' })
    expect(await refusalOf((async () => tokens.replaceKeys({ active: 'none', keys: [next] }))())).toMatchObject({
      code: 'INVALID_OPTION',
      option: 'keys.active',
    })
    expect(await tokens.verify(before)).toMatchObject({ sub: 'ada' })
    tokens.replaceKeys({ active: next.kid, keys: [next] })
    expect(await refusalOf(tokens.verify(before))).toMatchObject(invalid('key'))
    expect(await tokens.verify(after)).toMatchObject({ sub: 'ada' })
  })

  it('and only public halves are published', async () => {
    const keys = [key, newKey('es', 'ES256'), newKey('rs', 'RS256'), newKey('ps', 'PS256'), retired(newKey('old'))]
    const { tokens } = await open({ keys: { active: key.kid, keys } })
    const { keys: published } = tokens.jwks()
    expect(published.map(({ kid, alg, use, kty }) => [kid, alg, use, kty])).toEqual([
      ['2026-11', 'EdDSA', 'sig', 'OKP'],
      ['es', 'ES256', 'sig', 'EC'],
      ['rs', 'RS256', 'sig', 'RSA'],
      ['ps', 'PS256', 'sig', 'RSA'],
      ['old', 'EdDSA', 'sig', 'OKP'],
    ])
    const parameters = new Set(published.flatMap((each) => Object.keys(each)))
    expect([...parameters].sort()).toEqual(['alg', 'crv', 'e', 'kid', 'kty', 'n', 'use', 'x', 'y'])
  })
})

describe('[JWT-5] verified signatures are remembered, in a bounded number', () => {
  it('of those that were used lately', async () => {
    const { tokens, tokensWith, login } = await open()
    const id = await login()
    const few = tokensWith({ limits: { maxRememberedTokens: 10 } })
    const hot = await tokens.issue(id)
    for (let count = 0; count < 40; count++) {
      await few.verify(hot)
      await few.verify(await tokens.issue(id))
      expect(few.status().rememberedTokens).toBeLessThanOrEqual(10)
    }
    expect(few.status().rememberedTokens).toBeGreaterThan(4)
    expect(await refusalOf((async () => tokensWith({ limits: { maxRememberedTokens: 1 } }))())).toMatchObject({
      option: 'limits.maxRememberedTokens',
    })
  })

  it('and one that is used again stays', async () => {
    const { tokens, tokensWith, login } = await open()
    const id = await login()
    const few = tokensWith({ limits: { maxRememberedTokens: 10 } })
    const hot = await tokens.issue(id)
    await few.verify(hot)
    for (let count = 0; count < 5; count++) await few.verify(await tokens.issue(id))
    expect(few.status().rememberedTokens).toBe(6)
    // It was among the older half, and is among the younger one now: the next half to go does not take it.
    await few.verify(hot)
    expect(few.status().rememberedTokens).toBe(6)
  })

  it('and an expired one is forgotten', async () => {
    const { tokens, login, clock } = await open()
    const token = await tokens.issue(await login(), { ttl: '1m' })
    await tokens.verify(token)
    expect(tokens.status().rememberedTokens).toBe(1)
    clock.advance(2 * MINUTE)
    expect(await refusalOf(tokens.verify(token))).toMatchObject(invalid('expired'))
    expect(tokens.status().rememberedTokens).toBe(0)
  })

  it('and none that was verified while the keys were replaced', async () => {
    const { tokens, login } = await open()
    const token = await tokens.issue(await login())
    const verified = tokens.verify(token)
    tokens.replaceKeys({ active: 'other', keys: [newKey('other')] })
    await verified
    expect(tokens.status().rememberedTokens).toBe(0)
    expect(await refusalOf(tokens.verify(token))).toMatchObject(invalid('key'))
  })
})

describe('[JWT-6] refresh gives a new secret and a token', () => {
  it('and the old secret works within its grace, and is refused after it', async () => {
    const { sessions, clock, tokens, login } = await open()
    const reused: unknown[] = []
    sessions.on('reused', (event) => reused.push(event))
    const old = await login()
    const { handle } = (await sessions.get(old))!
    const { session, token } = await tokens.refresh(old, { grace: '10s', ttl: '1m', audience: 'cart' })
    expect(session.id).not.toBe(old)
    expect(session.handle).toBe(handle)
    expect(partsOf(token)[1]).toMatchObject({ sid: handle, sub: 'ada', aud: 'cart' })
    expect(await tokens.verify(token, { audience: 'cart' })).toMatchObject({ sid: handle })
    // The answer was lost, and the client asks again.
    const again = await tokens.refresh(old)
    expect(again.session.handle).toBe(handle)
    clock.advance(11_000)
    expect(reused).toEqual([])
    expect(await refusalOf(tokens.refresh(old))).toMatchObject({ code: 'SESSION_NOT_FOUND' })
    expect(reused).toMatchObject([{ key: handle }])
    expect((await tokens.refresh(again.session.id, { grace: 0 })).session.handle).toBe(handle)
    expect(await refusalOf(tokens.refresh(again.session.id))).toMatchObject({ code: 'SESSION_NOT_FOUND' })
  })

  it('and a refusal leaves the secret as it is', async () => {
    const { sessions, tokens, login } = await open()
    const { id } = await sessions.create({ cart: {} })
    expect(await refusalOf(tokens.refresh(id))).toMatchObject({ code: 'INVALID_OPTION', option: 'id' })
    expect(await refusalOf(tokens.refresh(id, { grace: 'soon' as never }))).toMatchObject({ option: 'grace' })
    expect(await sessions.get(id)).toBeDefined()
    const mine = await login()
    tokens.replaceKeys({ active: null, keys: [retired(newKey('another'))] })
    expect(await refusalOf(tokens.refresh(mine, { grace: 0 }))).toMatchObject({
      code: 'INVALID_OPTION',
      option: 'keys.active',
    })
    expect(await sessions.get(mine)).toBeDefined()
  })
})

it('[OPT-2] options of tokens that do not exist or fit are refused', async () => {
  const { tokensWith } = await open()
  for (const [options, option] of [
    [{ issuer: '' }, 'issuer'],
    [{ audience: [] }, 'audience'],
    [{ algorithms: ['none'] }, 'algorithms'],
    [{ ttl: 'soon' }, 'ttl'],
    [{ clock: {} }, 'clock'],
    [{ isuer: 'x' }, 'isuer'],
  ] as const)
    expect(await refusalOf((async () => tokensWith(options as never))()), option).toMatchObject({
      code: 'INVALID_OPTION',
      option,
    })
  expect(await refusalOf((async () => sessionTokens({} as never))())).toMatchObject({ option: 'sessions' })
})
