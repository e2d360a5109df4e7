/** What becomes of a save under an id that has ended. */
import { SojournStore } from '@sojourn/express'
import type { RequestHandler } from 'express'
import session, { type SessionData } from 'express-session'
import { afterEach, expect, it } from 'vitest'
import { Browser } from '../support/browser.js'
import { closeOpened, login, MINUTE_MS, overtake, pause, regionsOf, serve, show } from '../support/express-app.js'
import { steppedClock } from '../support/region.js'
import { until } from '../support/until.js'

afterEach(closeOpened)

const logout: RequestHandler = (req, res, next) => req.session.destroy((error) => (error ? next(error) : res.json({})))
const ofAda = { genid: () => 'the id of ada' }
const dataOf = (fields: object) => ({ cookie: new session.Cookie(), ...fields }) as unknown as SessionData

it('[EXPR-8] a login under an id of the application’s choice that has ended is answered with an error; it is not swallowed', async () => {
  const { eu } = await regionsOf(['eu'])
  const saving: RequestHandler = (req, res, next) => {
    req.session.user = 'ada'
    req.session.save((error) => (error ? next(error) : res.json({})))
  }
  const { url, errors } = await serve(eu, { '/login': saving, '/logout': logout, '/': show }, { session: ofAda })
  const browser = new Browser()
  await browser.json('GET', `${url}/login`)
  await browser.json('GET', `${url}/logout`)
  expect((await new Browser().request('GET', `${url}/login`)).status).toBe(500)
  expect(errors[0]).toMatchObject({ code: 'SESSION_EXISTS', state: 'ended' })
  expect(String(errors[0])).toMatch(/no session can use its id again.*genid/)
  expect(await eu.get('the id of ada')).toBeUndefined()
})

it('[EXPR-8] so is a session that is regenerated under the same id', async () => {
  const { eu } = await regionsOf(['eu'])
  const again: RequestHandler = (req, res, next) =>
    req.session.regenerate(() => {
      req.session.views = 1
      login(req, res, next)
    })
  const { url, errors } = await serve(eu, { '/login': login, '/again': again }, { session: ofAda })
  const browser = new Browser()
  await browser.json('GET', `${url}/login`)
  await browser.json('GET', `${url}/again`)
  await until(() => errors.length > 0, 'the error')
  expect(errors).toEqual([expect.objectContaining({ code: 'SESSION_EXISTS', state: 'ended' })])
})

it('[EXPR-8] an id whose session has expired is answered with an error while it is remembered', async () => {
  const clock = steppedClock()
  const { eu } = await regionsOf(['eu'], { ports: { clock }, purgeGrace: '1d' })
  const store = new SojournStore({ sessions: eu, clock })
  await store.set('sid', dataOf({ n: 1 }))
  clock.advance(40 * MINUTE_MS)
  await expect(store.set('sid', dataOf({ n: 2 }))).rejects.toMatchObject({ code: 'SESSION_EXISTS', state: 'expired' })
})

it('[EXPR-8] a slow request that had read the session brings nothing back after a logout, and gets no error', async () => {
  const { eu } = await regionsOf(['eu'])
  const slow = pause()
  const late: RequestHandler = async (req, res, next) => {
    await slow.wait()
    req.session.fields = { late: 1 }
    req.session.save((error) => (error ? next(error) : res.json({})))
  }
  const { url, errors } = await serve(eu, { '/login': login, '/late': late, '/logout': logout }, { session: ofAda })
  const { lateAnswer } = await overtake(url, slow, ['/login', '/late', '/logout'])
  expect(lateAnswer).toEqual({})
  expect(errors).toEqual([])
  expect(await eu.get('the id of ada')).toBeUndefined()
})

it('[EXPR-8] whoever began the session in this request, and saves it again after its end, gets no error', async () => {
  const { eu } = await regionsOf(['eu'])
  const store = new SojournStore({ sessions: eu })
  const begun = dataOf({ n: 1 })
  await store.set('sid', begun)
  await eu.end('sid')
  await store.set('sid', begun)
  // A copy of what was read is a save of what was read, too.
  await store.set('other', dataOf({ n: 1 }))
  const read = (await store.get('other'))!
  await eu.end('other')
  await store.set('other', { ...read, views: 2 })
  expect([await eu.get('sid'), await eu.get('other')]).toEqual([undefined, undefined])
})

it('[EXPR-8] what was read under one id and is saved under another one begins a session', async () => {
  const { eu } = await regionsOf(['eu'])
  const store = new SojournStore({ sessions: eu })
  await store.set('one', dataOf({ views: 1 }))
  const read = (await store.get('one'))!
  await store.set('two', read)
  expect(await store.get('two')).toMatchObject({ views: 1 })
})
