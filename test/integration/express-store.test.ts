import { SojournStore } from '@sojourn/express'
import { isSojournError, sessionKey } from '@sojourn/replica'
import session, { type SessionData } from 'express-session'
import { afterEach, describe, expect, it } from 'vitest'
import { isEmbedded } from '../support/door.js'
import { closeOpened, MINUTE_MS, regionsOf } from '../support/express-app.js'
import { steppedClock } from '../support/region.js'
import { until } from '../support/until.js'

afterEach(closeOpened)

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
    // An id that ended is not taken up again, and whoever tries hears of it.
    const error = await by((done) => store.set('a', data({ n: 3 }), done)).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'SESSION_EXISTS', state: 'ended' })
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
