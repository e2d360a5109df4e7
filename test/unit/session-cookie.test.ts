/** The session cookie: what it says to a browser, what is refused, and what is read of what comes back. */
import { setTimeout as turns } from 'node:timers/promises'
import { type SessionCookie, type SessionCookieOptions, sessionCookie } from '@sojourn/identity'
import { CookieJar, PrefixSecurityEnum } from 'tough-cookie'
import { describe, expect, it, onTestFinished, vi } from 'vitest'

const NOW = Date.UTC(2026, 10, 27, 12, 0, 0, 250)
const MINUTE = 60_000
const ID = 'abcdefghijklmnopqrstuv.ABCDEFGHIJKLMNOPQRSTUV'
const KEYS = ['a', 'b', 'c'].map((letter) => letter.repeat(32))
const [OLD, NEW, OTHER] = KEYS as [string, string, string]

const session = (id = ID, expiresAt = NOW + 30 * MINUTE) => ({ id, expiresAt })
const setBy = (cookie: SessionCookie, id = ID, after?: string): string =>
  cookie.serialize(session(id), { now: NOW, ...(after !== undefined && { after }) })
/** What a browser sends back. */
const sent = (setCookie: string): string => setCookie.split(';')[0]!

const browser = () => new CookieJar(undefined, { prefixSecurity: PrefixSecurityEnum.STRICT })

const refusalOf = (options: unknown): unknown => {
  try {
    return sessionCookie(options as SessionCookieOptions).name
  } catch (error) {
    return error
  }
}

describe('[COOKIE-1] by default the cookie is for this host, HTTPS, and no script', () => {
  it('in each attribute', () => {
    expect(setBy(sessionCookie())).toBe(
      `__Host-sid=${ID}; Path=/; Max-Age=1800; Expires=Fri, 27 Nov 2026 12:30:01 GMT; HttpOnly; Secure; SameSite=Lax`,
    )
  })

  it('so a browser keeps it, and sends it to this host over HTTPS only', async () => {
    const jar = browser()
    await jar.setCookie(sessionCookie().serialize(session(ID, Date.now() + MINUTE)), 'https://shop.example/login')
    const to = async (url: string) => (await jar.getCookieString(url)) !== ''
    expect(await to('https://shop.example/cart')).toBe(true)
    expect(await to('http://shop.example/cart')).toBe(false)
    expect(await to('https://www.shop.example/')).toBe(false)
    const [kept] = await jar.getCookies('https://shop.example/')
    expect(kept).toMatchObject({ httpOnly: true, secure: true, hostOnly: true, sameSite: 'lax', path: '/' })
  })

  it('and with a domain, or a path, under the prefix that allows one', async () => {
    const cookie = sessionCookie({ name: '__Secure-sid', domain: 'shop.example', path: '/app', sameSite: 'strict' })
    const jar = browser()
    await jar.setCookie(cookie.serialize(session(ID, Date.now() + MINUTE)), 'https://www.shop.example/app')
    expect(await jar.getCookieString('https://api.shop.example/app/x')).toBe(`__Secure-sid=${ID}`)
    expect(await jar.getCookieString('https://api.shop.example/')).toBe('')
  })
})

describe('[COOKIE-2] what would be unsafe is refused, with what is allowed', () => {
  const cases: readonly (readonly [options: unknown, option: string, message: RegExp])[] = [
    [{ httpOnly: false }, 'httpOnly', /give true, or leave it out: scripts must never read/],
    [{ secure: false }, 'secure', /give true, .* For http:\/\/localhost, set insecureLocalhost/],
    [{ domain: 'shop.example' }, 'domain', /a __Host- cookie has no domain; .* __Secure-sid/],
    [{ name: '__Secure-a', domain: '.shop.example' }, 'domain', /without a dot before it/],
    [{ name: '__Secure-a', domain: 'example' }, 'domain', /a domain such as/],
    [{ name: '__Secure-a', domain: 'a.b;x=y' }, 'domain', /a domain such as/],
    [{ name: '__Secure-a', domain: '127.0.0.1' }, 'domain', /a domain such as/],
    [{ path: '/app' }, 'path', /a __Host- cookie has the path \/; .* __Secure-sid/],
    [{ name: '__Secure-a', path: '/a; Domain=x' }, 'path', /without spaces and semicolons/],
    [{ name: '__Secure-a', path: 'app' }, 'path', /a path such as \//],
    [{ name: 'sid' }, 'name', /give __Host- or __Secure-/],
    [{ name: '__host-sid' }, 'name', /give __Host- or __Secure-/],
    [{ name: '__Host-' }, 'name', /give __Host- or __Secure-/],
    [{ name: '__Host-a=b' }, 'name', /give __Host- or __Secure-/],
    [{ name: '__Host-a\r\nx' }, 'name', /give __Host- or __Secure-/],
    [{ sameSite: 'None' }, 'sameSite', /did you mean "none"/],
    [{ sameSite: 'none', insecureLocalhost: true }, 'sameSite', /SameSite=None with Secure only; give 'lax'/],
    [{ name: '__Secure-a', domain: 'a.example', insecureLocalhost: true }, 'domain', /localhost has no domain/],
    [{ url: 'http://shop.example' }, 'url', /over HTTPS only; give an https:\/\/ address, or http:\/\/localhost/],
    [{ url: 'http://localhost.shop.example' }, 'url', /over HTTPS only/],
    [{ url: 'shop.example' }, 'url', /a whole URL/],
    [{ url: 'https://shop.example', insecureLocalhost: true }, 'insecureLocalhost', /contradicts url/],
    [{ url: 'http://localhost:3000', insecureLocalhost: false }, 'insecureLocalhost', /contradicts url/],
    [{ maxAge: 60 }, 'maxAge', /lives as long as the session/],
    [{ secret: NEW }, 'secret', /a list of secrets as `keys`/],
    [{ keys: [] }, 'keys', /a list of 1 to 16 secrets/],
    [{ keys: NEW }, 'keys', /a string of 32 characters; give a list/],
    [{ keys: Array(17).fill(NEW) }, 'keys', /a list of 1 to 16 secrets/],
    [{ keys: ['short'] }, 'keys.0', /keys\.0 is a string of 5 characters; give a secret of 32 or more/],
    [{ limits: { maxHeaderBytes: 0 } }, 'limits.maxHeaderBytes', /a whole number, 1 or more/],
  ]
  it.each(cases)('%j', (options, option, message) => {
    const error = refusalOf(options)
    expect(error).toMatchObject({ code: 'INVALID_OPTION', option })
    expect(String(error)).toMatch(message)
    expect(String(error)).not.toContain(NEW)
  })

  it('and so is a session that cannot be in a cookie', () => {
    const cookie = sessionCookie()
    const fault = (...args: unknown[]): unknown => {
      try {
        return Reflect.apply(cookie.serialize, cookie, args)
      } catch (error) {
        return error
      }
    }
    for (const [args, option] of [
      [[session('')], 'id'],
      [[session('\ud800')], 'id'],
      [[session('語'.repeat(512))], 'id'],
      [[session(ID, Number.NaN)], 'expiresAt'],
      [[session(ID, Number.MAX_VALUE)], 'expiresAt'],
      [[session(), { after: 'a b' }], 'after'],
      [[session(), { after: 'a'.repeat(129) }], 'after'],
      [[session(), { now: 'today' }], 'now'],
    ] as const) {
      const error = fault(...args)
      expect(error, option).toMatchObject({ code: 'INVALID_OPTION', option })
      expect(String(error)).not.toContain(ID)
    }
    expect(String(fault(session('語'.repeat(512))))).toMatch(/would have 4618 bytes, and browsers keep 4096/)
  })
})

describe('[COOKIE-3] on http://localhost the cookie has no prefix and no Secure, and the process warns once', () => {
  it('by option, or by the address of the app', async () => {
    const warned = vi.fn()
    process.on('warning', warned)
    onTestFinished(() => void process.off('warning', warned))
    const local = [{ insecureLocalhost: true }, { url: 'http://localhost:3000' }, { url: 'http://127.0.0.1/' }]
    for (const options of [...local, { url: 'http://[::1]:80' }, { url: 'http://app.localhost' }]) {
      const cookie = sessionCookie(options)
      expect(cookie.name).toBe('sid')
      expect(setBy(cookie)).toMatch(/^sid=.*; HttpOnly; SameSite=Lax$/)
      expect(cookie.clear()).toMatch(/^sid=; .*; HttpOnly; SameSite=Lax$/)
    }
    for (const options of [{}, { insecureLocalhost: false }, { url: 'https://localhost' }])
      expect(setBy(sessionCookie(options))).toMatch(/^__Host-sid=.*; Secure;/)
    // Warnings are emitted at the end of a turn.
    await turns(0)
    expect(warned).toHaveBeenCalledOnce()
    expect(warned.mock.calls[0]![0]).toMatchObject({ name: 'SojournWarning', code: 'SOJOURN_INSECURE_COOKIE' })
  })
})

describe('[COOKIE-4] the cookie lives as long as the session', () => {
  it('and never shorter', () => {
    const cookie = sessionCookie({ keys: [NEW] })
    const lifeOf = (setCookie: string) => {
      const [, maxAge, expires] = /Max-Age=(\d+); Expires=([^;]+);/.exec(setCookie)!
      return [Number(maxAge), Date.parse(expires!)] as const
    }
    for (const ms of [1, 999, 1_000, 1_001, 30 * MINUTE]) {
      const [maxAge, expires] = lifeOf(cookie.serialize(session(ID, NOW + ms), { now: NOW }))
      expect(maxAge).toBe(Math.ceil(ms / 1_000))
      expect(expires).toBeGreaterThanOrEqual(NOW + ms)
      expect(expires).toBeLessThan(NOW + ms + 2_000)
    }
  })

  it('by the clock that it was given', () => {
    const clock = { now: () => NOW, monotonic: () => 0, after: vi.fn(), soon: vi.fn(), endOfTurn: vi.fn() }
    expect(sessionCookie({ clock }).serialize(session())).toMatch(/Max-Age=1800;/)
  })

  it('and a session that is over, or that ended, takes it from the browser', async () => {
    const cookie = sessionCookie()
    expect(cookie.serialize(session(ID, NOW), { now: NOW })).toBe(cookie.clear())
    const jar = browser()
    await jar.setCookie(cookie.serialize(session(ID, Date.now() + MINUTE)), 'https://shop.example/')
    await jar.setCookie(cookie.clear(), 'https://shop.example/')
    expect(await jar.getCookieString('https://shop.example/')).toBe('')
  })
})

describe('[COOKIE-5] of a signed cookie, nothing is read that none of the keys signed', () => {
  const before = sessionCookie({ keys: [OLD] })
  const rotated = sessionCookie({ keys: [NEW, OLD] })

  it('the first key signs, and each of them verifies', () => {
    expect(rotated.read(sent(setBy(before)))).toEqual({ id: ID })
    expect(before.read(sent(setBy(rotated)))).toBeUndefined()
    expect(sessionCookie({ keys: [OTHER, NEW] }).read(sent(setBy(rotated)))).toEqual({ id: ID })
    expect(sessionCookie({ keys: [OTHER] }).read(sent(setBy(rotated)))).toBeUndefined()
  })

  it('and covers the id, the last write, and the name', () => {
    const header = sent(setBy(rotated, ID, 'eu.12'))
    expect(rotated.read(header)).toEqual({ id: ID, after: 'eu.12' })
    const [id, after, signature] = header.slice('__Host-sid='.length).split(':') as [string, string, string]
    const forged = [
      [id, 'eu.13', signature],
      [id, '', signature],
      [id, after, ''],
      [id, after],
      [id],
      [`${id}x`, after, signature],
      [id, after, signature, ''],
      [id, after, `${signature}=`],
      [id, after, `${signature.slice(0, -1)}-`],
      [id, after, signature.slice(1)],
      [id, after, signature, signature],
    ]
    for (const parts of forged) expect(rotated.read(`__Host-sid=${parts.join(':')}`), parts.join(':')).toBeUndefined()
    const elsewhere = sessionCookie({ name: '__Host-admin', keys: [NEW] })
    expect(elsewhere.read(header.replace('sid', 'admin'))).toBeUndefined()
  })

  it('and its keys may be bytes', () => {
    const bytes = sessionCookie({ keys: [new TextEncoder().encode(NEW)] })
    expect(bytes.read(sent(setBy(sessionCookie({ keys: [NEW] }))))).toEqual({ id: ID })
  })

  it('of an unsigned one the signature does not matter, so that keys can be given up', () => {
    expect(sessionCookie().read(sent(setBy(rotated, ID, 'eu.12')))).toEqual({ id: ID, after: 'eu.12' })
  })
})

describe('[COOKIE-6] whatever a header holds, reading it throws nothing, and names one session or none', () => {
  const cookie = sessionCookie()
  const value = `__Host-sid=${ID}`

  it('beside other cookies', () => {
    for (const header of [
      value,
      `a=b; ${value}; c=d`,
      `a=b;${value}`,
      `  ${value} ;`,
      `x__Host-sid=no; ${value}`,
      `__Host-sid; ${value}`,
      `;;=;==; ${value}`,
      `__host-sid=other; ${value}`,
      `__Host-sid=; ${value}`,
      `__Host-sid=%; ${value}`,
      `__Host-sid=a%2; ${value}`,
      `${value}; ${value}`,
    ])
      expect(cookie.read(header), header).toEqual({ id: ID })
  })

  it('and not where there is none that can be read, or more than one', () => {
    for (const header of [
      undefined,
      null,
      '',
      'a',
      '=',
      '__Host-sid',
      '__Host-sid=',
      '__Host-sid="a"',
      '__Host-sid=a%41',
      '__Host-sid=%e8%aa%9e',
      '__Host-sid=a b',
      `__Host-sid=${'a'.repeat(513)}`,
      `__Host-sid=a:b c`,
      `__Host-sid=a:${'b'.repeat(129)}`,
      `${value}; __Host-sid=other`,
      Array(5).fill(value).join('; '),
      `${value}; a=${'b'.repeat(16_384)}`,
      42,
      [value],
    ])
      expect(cookie.read(header as string), String(header).slice(0, 40)).toBeUndefined()
  })

  it('and of two, the one that is signed', () => {
    const signed = sessionCookie({ keys: [NEW] })
    const good = sent(setBy(signed))
    expect(signed.read(`__Host-sid=fixed; ${good}`)).toEqual({ id: ID })
    expect(signed.read(`${good}; ${sent(setBy(signed, 'another'))}`)).toBeUndefined()
  })

  it('within bounds that an app can set', () => {
    const narrow = sessionCookie({ limits: { maxHeaderBytes: value.length + 4, maxSameName: 1 } })
    expect(narrow.read(`${value}; a=`)).toEqual({ id: ID })
    expect(narrow.read(`${value}; a=b`)).toBeUndefined()
    const single = sessionCookie({ limits: { maxSameName: 1 } })
    expect(single.read(`${value}; ${value}`)).toBeUndefined()
  })
})
