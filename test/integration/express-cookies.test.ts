/** How the life of a session follows that of its cookie. */
import { SojournStore } from '@sojourn/express'
import type { RequestHandler } from 'express'
import session, { type SessionData } from 'express-session'
import { afterEach, describe, expect, it, onTestFinished } from 'vitest'
import { Browser } from '../support/browser.js'
import { closeOpened, login, MINUTE_MS, regionsOf, serve, show } from '../support/express-app.js'
import { steppedClock } from '../support/region.js'
import { until } from '../support/until.js'

afterEach(closeOpened)

const DAY_MS = 24 * 60 * MINUTE_MS

const changing =
  (change: (cookie: session.Cookie) => void): RequestHandler =>
  (req, res) => {
    change(req.session.cookie)
    res.json({})
  }

const remember = changing((cookie) => {
  cookie.maxAge = 20 * DAY_MS
})

/** The `Expires` of an answer's cookie, as milliseconds from now. The last byte comes when the session is saved. */
const cookieMs = async (response: Response): Promise<number> => {
  await response.clone().text()
  const [, expires = ''] = /Expires=([^;]+)/.exec(response.headers.getSetCookie()[0] ?? '') ?? []
  return Date.parse(expires) - Date.now()
}

const warnings = (): Error[] => {
  const heard: Error[] = []
  const hear = (warning: Error) => void (warning.name === 'SojournWarning' && heard.push(warning))
  process.on('warning', hear)
  onTestFinished(() => void process.off('warning', hear))
  return heard
}

describe('a cookie that changes', () => {
  it('[EXPR-6] a changed maxAge alone is kept: for the session, and for the requests after it', async () => {
    const clock = steppedClock()
    const { eu } = await regionsOf(['eu'], { ports: { clock } })
    const { url } = await serve(
      eu,
      { '/login': login, '/remember': remember, '/': show },
      { session: { cookie: { maxAge: 10 * MINUTE_MS }, rolling: true } },
    )
    const browser = new Browser()
    await browser.json('GET', `${url}/login`)
    expect(await cookieMs(await browser.request('GET', `${url}/remember`))).toBeGreaterThan(19 * DAY_MS)
    expect(await cookieMs(await browser.request('GET', url))).toBeGreaterThan(19 * DAY_MS)
    clock.advance(15 * DAY_MS)
    expect(await browser.json('GET', url)).toMatchObject({ user: 'ada' })
  })

  it.each([
    ['expires = false', (cookie: session.Cookie) => void Object.assign(cookie, { expires: false })],
    ['maxAge = null', (cookie: session.Cookie) => void Object.assign(cookie, { maxAge: null })],
  ])('[EXPR-6] leaving “remember me” by %s shortens the session to the default', async (_name, leave) => {
    const clock = steppedClock()
    const { eu } = await regionsOf(['eu'], { ports: { clock }, session: { idleTimeout: '10m' } })
    const routes = { '/login': login, '/remember': remember, '/leave': changing(leave), '/': show }
    const { url } = await serve(eu, routes, { session: { cookie: { maxAge: 30 * MINUTE_MS }, rolling: true } })
    const browser = new Browser()
    await browser.json('GET', `${url}/login`)
    await browser.json('GET', `${url}/remember`)
    const left = await browser.request('GET', `${url}/leave`)
    expect(left.headers.getSetCookie()[0]).not.toMatch(/Expires/)
    await left.text()
    clock.advance(8 * MINUTE_MS)
    const next = await browser.request('GET', url)
    expect(next.headers.getSetCookie()[0]).not.toMatch(/Expires/)
    expect(await next.json()).toMatchObject({ user: 'ada' })
    clock.advance(11 * MINUTE_MS)
    expect((await browser.json('GET', url)).user).toBeUndefined()
  })

  it('[EXPR-6] an expiry in the past ends the session at once', async () => {
    const { eu } = await regionsOf(['eu'])
    const forget = changing((cookie) => {
      cookie.expires = new Date(0)
    })
    const { url, errors } = await serve(eu, { '/login': login, '/forget': forget, '/': show })
    const browser = new Browser()
    const { id } = await browser.json('GET', `${url}/login`)
    await browser.json('GET', `${url}/forget`)
    expect(await eu.get(id)).toBeUndefined()
    expect(errors).toEqual([])
  })

  it('[EXPR-3] a changed cookie and a changed field, in two requests at one time, are both kept', async () => {
    const { eu } = await regionsOf(['eu'])
    const store = new SojournStore({ sessions: eu })
    const data = { cookie: { originalMaxAge: 60_000 }, views: 1 } as unknown as SessionData
    await store.set('sid', data)
    const [one, two] = [(await store.get('sid'))!, (await store.get('sid'))!]
    Object.assign(one.cookie, { originalMaxAge: 120_000 })
    await Promise.all([store.touch('sid', one), store.set('sid', { ...two, views: 2 })])
    expect(await store.get('sid')).toMatchObject({ views: 2, cookie: { originalMaxAge: 120_000 } })
  })
})

describe('cookies as express-session’s own store takes them', () => {
  const get = async (cookie: unknown) => {
    const clock = steppedClock()
    const { eu } = await regionsOf(['eu'], { ports: { clock } })
    const store = new SojournStore({ sessions: eu, clock })
    await store.set('sid', { cookie, user: 'ada' } as unknown as SessionData)
    return { found: await store.get('sid'), store, clock }
  }

  it('[EXPR-6] a session without a cookie has none', async () => {
    const { found, store } = await get(undefined)
    expect(found).toEqual({ user: 'ada' })
    await store.set('sid', { ...found!, views: 1 })
    await store.touch('sid', found!)
    expect(await store.get('sid')).toEqual({ user: 'ada', views: 1 })
  })

  it('[EXPR-6] an expiry that has passed, without originalMaxAge: the session is not there', async () => {
    const { found, store } = await get({ expires: new Date(Date.now() - 1_000) })
    expect(found).toBeNull()
    expect(await store.length()).toBe(0)
    expect((await get({ expires: new Date(0).toISOString() })).found).toBeNull()
  })

  it('[EXPR-6] an expiry to come, without originalMaxAge: the session is there until then, and no longer', async () => {
    const expires = new Date(Date.now() + 20 * MINUTE_MS)
    const { found, store, clock } = await get({ expires })
    expect(found?.cookie.expires).toEqual(expires)
    clock.advance(15 * MINUTE_MS)
    await store.touch('sid', found!)
    clock.advance(6 * MINUTE_MS)
    expect([await store.get('sid'), await store.all()]).toEqual([null, []])
  })

  it.each([
    ['an invalid date', new Date(Number.NaN)],
    ['no date', 'soon'],
    ['null', null],
    ['false', false],
  ])('[EXPR-6] an expiry that is %s: the session lives as long as sessions do', async (_name, expires) => {
    const { found, store, clock } = await get({ expires, originalMaxAge: expires instanceof Date ? Number.NaN : null })
    expect(found).toMatchObject({ user: 'ada' })
    clock.advance(29 * MINUTE_MS)
    expect(await store.get('sid')).toMatchObject({ user: 'ada' })
    clock.advance(2 * MINUTE_MS)
    expect(await store.get('sid')).toBeNull()
  })
})

describe('a cookie that outlives session.maxLifetime', () => {
  it('[EXPR-6] is cut, with one warning that names both numbers, and the browser is sent the cut one', async () => {
    const heard = warnings()
    const { eu } = await regionsOf(['eu'], { session: { maxLifetime: '1h' } })
    const { url, errors } = await serve(
      eu,
      { '/login': login, '/': show },
      { session: { cookie: { maxAge: 90 * MINUTE_MS }, rolling: true } },
    )
    const browser = new Browser()
    const first = await browser.request('GET', `${url}/login`)
    const { id } = (await first.clone().json()) as { id: string }
    const left = (await eu.get(id))!.expiresAt - Date.now()
    expect(Math.abs((await cookieMs(first)) - left)).toBeLessThan(2_000)
    const again = await browser.request('GET', url)
    expect(await again.clone().json()).toMatchObject({ user: 'ada' })
    expect(await cookieMs(again)).toBeLessThanOrEqual(60 * MINUTE_MS)
    await until(() => heard.length > 0, 'the warning')
    expect(heard).toHaveLength(1)
    expect(heard[0]!.message).toMatch(/\b(5400000|5399999) ms\b.*\b3600000 ms\b/)
    expect(errors).toEqual([])
  })

  it('[EXPR-6] is not sent a later end by a later request', async () => {
    warnings()
    const clock = steppedClock()
    const { eu } = await regionsOf(['eu'], { ports: { clock }, session: { maxLifetime: '1h' } })
    // Cookies read the machine's clock, so the session begins in the past.
    clock.advance(-35 * MINUTE_MS)
    const options = { session: { cookie: { maxAge: 40 * MINUTE_MS }, rolling: true }, clock }
    const { url } = await serve(eu, { '/login': login, '/': show }, options)
    const browser = new Browser()
    await browser.json('GET', `${url}/login`)
    clock.advance(35 * MINUTE_MS)
    const left = await cookieMs(await browser.request('GET', url))
    expect(left).toBeLessThanOrEqual(25 * MINUTE_MS)
    expect(left).toBeGreaterThan(24 * MINUTE_MS)
    clock.advance(10 * MINUTE_MS)
    expect(await browser.json('GET', url)).toMatchObject({ user: 'ada' })
    clock.advance(16 * MINUTE_MS)
    expect((await browser.json('GET', url)).user).toBeUndefined()
  })

  it('[EXPR-6] an expiry in the year 9999 is cut likewise', async () => {
    const heard = warnings()
    const { eu } = await regionsOf(['eu'])
    const forEver: RequestHandler = (req, res, next) => {
      req.session.cookie.expires = new Date('9999-12-31T23:59:59Z')
      login(req, res, next)
    }
    const { url, errors } = await serve(eu, { '/login': forEver, '/': show })
    const browser = new Browser()
    const response = await browser.request('GET', `${url}/login`)
    expect(Math.abs((await cookieMs(response)) - 30 * DAY_MS)).toBeLessThan(2_000)
    expect(await browser.json('GET', url)).toMatchObject({ user: 'ada' })
    await until(() => heard.length > 0, 'the warning')
    expect(errors).toEqual([])
  })

  it('[EXPR-6] “remember me for 30 days” is remembered for 30 days, out of the box', async () => {
    const clock = steppedClock()
    const { eu } = await regionsOf(['eu'], { ports: { clock } })
    const store = new SojournStore({ sessions: eu, clock })
    const cookie = Object.assign(new session.Cookie(), { maxAge: 30 * DAY_MS })
    await store.set('sid', { cookie, user: 'ada' } as unknown as SessionData)
    clock.advance(30 * DAY_MS - MINUTE_MS)
    expect(await store.get('sid')).toMatchObject({ user: 'ada' })
    clock.advance(2 * MINUTE_MS)
    expect(await store.get('sid')).toBeNull()
  })
})
