/** What keeps other sites from writing with a user's cookie: tokens of a session, and what browsers say of a request. */
import { randomBytes } from 'node:crypto'
import { sessionKey } from '@sojourn/core'
import { type CheckOriginOptions, checkCsrf, checkOrigin, csrfToken, type WrittenRequest } from '@sojourn/identity'
import { describe, expect, it } from 'vitest'

const session = { handle: sessionKey('ada') }
const another = { handle: sessionKey('eve') }
const [OLD, NEW] = ['a'.repeat(32), 'b'.repeat(32)] as const
const keys = [NEW, OLD]

const refusalOf = (call: () => unknown): unknown => {
  try {
    return call()
  } catch (error) {
    return error
  }
}
const refused = (reason: string) => ({ code: 'CSRF_REFUSED', reason })

describe('[CSRF-1] a token is good for one session, and for every key of the list', () => {
  it('whoever made it, and whatever rotates', () => {
    checkCsrf(csrfToken(session, { keys }), session, { keys })
    checkCsrf(csrfToken(session, { keys: [OLD] }), session, { keys })
    checkCsrf(csrfToken(session, { keys }), { handle: session.handle }, { keys: [randomBytes(32), NEW] })
    expect(csrfToken(session, { keys })).toMatch(/^[\w-]{64}$/)
  })

  it('and for no other', () => {
    const token = csrfToken(session, { keys })
    expect(refusalOf(() => checkCsrf(token, another, { keys }))).toMatchObject(refused('mismatch'))
    expect(refusalOf(() => checkCsrf(token, session, { keys: [OLD] }))).toMatchObject(refused('mismatch'))
  })

  it('and each bit of it counts', () => {
    const token = Buffer.from(csrfToken(session, { keys }), 'base64url')
    for (let bit = 0; bit < token.length * 8; bit++) {
      const forged = Buffer.from(token)
      forged[bit >> 3]! ^= 1 << (bit & 7)
      const call = () => checkCsrf(forged.toString('base64url'), session, { keys })
      expect(refusalOf(call), String(bit)).toMatchObject(refused('mismatch'))
    }
  })

  it('and whatever else comes is refused with a reason', () => {
    const token = csrfToken(session, { keys })
    for (const missing of [undefined, null, ''])
      expect(refusalOf(() => checkCsrf(missing, session, { keys }))).toMatchObject(refused('missing'))
    const odd = [
      42,
      {},
      [token],
      token.slice(1),
      `${token}=`,
      `${token} `,
      `${token.slice(1)}+`,
      'é'.repeat(64),
      session.handle,
    ]
    for (const malformed of odd) {
      const error = refusalOf(() => checkCsrf(malformed, session, { keys }))
      expect(error, String(malformed)).toMatchObject(refused('malformed'))
      expect(String(error)).not.toContain(token.slice(1, 20))
    }
    const mine = { handle: 'no handle' }
    expect(refusalOf(() => csrfToken(mine, { keys }))).toMatchObject({ code: 'INVALID_OPTION', option: 'handle' })
    expect(refusalOf(() => checkCsrf(token, undefined as never, { keys }))).toMatchObject({ code: 'INVALID_OPTION' })
    for (const bad of [[], ['short'], undefined, NEW])
      expect(refusalOf(() => checkCsrf(token, session, { keys: bad as never }))).toMatchObject({
        code: 'INVALID_OPTION',
      })
  })
})

describe('[CSRF-2] two tokens of a session have nothing in common', () => {
  it('so a page that is compressed gives none away', () => {
    const tokens = Array.from({ length: 200 }, () => csrfToken(session, { keys }))
    expect(new Set(tokens).size).toBe(200)
    for (let at = 0; at < 64; at++)
      expect(new Set(tokens.map((token) => token[at])).size, String(at)).toBeGreaterThan(16)
  })

  it('and are made of the entropy that is given', () => {
    const asked: number[] = []
    const random = {
      bytes: (count: number) => {
        asked.push(count)
        return new Uint8Array(count).fill(7)
      },
    }
    const token = csrfToken(session, { keys, random })
    expect(token).toBe(csrfToken(session, { keys, random }))
    expect(asked).toEqual([16, 16])
    expect(Buffer.from(token, 'base64url').subarray(0, 16)).toEqual(Buffer.alloc(16, 7))
    checkCsrf(token, session, { keys })
  })
})

describe('[CSRF-3] a write goes through by what browsers say of the page that makes it', () => {
  const origins = ['https://shop.example', 'http://localhost:3000']
  const check = (
    headers: WrittenRequest['headers'],
    method = 'POST',
    more: Partial<CheckOriginOptions> = {},
  ): unknown => refusalOf(() => checkOrigin({ method, headers }, { origins, ...more }))
  const site = (value: string, origin?: string) => ({
    'sec-fetch-site': value,
    ...(origin !== undefined && { origin }),
  })

  it('by Sec-Fetch-Site, where there is one', () => {
    expect(check(site('same-origin'))).toBe('same-origin')
    // A page whose Referrer-Policy is no-referrer sends this.
    expect(check(site('same-origin', 'null'))).toBe('same-origin')
    expect(check(site('none'))).toBe('user')
    expect(check(site('cross-site', 'https://evil.example'))).toMatchObject(refused('cross-site'))
    expect(check(site('cross-site'))).toMatchObject(refused('cross-site'))
    expect(check(site('cross-site', 'null'))).toMatchObject(refused('cross-site'))
    expect(check(site('same-site', 'https://blog.shop.example'))).toMatchObject(refused('same-site'))
    expect(check(site('cross-site', 'https://shop.example'))).toBe('listed-origin')
    expect(check(site('cross-site'), 'POST', { withoutOrigin: 'allow' })).toMatchObject(refused('cross-site'))
  })

  it('by Origin else', () => {
    expect(check({ origin: 'https://shop.example' })).toBe('listed-origin')
    expect(check({ origin: 'http://localhost:3000' })).toBe('listed-origin')
    const others = ['null', '', 'https://shop.example.evil.example', 'https://shop.example:8443', 'http://shop.example']
    for (const origin of [...others, 'https://shop.example/', 'https://SHOP.example', 'https://shop.example, null'])
      expect(check({ origin }), origin).toMatchObject(refused('unlisted-origin'))
    expect(check({ origin: ['https://shop.example', 'https://shop.example'] })).toMatchObject(
      refused('unlisted-origin'),
    )
    // What no browser sends is no word for either.
    expect(check(site('same-origin, same-origin'))).toMatchObject(refused('no-origin'))
    expect(check(site('Same-Origin', 'https://evil.example'))).toMatchObject(refused('unlisted-origin'))
  })

  it('and without either it is refused, unless other programs may write', () => {
    expect(check({})).toMatchObject(refused('no-origin'))
    expect(String(check({}))).toMatch(/Set withoutOrigin to 'allow'/)
    expect(check({}, 'POST', { withoutOrigin: 'allow' })).toBe('no-origin')
    expect(check({ origin: 'null' }, 'POST', { withoutOrigin: 'allow' })).toMatchObject(refused('unlisted-origin'))
  })

  it('whatever may write, and nothing that only reads', () => {
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'TRACE'])
      expect(check(site('cross-site'), method)).toBe('safe-method')
    for (const method of ['PUT', 'PATCH', 'DELETE', 'get', 'PROPFIND', ''])
      expect(check(site('cross-site'), method), method).toMatchObject(refused('cross-site'))
    expect(refusalOf(() => checkOrigin({ headers: {} }, { origins }))).toMatchObject(refused('no-origin'))
  })

  it("with the headers of Node.js, or of the Fetch standard's requests", () => {
    const request = new Request('https://shop.example', { method: 'POST', headers: { origin: 'https://shop.example' } })
    expect(checkOrigin(request, { origins })).toBe('listed-origin')
    expect(check(new Headers())).toMatchObject(refused('no-origin'))
  })

  it('and a list that no browser could meet is refused', () => {
    for (const origin of [
      '*',
      'null',
      'shop.example',
      'https://shop.example/',
      'https://shop.example:443',
      'ftp://a.example',
    ])
      expect(check({}, 'POST', { origins: [origin] }), origin).toMatchObject({
        code: 'INVALID_OPTION',
        option: 'origins.0',
      })
    expect(check({}, 'POST', { origins: [] })).toMatchObject({ code: 'INVALID_OPTION', option: 'origins' })
  })
})
