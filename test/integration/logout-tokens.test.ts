/** Logout tokens of an OpenID provider: which are good, which are refused, and that none counts twice. */
import { createSecretKey } from 'node:crypto'
import { type Jwks, type LogoutTokensOptions, logoutTokens, readIssuerKeys } from '@sojourn/identity'
import { describe, expect, it } from 'vitest'
import { CLIENT_ID, jwksOf, logoutClaims, logoutToken, PROVIDER, publicJwk } from '../support/logouts.js'
import { steppedClock } from '../support/region.js'
import { forge, newKey, unsigned } from '../support/tokens.js'

const key = newKey('login-1', 'RS256')
const other = newKey('login-1', 'RS256')
const ed = newKey('login-2')
const JWKS = jwksOf(key, ed)

const open = (options: Partial<LogoutTokensOptions> = {}) => {
  const clock = steppedClock()
  const logouts = logoutTokens({ issuer: PROVIDER, audience: CLIENT_ID, keys: JWKS, clock, ...options })
  const claims = (more: object = {}) => logoutClaims(clock.now(), { ...more })
  const sign = (more: object = {}, header: object = {}) => logoutToken(key, claims(more), { ...header })
  return { clock, logouts, claims, sign }
}

const reasonOf = async (call: Promise<unknown>): Promise<unknown> => {
  try {
    await call
    return 'none'
  } catch (error) {
    expect(error).toMatchObject({ code: 'TOKEN_INVALID' })
    return (error as { reason: string }).reason
  }
}

describe('[LOGOUT-1] a logout token is good', () => {
  it('by each kind of key, with a type or without, and names whom it logs out', async () => {
    const { logouts, claims, sign } = open({ audience: ['other', CLIENT_ID] })
    expect(await logouts.verify(await sign({ jti: 'a', sid: 's1' }))).toEqual({
      iss: PROVIDER,
      jti: 'a',
      iat: expect.any(Number),
      exp: expect.any(Number),
      sub: 'ada',
      sid: 's1',
    })
    expect(await logouts.verify(await sign({ sub: undefined, sid: 's1' }))).not.toHaveProperty('sub')
    expect(await logouts.verify(await sign({ aud: ['x', CLIENT_ID] }))).not.toHaveProperty('sid')
    for (const typ of [undefined, 'JWT', 'application/logout+jwt', 'LOGOUT+JWT'])
      expect(await logouts.verify(await sign({}, { typ }))).toMatchObject({ sub: 'ada' })
    expect(await logouts.verify(await logoutToken(ed, claims()))).toMatchObject({ sub: 'ada' })
    for (const alg of ['ES256', 'PS256'] as const) {
      const one = newKey('k', alg)
      const { logouts: these, claims: now } = open({ keys: jwksOf(one) })
      // A provider of one key need not name it.
      expect(await these.verify(await logoutToken(one, now(), { kid: undefined }))).toMatchObject({ sub: 'ada' })
    }
  })

  it('and each other one is refused, with a reason, of which nothing is in the error', async () => {
    const { logouts, clock, claims, sign } = open()
    const iat = Math.floor(clock.now() / 1_000)
    const event = 'http://schemas.openid.net/event/backchannel-logout'
    const refused: [token: Promise<string> | string, reason: string][] = [
      ['', 'malformed'],
      ['a.b', 'malformed'],
      [`${await sign()}.x`, 'malformed'],
      [` ${await sign()}`, 'malformed'],
      [`${'x'.repeat(9_000)}.b.c`, 'too-long'],
      [unsigned({ alg: 'none' }, claims()), 'malformed'],
      [unsigned({ alg: 'none' }, claims(), 'AA'), 'algorithm'],
      [sign({}, { jwk: publicJwk(other) }), 'header'],
      [sign({}, { jku: 'https://evil.example/jwks' }), 'header'],
      [sign({}, { x5u: 'https://evil.example/x' }), 'header'],
      [sign({}, { x5c: ['AA'] }), 'header'],
      [sign({}, { typ: 'at+jwt' }), 'type'],
      [sign({}, { typ: 'secevent+jwt' }), 'type'],
      [sign({}, { kid: 'unknown' }), 'key'],
      [sign({}, { kid: 'login-2' }), 'key'],
      [logoutToken(other, claims()), 'signature'],
      [sign({ iss: 'https://evil.example' }), 'issuer'],
      [sign({ iss: undefined }), 'issuer'],
      [sign({ aud: 'other' }), 'audience'],
      [sign({ aud: undefined }), 'audience'],
      [sign({ aud: [] }), 'audience'],
      [sign({ exp: iat - 6 }), 'expired'],
      [sign({ iat: iat - 306, exp: iat + 60 }), 'expired'],
      [sign({ iat: iat + 60 }), 'not-yet-valid'],
      [sign({ nbf: iat + 60 }), 'not-yet-valid'],
      [sign({ exp: undefined }), 'claims'],
      [sign({ iat: undefined }), 'claims'],
      [sign({ jti: undefined }), 'claims'],
      [sign({ jti: '' }), 'claims'],
      [sign({ jti: 7 }), 'claims'],
      [sign({ sub: undefined }), 'claims'],
      [sign({ sub: '' }), 'claims'],
      [sign({ sub: 'x'.repeat(513) }), 'claims'],
      [sign({ sid: { a: 1 } }), 'claims'],
      [sign({ exp: 'soon' }), 'claims'],
      [sign({ events: undefined }), 'events'],
      [sign({ events: {} }), 'events'],
      [sign({ events: [event] }), 'events'],
      [sign({ events: { [event]: true } }), 'events'],
      [sign({ events: { 'http://schemas.openid.net/event/other': {} } }), 'events'],
      [sign({ nonce: 'n' }), 'nonce'],
    ]
    for (const [token, reason] of refused) {
      const jwt = await token
      expect(await reasonOf(logouts.verify(jwt)), `${reason}: ${jwt.slice(0, 300)}`).toBe(reason)
    }
    const error = await logouts.verify(await sign({ sub: 'secret-name', nonce: 'n' })).catch(String)
    expect(error).not.toContain('secret-name')
    expect(await reasonOf(logouts.verify(undefined as never))).toBe('malformed')
  })

  it('and HMAC with a public key, or an algorithm that is not allowed, is none', async () => {
    const { logouts, claims, sign } = open()
    const secret = createSecretKey(Buffer.from(JSON.stringify(publicJwk(key))))
    const forged = await forge(
      { alg: 'HS256' as never, privateKey: key.privateKey },
      { kid: key.kid },
      claims(),
      secret,
    )
    expect(await reasonOf(logouts.verify(forged))).toBe('algorithm')
    const { logouts: strict } = open({ algorithms: ['EdDSA'] })
    expect(await reasonOf(strict.verify(await sign()))).toBe('algorithm')
    expect(await strict.verify(await logoutToken(ed, claims()))).toMatchObject({ sub: 'ada' })
  })

  it('by keys that a function gets, which is asked anew where none is the one', async () => {
    const asked: boolean[] = []
    const next = newKey('next', 'ES256')
    const sets: Jwks[] = [JWKS, jwksOf(key, next)]
    const { logouts, claims, sign } = open({
      keys: ({ fresh }) => {
        asked.push(fresh)
        return sets[fresh ? 1 : 0]!
      },
    })
    await logouts.verify(await sign())
    expect(asked).toEqual([false])
    await logouts.verify(await logoutToken(next, claims()))
    expect(asked).toEqual([false, false, true])
    expect(await reasonOf(logouts.verify(await sign({}, { kid: 'none' })))).toBe('key')
    const { logouts: broken } = open({ keys: () => Promise.reject(new RangeError('unreachable')) })
    await expect(broken.verify(await sign())).rejects.toThrow(RangeError)
  })

  it('by keys that fit: others of the set are left out, and secrets are refused', async () => {
    const encrypts = publicJwk(other, { use: 'enc' })
    const strange = { kty: 'AKP', kid: 'login-1', alg: 'ML-DSA-44', pub: 'AA' }
    const weak = { ...publicJwk(newKey('login-1', 'ES256')), alg: undefined }
    const { logouts, sign } = open({ keys: { keys: [encrypts, strange, weak, publicJwk(key)] as never } })
    expect(await logouts.verify(await sign())).toMatchObject({ sub: 'ada' })
    // Two keys of one name could both be meant.
    const { logouts: twofold } = open({ keys: jwksOf(key, other) })
    expect(await reasonOf(twofold.verify(await sign()))).toBe('key')
    const secret = { ...key.privateKey.export({ format: 'jwk' }), kid: key.kid }
    for (const keys of [
      null,
      {},
      { keys: 'x' },
      { keys: [null] },
      { keys: [secret] },
      { keys: [{ kty: 'oct', k: 'AA' }] },
    ])
      expect(() => readIssuerKeys(keys, 'keys')).toThrow(/^INVALID_OPTION: keys/)
    expect(() => readIssuerKeys({ keys: Array.from({ length: 17 }, () => publicJwk(key)) }, 'keys')).toThrow(/16/)
    expect(() => open({ keys: { keys: [secret] } as never })).toThrow(/private or secret key/)
    expect(() => open({ keys: 'x' as never })).toThrow(/INVALID_OPTION/)
  })
})

describe('[LOGOUT-2] a logout token is good once', () => {
  it('until it has expired, also where it comes twice at one time', async () => {
    const { logouts, clock, sign } = open()
    const token = await sign()
    const both = await Promise.all([reasonOf(logouts.verify(token)), reasonOf(logouts.verify(token))])
    expect(both.sort()).toEqual(['none', 'replayed'])
    clock.advance(120_000)
    expect(await reasonOf(logouts.verify(token))).toBe('replayed')
    clock.advance(10_000)
    expect(await reasonOf(logouts.verify(token))).toBe('expired')
  })

  it('and one that was refused does not count', async () => {
    const { logouts, sign } = open()
    expect(await reasonOf(logouts.verify(await sign({ jti: 'one', nonce: 'n' })))).toBe('nonce')
    expect(await reasonOf(logouts.verify(await sign({ jti: 'one' })))).toBe('none')
  })

  it('unless the logout failed', async () => {
    const { logouts, sign } = open()
    const token = await sign()
    logouts.forget(await logouts.verify(token))
    expect(await reasonOf(logouts.verify(token))).toBe('none')
    expect(await reasonOf(logouts.verify(token))).toBe('replayed')
  })

  it('and a bounded number is remembered, of which those go first that have expired', async () => {
    const { logouts, clock, sign } = open({ limits: { maxRememberedIds: 3 } })
    const tokens = await Promise.all(Array.from({ length: 4 }, () => sign()))
    for (const token of tokens) await logouts.verify(token)
    expect(logouts.status().rememberedIds).toBe(3)
    expect(await reasonOf(logouts.verify(tokens[3]!))).toBe('replayed')
    clock.advance(200_000)
    await logouts.verify(await sign())
    expect(logouts.status().rememberedIds).toBe(1)
  })
})
