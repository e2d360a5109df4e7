import type { RequestHandler } from 'express'
import { afterEach, describe, expect, it } from 'vitest'
import { Browser } from '../support/browser.js'
import { closeOpened, gate, login, MINUTE_MS, pause, regionsOf, serve, show, view } from '../support/express-app.js'

afterEach(closeOpened)

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
      req.session.fields ??= {}
      req.session.fields[String(req.params.name)] = 1
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
