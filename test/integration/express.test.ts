import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { SojournStore, type SojournStoreOptions } from '@sojourn/express'
import { isSojournError, type SessionApi, sessionKey } from '@sojourn/replica'
import express, { type NextFunction, type Request, type RequestHandler, type Response } from 'express'
import session, { type SessionData, type SessionOptions } from 'express-session'
import { afterEach, describe, expect, it } from 'vitest'
import { Browser } from '../support/browser.js'
import { isEmbedded } from '../support/door.js'
import { openRegions, type Regions, steppedClock } from '../support/region.js'
import { until } from '../support/until.js'

declare module 'express-session' {
  interface SessionData {
    user?: string
    views?: number
    fields?: Record<string, unknown>
  }
}

const MINUTE_MS = 60_000
const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const regionsOf = async <const N extends string>(
  names: readonly N[],
  options: Parameters<typeof openRegions<N>>[1] = {},
): Promise<Regions<N>> => {
  const regions = await openRegions(names, options)
  closers.push(() => regions.close())
  return regions
}

interface AppOptions extends Omit<SojournStoreOptions, 'sessions'> {
  readonly session?: Partial<SessionOptions>
}

/** An Express app in front of a region: each route under its path. */
const serve = async (sessions: SessionApi, routes: Record<string, RequestHandler>, options: AppOptions = {}) => {
  const { session: sessionOptions, ...storeOptions } = options
  const errors: unknown[] = []
  const app = express()
  app.use(
    session({
      name: 'sid',
      secret: 'signs the cookies of the tests',
      store: new SojournStore({ sessions, ...storeOptions }),
      resave: false,
      saveUninitialized: false,
      ...sessionOptions,
    }),
  )
  for (const [path, route] of Object.entries(routes)) app.get(path, route)
  app.use((error: unknown, _req: Request, res: Response, next: NextFunction) => {
    errors.push(error)
    if (res.headersSent) next(error)
    else res.status(500).json({ error: String(error) })
  })
  const server: Server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, errors }
}

const show: RequestHandler = (req, res) => void res.json({ ...req.session, id: req.sessionID, cookie: undefined })
const login: RequestHandler = (req, res) => {
  req.session.user = 'ada'
  res.json({ id: req.sessionID })
}
const view: RequestHandler = (req, res) => {
  req.session.views = (req.session.views ?? 0) + 1
  res.json({})
}

/** Opens for all once `count` wait at it. */
const gate = (count: number) => {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  let waiting = 0
  return () => {
    if (++waiting === count) open()
    return opened
  }
}

/** A request that has read the session and waits until the test lets it go on. */
const pause = () => {
  let go = () => {}
  let arrived = () => {}
  const gone = new Promise<void>((resolve) => {
    go = resolve
  })
  const here = new Promise<void>((resolve) => {
    arrived = resolve
  })
  return {
    arrived: here,
    go: () => go(),
    wait: () => {
      arrived()
      return gone
    },
  }
}

describe('requests at the same time', () => {
  it('[EXPR-1] three requests that each write one field: all three fields are there afterwards', async () => {
    const { eu } = await regionsOf(['eu'])
    const all = gate(3)
    const write: RequestHandler = async (req, res) => {
      await all()
      req.session.fields = { ...req.session.fields, [String(req.params.name)]: 1 }
      res.json({})
    }
    const { url } = await serve(eu, { '/login': login, '/write/:name': write, '/': show })
    const browser = new Browser()
    await browser.json('GET', `${url}/login`)
    await Promise.all(['a', 'b', 'c'].map((name) => browser.json('GET', `${url}/write/${name}`)))
    expect(await browser.json('GET', url)).toMatchObject({ user: 'ada', fields: { a: 1, b: 1, c: 1 } })
  })

  it.each([
    ['a writing request', {}, true],
    ['a reading request that is resaved', { resave: true }, false],
    ['a reading request of a rolling session', { rolling: true, cookie: { maxAge: MINUTE_MS } }, false],
  ])('[EXPR-2] a logout while %s is under way: the session stays dead', async (_name, options, writes) => {
    const { eu } = await regionsOf(['eu'])
    const slow = pause()
    const late: RequestHandler = async (req, res) => {
      await slow.wait()
      if (writes) req.session.fields = { late: 1 }
      res.json({})
    }
    const logout: RequestHandler = (req, res, next) => {
      req.session.destroy((error) => (error ? next(error) : res.json({})))
    }
    const { url, errors } = await serve(
      eu,
      { '/login': login, '/late': late, '/logout': logout, '/': show },
      { session: options },
    )
    const browser = new Browser()
    const { id } = await browser.json('GET', `${url}/login`)
    const lateAnswer = browser.copy().json('GET', `${url}/late`)
    await slow.arrived
    await browser.copy().json('GET', `${url}/logout`)
    slow.go()
    await lateAnswer
    expect(await eu.get(id)).toBeUndefined()
    expect((await browser.copy().json('GET', url)).user).toBeUndefined()
    expect(errors).toEqual([])
  })

  it('[EXPR-3] what requests add to a counter adds up', async () => {
    const { eu } = await regionsOf(['eu'])
    const all = gate(5)
    const add: RequestHandler = async (req, res, next) => {
      await all()
      view(req, res, next)
    }
    const { url } = await serve(eu, { '/login': login, '/view': add, '/': show }, { counters: ['/views'] })
    const browser = new Browser()
    await browser.json('GET', `${url}/login`)
    await Promise.all(Array.from({ length: 5 }, () => browser.json('GET', `${url}/view`)))
    expect(await browser.json('GET', url)).toMatchObject({ views: 5 })
  })

  it('[EXPR-1] the apps of two regions: fields survive, counters add up, a logout is final in both', async () => {
    const regions = await regionsOf(['eu', 'us'])
    const write: RequestHandler = (req, res) => {
      req.session.fields = { ...req.session.fields, [String(req.params.name)]: 1 }
      req.session.views = (req.session.views ?? 0) + 1
      res.json({})
    }
    const logout: RequestHandler = (req, res) => req.session.destroy(() => res.json({}))
    const routes = { '/login': login, '/write/:name': write, '/logout': logout, '/': show }
    const [eu, us] = await Promise.all(
      [regions.eu, regions.us].map((region) => serve(region, routes, { counters: ['/views'] })),
    )
    const browser = new Browser()
    await browser.json('GET', `${eu!.url}/login`)
    await regions.settled()
    await Promise.all([
      browser.json('GET', `${eu!.url}/write/a`),
      browser.json('GET', `${us!.url}/write/b`),
      browser.json('GET', `${us!.url}/write/c`),
    ])
    await regions.settled()
    for (const { url } of [eu!, us!])
      expect(await browser.copy().json('GET', url)).toMatchObject({ fields: { a: 1, b: 1, c: 1 }, views: 3 })
    await regions.cut('eu', 'us')
    await browser.copy().json('GET', `${us!.url}/logout`)
    await browser.copy().json('GET', `${eu!.url}/write/d`)
    regions.heal('eu', 'us')
    await regions.settled()
    for (const { url } of [eu!, us!]) expect((await browser.copy().json('GET', url)).user).toBeUndefined()
  })
})

describe('one request', () => {
  it('[EXPR-2] a regenerated session has a new id; the old id is dead in every region', async () => {
    const regions = await regionsOf(['eu', 'us'])
    const regenerate: RequestHandler = (req, res, next) =>
      req.session.regenerate((error) => {
        if (error) return next(error)
        login(req, res, next)
      })
    const { url } = await serve(regions.eu, { '/view': view, '/regenerate': regenerate, '/': show })
    const browser = new Browser()
    await browser.json('GET', `${url}/view`)
    const before = await browser.json('GET', url)
    await browser.json('GET', `${url}/regenerate`)
    const after = await browser.json('GET', url)
    expect(after).toMatchObject({ user: 'ada' })
    expect(after.views).toBeUndefined()
    expect(after.id).not.toBe(before.id)
    await regions.settled()
    for (const region of regions.all) {
      expect(await region.get(before.id)).toBeUndefined()
      expect((await region.get(after.id))?.data).toMatchObject({ user: 'ada' })
    }
  })

  it.each([
    ['waits for the save', true],
    ['does not wait for the save', false],
  ])('[EXPR-3] it saves, changes more, and %s: all is there, and counted once', async (_name, waits) => {
    const { eu } = await regionsOf(['eu'])
    const twice: RequestHandler = async (req, res) => {
      req.session.views = (req.session.views ?? 0) + 1
      req.session.fields = { first: 1 }
      if (waits) await new Promise((resolve) => req.session.save(resolve))
      else req.session.save()
      req.session.fields.second = 2
      res.json({})
    }
    const { url } = await serve(eu, { '/login': login, '/twice': twice, '/': show }, { counters: ['/views'] })
    const browser = new Browser()
    // On a session that is new, and on one that is there.
    for (const views of [1, 2]) {
      await browser.json('GET', `${url}/twice`)
      expect(await browser.json('GET', url)).toMatchObject({ fields: { first: 1, second: 2 }, views })
    }
  })

  it('[EXPR-1] a reload takes what others wrote meanwhile, and the changes after it are written', async () => {
    const { eu } = await regionsOf(['eu'])
    const reload: RequestHandler = async (req, res) => {
      await eu.update(req.sessionID, { fields: { other: 1 } })
      await new Promise((resolve) => req.session.reload(resolve))
      const seen = req.session.fields
      req.session.fields = { ...seen, mine: 2 }
      res.json({ seen })
    }
    const { url } = await serve(eu, { '/login': login, '/reload': reload, '/': show })
    const browser = new Browser()
    await browser.json('GET', `${url}/login`)
    expect(await browser.json('GET', `${url}/reload`)).toEqual({ seen: { other: 1 } })
    expect(await browser.json('GET', url)).toMatchObject({ user: 'ada', fields: { other: 1, mine: 2 } })
  })

  const flags = [false, true].flatMap((resave) =>
    [false, true].flatMap((rolling) =>
      [false, true].map((saveUninitialized) => ({ resave, rolling, saveUninitialized })),
    ),
  )
  it.each(flags)('[EXPR-4] reads and writes with %o', async (options) => {
    const { eu } = await regionsOf(['eu'])
    const { url, errors } = await serve(
      eu,
      { '/login': login, '/view': view, '/': show },
      { session: { ...options, cookie: { maxAge: MINUTE_MS } } },
    )
    const browser = new Browser()
    const fresh = await browser.request('GET', url)
    // The last byte comes when the session is saved.
    await fresh.text()
    expect(await eu.count()).toBe(options.saveUninitialized ? 1 : 0)
    expect(fresh.headers.getSetCookie()).toHaveLength(options.saveUninitialized ? 1 : 0)
    await browser.json('GET', `${url}/login`)
    for (let n = 0; n < 3; n++) await browser.json('GET', `${url}/view`)
    const read = await browser.request('GET', url)
    expect(await read.json()).toMatchObject({ user: 'ada', views: 3 })
    expect(read.headers.getSetCookie()).toHaveLength(options.rolling ? 1 : 0)
    expect(await eu.count()).toBe(1)
    expect(errors).toEqual([])
  })
})

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

  it.each([
    ['a function', () => () => 1, '/fields/bad'],
    ['a cycle', (fields: Record<string, unknown>) => fields, /^\/fields\/bad/],
    ['NaN', () => Number.NaN, '/fields/bad'],
  ])('[EXPR-5] %s is refused by an error that names the place, and nothing is written', async (_name, bad, path) => {
    const { eu } = await regionsOf(['eu'])
    const save: RequestHandler = (req, res, next) => {
      const fields: Record<string, unknown> = { good: 1 }
      fields.bad = bad(fields)
      req.session.fields = fields
      // express-session makes JSON of a session to see whether it changed, so some of these fail there already.
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
    expect(errors).toHaveLength(1)
    expect(errors[0]).toMatchObject({
      code: 'INVALID_DATA',
      path: typeof path === 'string' ? path : expect.stringMatching(path),
    })
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
    const browser = new Browser()
    await browser.json('GET', `${url}/login`)
    clock.advance(4 * MINUTE_MS)
    expect(await browser.json('GET', url)).toMatchObject({ user: 'ada' })
    clock.advance(6 * MINUTE_MS)
    expect((await browser.json('GET', url)).user).toBeUndefined()
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

  it('[EXPR-3] a quorum that is not met is told, and what was written is here and counted once', async () => {
    const regions = await regionsOf(['eu', 'us'], { each: { eu: { consistency: { write: 'all', timeout: 50 } } } })
    const told: unknown[] = []
    const twice: RequestHandler = async (req, res) => {
      req.session.views = (req.session.views ?? 0) + 1
      told.push(await new Promise((resolve) => req.session.save(resolve)))
      // The write stands, so a second try must not count again.
      told.push(await new Promise((resolve) => req.session.save(resolve)))
      res.json({})
    }
    const { url } = await serve(regions.eu, { '/login': login, '/twice': twice }, { counters: ['/views'] })
    const browser = new Browser()
    const { id } = await browser.json('GET', `${url}/login`)
    await regions.cut('eu', 'us')
    await browser.json('GET', `${url}/twice`)
    expect(told).toHaveLength(2)
    for (const error of told)
      expect(error).toMatchObject({ code: 'QUORUM_UNMET', need: 2, got: 1, regions: ['eu'], mayHaveApplied: true })
    expect((await regions.eu.get(id, { read: 'local' }))?.data).toMatchObject({ views: 1 })
  })
})

/** The same call, by callback and by promise. */
const ways = {
  callback: <T>(call: (callback?: (error: unknown, value?: T) => void) => Promise<T>): Promise<T | undefined> =>
    new Promise((resolve, reject) => {
      void call((error, value) => (error ? reject(error) : resolve(value)))
    }),
  promise: <T>(call: (callback?: (error: unknown, value?: T) => void) => Promise<T>): Promise<T | undefined> => call(),
}

describe.each(Object.entries(ways))('the store by %s', (_name, by) => {
  const data = (fields: Record<string, unknown>) => ({ cookie: new session.Cookie(), fields }) as SessionData

  it('[EXPR-7] set and get; length and all, which has no ids; destroy; clear', async () => {
    const { eu } = await regionsOf(['eu'])
    const store = new SojournStore({ sessions: eu })
    expect(await by((done) => store.get('a', done))).toBeNull()
    await by((done) => store.set('a', data({ n: 1 }), done))
    await by((done) => store.set('b', data({ n: 2 }), done))
    expect(await by((done) => store.get('a', done))).toMatchObject({ fields: { n: 1 }, cookie: { path: '/' } })
    expect(await by((done) => store.length(done))).toBe(2)
    const all = (await by((done) => store.all(done))) as SessionData[]
    expect(all.map(({ fields }) => fields?.n).sort()).toEqual([1, 2])
    expect(JSON.stringify(all)).not.toContain(sessionKey('a'))
    await by((done) => store.destroy('a', done))
    expect(await by((done) => store.get('a', done))).toBeNull()
    // An id that ended is not taken up again.
    await by((done) => store.set('a', data({ n: 3 }), done))
    expect(await by((done) => store.get('a', done))).toBeNull()
    await by((done) => store.clear(done))
    expect(await by((done) => store.length(done))).toBe(0)
  })

  it('[EXPR-6] touch renews a session that lives, and makes none', async () => {
    const clock = steppedClock()
    const { eu } = await regionsOf(['eu'], { ports: { clock }, session: { idleTimeout: '10m' } })
    const store = new SojournStore({ sessions: eu })
    await by((done) => store.set('a', data({ n: 1 }), done))
    clock.advance(9 * MINUTE_MS)
    await by((done) => store.touch('a', data({ n: 99 }), done))
    clock.advance(9 * MINUTE_MS)
    expect(await by((done) => store.get('a', done))).toMatchObject({ fields: { n: 1 } })
    clock.advance(11 * MINUTE_MS)
    await by((done) => store.touch('a', data({ n: 99 }), done))
    await by((done) => store.touch('b', data({ n: 99 }), done))
    expect(await by((done) => store.all(done))).toEqual([])
  })

  it('[EXPR-7] errors arrive the same way, with their code', async () => {
    const { eu } = await regionsOf(['eu'])
    const store = new SojournStore({ sessions: eu })
    await eu.close()
    const error = await by((done) => store.get('a', done)).catch((caught: unknown) => caught)
    expect(isSojournError(error, isEmbedded() ? 'REPLICA_CLOSED' : 'CLIENT_CLOSED')).toBe(true)
  })
})

it('[EXPR-7] what a callback throws is not taken for an error of the store', async () => {
  const { eu } = await regionsOf(['eu'])
  const store = new SojournStore({ sessions: eu })
  const thrown: unknown[] = []
  const before = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', (error) => thrown.push(error))
  let calls = 0
  await store.get('a', () => {
    calls++
    throw new Error('of the application')
  })
  await until(() => thrown.length > 0, 'what the callback throws to surface')
  process.removeAllListeners('uncaughtException')
  for (const listener of before) process.on('uncaughtException', listener)
  expect(thrown).toMatchObject([{ message: 'of the application' }])
  expect(calls).toBe(1)
})
