/** The store under frameworks other than Express, whose sessions are copies of what the store gave. */
import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import fastifyCookie from '@fastify/cookie'
import fastifySession from '@fastify/session'
import { SojournStore, type SojournStoreOptions } from '@sojourn/express'
import type { SessionApi } from '@sojourn/replica'
import fastify from 'fastify'
import Koa from 'koa'
import koaSession from 'koa-session'
import { afterEach, describe, expect, it, onTestFinished } from 'vitest'
import { Browser } from '../support/browser.js'
import { closeOpened, expectIdleTimeout, gate, MINUTE_MS, overtake, pause, regionsOf } from '../support/express-app.js'
import { steppedClock } from '../support/region.js'

afterEach(closeOpened)

type Fields = Record<string, unknown>

/** A request's session, whatever the framework. */
interface Held {
  /** Of the session that the request has now. */
  readonly fields: Fields
  destroy(): Promise<void>
  regenerate(): Promise<void>
}

type Route = (held: Held) => unknown

interface AppOptions extends Omit<SojournStoreOptions, 'sessions'> {
  readonly maxAge?: number
  readonly rolling?: boolean
}

type Framework = (sessions: SessionApi, routes: Record<string, Route>, options?: AppOptions) => Promise<string>

const MAX_AGE_MS = 60 * MINUTE_MS

const underFastify: Framework = async (sessions, routes, options = {}) => {
  const { maxAge = MAX_AGE_MS, rolling = true, ...storeOptions } = options
  const app = fastify()
  await app.register(fastifyCookie)
  await app.register(fastifySession, {
    secret: 'signs the cookies of the tests, at length',
    store: new SojournStore({ sessions, ...storeOptions }),
    saveUninitialized: false,
    rolling,
    cookie: { secure: false, maxAge },
  })
  for (const [path, route] of Object.entries(routes))
    app.get(path, async (request) => {
      const result = await route({
        get fields() {
          return request.session as unknown as Fields
        },
        destroy: () => request.session.destroy(),
        regenerate: () => request.session.regenerate(),
      })
      return result ?? {}
    })
  await app.listen({ port: 0, host: '127.0.0.1' })
  onTestFinished(async () => {
    app.server.closeAllConnections()
    await app.close()
  })
  return `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`
}

const underKoa: Framework = async (sessions, routes, options = {}) => {
  const { maxAge = MAX_AGE_MS, rolling = true, ...storeOptions } = options
  const app = new Koa()
  app.keys = ['signs the cookies of the tests']
  app.use(koaSession({ store: new SojournStore({ sessions, ...storeOptions }), maxAge, rolling }, app))
  app.use(async (context) => {
    const route = routes[context.path]!
    const held: Held = {
      get fields() {
        return context.session as unknown as Fields
      },
      async destroy() {
        context.session = null
      },
      async regenerate() {
        await context.session!.regenerate()
      },
    }
    context.body = (await route(held)) ?? {}
  })
  const server: Server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const FRAMEWORKS: readonly (readonly [name: string, framework: Framework])[] = [
  ['@fastify/session', underFastify],
  ['koa-session', underKoa],
]

const login: Route = ({ fields }) => {
  fields.user = 'ada'
  fields.cart = { first: 1 }
}
const show: Route = ({ fields }) => ({ user: fields.user, cart: fields.cart, views: fields.views })
const count: Route = ({ fields }) => {
  fields.views = ((fields.views as number) ?? 0) + 1
}

describe.each(FRAMEWORKS)('under %s', (_name, framework) => {
  it('[EXPR-9] four requests at one time with one field each: four fields are left', async () => {
    const { eu } = await regionsOf(['eu'])
    const all = gate(4)
    const writes = Object.fromEntries(
      ['a', 'b', 'c', 'd'].map((name): [string, Route] => [
        `/${name}`,
        async ({ fields }) => {
          await all()
          // To assign a new cart would be to replace the one there.
          Object.assign(fields.cart as object, { [name]: 1 })
          fields[name] = name
        },
      ]),
    )
    const everything: Route = ({ fields: { a, b, c, d, cart } }) => ({ a, b, c, d, cart })
    const url = await framework(eu, { '/login': login, ...writes, '/': everything })
    const browser = new Browser()
    await browser.json('GET', `${url}/login`)
    await Promise.all(['a', 'b', 'c', 'd'].map((name) => browser.json('GET', `${url}/${name}`)))
    const cart = { first: 1, a: 1, b: 1, c: 1, d: 1 }
    expect(await browser.json('GET', url)).toEqual({ a: 'a', b: 'b', c: 'c', d: 'd', cart })
  })

  it('[EXPR-9] a counter reaches 12 of 12', async () => {
    const { eu } = await regionsOf(['eu'])
    const all = gate(12)
    const counting: Route = async (held) => {
      await all()
      count(held)
    }
    const url = await framework(eu, { '/login': login, '/count': counting, '/': show }, { counters: ['/views'] })
    const browser = new Browser()
    await browser.json('GET', `${url}/login`)
    await Promise.all(Array.from({ length: 12 }, () => browser.json('GET', `${url}/count`)))
    expect(await browser.json('GET', url)).toMatchObject({ user: 'ada', views: 12 })
  })

  it('[EXPR-9] a logout while a request is under way: the session stays dead, and the request gets no error', async () => {
    const { eu } = await regionsOf(['eu'])
    const slow = pause()
    const late: Route = async ({ fields }) => {
      await slow.wait()
      fields.late = 1
    }
    const logout: Route = ({ destroy }) => destroy()
    const url = await framework(eu, { '/login': login, '/late': late, '/logout': logout, '/': show })
    const { browser, lateAnswer } = await overtake(url, slow, ['/login', '/late', '/logout'])
    expect(lateAnswer).toEqual({})
    expect(await eu.count()).toBe(0)
    expect((await browser.copy().json('GET', url)).user).toBeUndefined()
  })

  it('[EXPR-9] a regenerated session is another one, and the one before is dead', async () => {
    const { eu } = await regionsOf(['eu'])
    const regenerate: Route = async (held) => {
      await held.regenerate()
      held.fields.user = 'bob'
    }
    const routes = { '/login': login, '/regenerate': regenerate, '/count': count, '/': show }
    const url = await framework(eu, routes)
    const browser = new Browser()
    await browser.json('GET', `${url}/login`)
    const before = browser.copy()
    await browser.json('GET', `${url}/regenerate`)
    await browser.json('GET', `${url}/count`)
    expect(await browser.json('GET', url)).toMatchObject({ user: 'bob', views: 1 })
    expect((await before.json('GET', url)).user).toBeUndefined()
    expect(await eu.count()).toBe(1)
  })

  it('[EXPR-9] the lifetime of the cookie is how long a session may be idle', async () => {
    const clock = steppedClock()
    const { eu } = await regionsOf(['eu'], { ports: { clock }, session: { idleTimeout: '5m' } })
    const url = await framework(eu, { '/login': login, '/': show })
    const browser = new Browser()
    await browser.json('GET', `${url}/login`)
    clock.advance(50 * MINUTE_MS)
    expect(await browser.json('GET', url)).toMatchObject({ user: 'ada' })
    clock.advance(50 * MINUTE_MS)
    expect(await browser.json('GET', url)).toMatchObject({ user: 'ada' })
    clock.advance(70 * MINUTE_MS)
    expect((await browser.json('GET', url)).user).toBeUndefined()
  })

  it('[EXPR-9] a cookie that outlives session.maxLifetime is cut', async () => {
    const { eu } = await regionsOf(['eu'], { session: { maxLifetime: '1h' } })
    const url = await framework(eu, { '/login': login }, { maxAge: 90 * MINUTE_MS })
    const [cookie] = (await fetch(`${url}/login`)).headers.getSetCookie()
    const [, expires = ''] = /Expires=([^;]+)/i.exec(cookie!)!
    expect(Date.parse(expires) - Date.now()).toBeLessThanOrEqual(60 * MINUTE_MS)
    expect(Date.parse(expires) - Date.now()).toBeGreaterThan(59 * MINUTE_MS)
  })
})

describe('what is peculiar to one of them', () => {
  it('[EXPR-9] @fastify/session: a reload takes what others wrote; what is saved twice is counted once', async () => {
    const { eu } = await regionsOf(['eu'])
    const app = fastify()
    await app.register(fastifyCookie)
    const store = new SojournStore({ sessions: eu, counters: ['/views'] })
    await app.register(fastifySession, { secret: 's'.repeat(32), store, cookie: { secure: false } })
    onTestFinished(() => app.close())
    type Views = { views?: number; other?: number }
    app.get('/', async (request) => {
      const views = (request.session as Views).views ?? 0
      ;(request.session as Views).views = views + 1
      await request.session.save()
      await eu.update(request.session.sessionId, { other: 1 })
      await request.session.reload()
      ;(request.session as Views).views! += 1
      return { ...(request.session as Views) }
    })
    const first = await app.inject('/')
    const { name, value } = first.cookies[0]!
    expect(first.json()).toMatchObject({ views: 2, other: 1 })
    expect((await app.inject({ url: '/', cookies: { [name]: value } })).json()).toMatchObject({ views: 4, other: 1 })
  })

  it('[EXPR-9] koa-session: a session that is replaced by an object has what that has, and what others wrote', async () => {
    const { eu } = await regionsOf(['eu'])
    const store = new SojournStore({ sessions: eu })
    const context = {}
    const call = { ctx: context, rolling: false, changed: true }
    await store.set('sid', { user: 'ada', old: 1 } as never, 60_000, call)
    const other = {}
    await store.get('sid', 60_000, { ctx: other })
    await store.set('sid', { user: 'ada', old: 1, theirs: 1 } as never, 60_000, { ctx: other })
    await store.set('sid', { user: 'ada', mine: 1 } as never, 60_000, call)
    expect((await eu.get('sid'))?.data).toEqual({ user: 'ada', mine: 1, theirs: 1 })
    await store.destroy('sid', { ctx: context })
    expect(await eu.count()).toBe(0)
  })

  it('[EXPR-9] koa-session: a session for as long as the browser is open has the default idle timeout', async () => {
    const clock = steppedClock()
    const { eu } = await regionsOf(['eu'], { ports: { clock }, session: { idleTimeout: '5m' } })
    const url = await underKoa(eu, { '/login': login, '/': show }, { maxAge: 'session' as never })
    await expectIdleTimeout(url, clock, 5 * MINUTE_MS)
  })
})
