import { SojournStore } from '@sojourn/express'
import type { SessionApi } from '@sojourn/replica'
import type { RequestHandler } from 'express'
import session, { type SessionData } from 'express-session'
import { afterEach, describe, expect, it } from 'vitest'
import { Browser } from '../support/browser.js'
import { closeOpened, expectIdleTimeout, login, MINUTE_MS, regionsOf, serve, show } from '../support/express-app.js'
import { steppedClock } from '../support/region.js'

afterEach(closeOpened)

describe('what is kept', () => {
  class Money {
    readonly amount: number
    readonly unit: string
    constructor(amount: number, unit: string) {
      this.amount = amount
      this.unit = unit
    }
  }

  it('[EXPR-5] undefined is left out, instances become plain, toJSON is asked; dates and bytes stay', async () => {
    const { eu } = await regionsOf(['eu'])
    const store = new SojournStore({ sessions: eu })
    const since = new Date(1_700_000_000_000)
    const fields = {
      nothing: undefined,
      price: new Money(5, 'EUR'),
      list: [new Money(1, 'USD'), undefined],
      link: new URL('http://localhost/'),
      since,
      bytes: Uint8Array.of(1, 2),
    }
    await store.set('sid', { cookie: new session.Cookie(), user: undefined, fields } as unknown as SessionData)
    const found = await store.get('sid')
    expect(found).not.toHaveProperty('user')
    expect(found?.fields).toEqual({
      price: { amount: 5, unit: 'EUR' },
      list: [{ amount: 1, unit: 'USD' }, null],
      link: 'http://localhost/',
      since,
      bytes: Uint8Array.of(1, 2),
    })
  })

  it('[EXPR-5] a cycle is refused by an error that names the place, and nothing is written', async () => {
    const { eu } = await regionsOf(['eu'])
    const save: RequestHandler = (req, res, next) => {
      const fields: Record<string, unknown> = { good: 1 }
      fields.bad = fields
      req.session.fields = fields
      // express-session makes JSON of a session to see whether it changed, so this would fail there already.
      new SojournStore({ sessions: eu }).set(req.sessionID, req.session, (error) => {
        req.session.fields = {}
        if (error) next(error)
        else res.json({})
      })
    }
    const { url, errors } = await serve(eu, { '/login': login, '/save': save, '/': show })
    const browser = new Browser()
    await browser.json('GET', `${url}/login`)
    expect((await browser.request('GET', `${url}/save`)).status).toBe(500)
    expect(errors).toEqual([
      expect.objectContaining({ code: 'INVALID_DATA', path: expect.stringMatching(/^\/fields\/bad/) }),
    ])
    expect(await browser.json('GET', url)).not.toHaveProperty('fields.good')
  })
})

describe('deadlines', () => {
  it('[EXPR-6] the lifetime of the cookie is how long a session may be idle; use renews it', async () => {
    const clock = steppedClock()
    const { eu } = await regionsOf(['eu'], { ports: { clock } })
    const { url } = await serve(eu, { '/login': login, '/': show }, { session: { cookie: { maxAge: 10 * MINUTE_MS } } })
    const browser = new Browser()
    const { id } = await browser.json('GET', `${url}/login`)
    for (let n = 0; n < 3; n++) {
      clock.advance(8 * MINUTE_MS)
      expect(await browser.json('GET', url)).toMatchObject({ user: 'ada' })
    }
    clock.advance(11 * MINUTE_MS)
    expect(await eu.get(id)).toBeUndefined()
    expect((await browser.json('GET', url)).user).toBeUndefined()
  })

  it('[EXPR-6] no use extends a session past session.maxLifetime, however long its cookie lives', async () => {
    const clock = steppedClock()
    const { eu } = await regionsOf(['eu'], { ports: { clock }, session: { maxLifetime: '1h' } })
    const { url } = await serve(eu, { '/login': login, '/': show }, { session: { cookie: { maxAge: 90 * MINUTE_MS } } })
    const browser = new Browser()
    const { id } = await browser.json('GET', `${url}/login`)
    const { createdAt, expiresAt } = (await eu.get(id))!
    expect(expiresAt).toBe(createdAt + 60 * MINUTE_MS)
    clock.advance(59 * MINUTE_MS)
    expect(await browser.json('GET', url)).toMatchObject({ user: 'ada' })
    clock.advance(MINUTE_MS)
    expect((await browser.json('GET', url)).user).toBeUndefined()
  })

  it('[EXPR-6] a cookie that lasts as long as the browser: session.idleTimeout says how long', async () => {
    const clock = steppedClock()
    const { eu } = await regionsOf(['eu'], { ports: { clock }, session: { idleTimeout: '5m' } })
    const { url } = await serve(eu, { '/login': login, '/': show })
    await expectIdleTimeout(url, clock, 5 * MINUTE_MS)
  })
})

describe('faults', () => {
  it('[EXPR-7] sessions that never answer: an error within the timeout, for reads and writes', async () => {
    const { eu } = await regionsOf(['eu'])
    const never = () => new Promise<never>(() => {})
    const { id } = await eu.create({})
    const deaf = new Proxy(eu, {
      get: (target, name) => (name === 'count' ? () => target.count() : never),
    }) as unknown as SessionApi
    const store = new SojournStore({ sessions: deaf, timeout: '20ms' })
    const data = { cookie: new session.Cookie() } as SessionData
    for (const call of [store.get(id), store.set(id, data), store.touch(id, data), store.destroy(id), store.clear()])
      await expect(call).rejects.toMatchObject({ code: 'TIMEOUT' })

    // Which makes an answer of a request, too.
    const { url, errors } = await serve(eu, { '/login': login })
    const browser = new Browser()
    await browser.json('GET', `${url}/login`)
    const broken = await serve(deaf, { '/': show }, { timeout: '20ms' })
    expect((await browser.request('GET', broken.url)).status).toBe(500)
    expect(broken.errors).toEqual([expect.objectContaining({ code: 'TIMEOUT' })])
    expect(errors).toEqual([])
  })

  it('[EXPR-3] a quorum that is not met is an error, and what was written is here and counted once', async () => {
    const regions = await regionsOf(['eu', 'us'], { each: { eu: { consistency: { write: 'all', timeout: 50 } } } })
    const errors: unknown[] = []
    const twice: RequestHandler = async (req, res) => {
      req.session.views = (req.session.views ?? 0) + 1
      errors.push(await new Promise((resolve) => req.session.save(resolve)))
      // The write stands, so a second try must not count again.
      errors.push(await new Promise((resolve) => req.session.save(resolve)))
      res.json({})
    }
    const { url } = await serve(regions.eu, { '/login': login, '/twice': twice }, { counters: ['/views'] })
    const browser = new Browser()
    const { id } = await browser.json('GET', `${url}/login`)
    await regions.cut('eu', 'us')
    await browser.json('GET', `${url}/twice`)
    expect(errors).toHaveLength(2)
    for (const error of errors)
      expect(error).toMatchObject({ code: 'QUORUM_UNMET', need: 2, got: 1, regions: ['eu'], mayHaveApplied: true })
    expect((await regions.eu.get(id, { read: 'local' }))?.data).toMatchObject({ views: 1 })
  })
})
