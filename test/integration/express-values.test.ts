/** What becomes of values that a session cannot hold as they are. */
import { SojournStore } from '@sojourn/express'
import type { RequestHandler } from 'express'
import session, { type SessionData } from 'express-session'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { Browser } from '../support/browser.js'
import { closeOpened, login, regionsOf, serve, show } from '../support/express-app.js'
import { runs } from '../support/runs.js'
import { until } from '../support/until.js'

afterEach(closeOpened)

const since = new Date(1_700_000_000_000)
const holed: unknown[] = ['first']
holed[3] = 'last'

/** What is saved, and what the next request finds; undefined: nothing. */
const ODD: readonly (readonly [what: string, saved: unknown, found: unknown])[] = [
  ['NaN', Number.NaN, null],
  ['an infinity', Number.POSITIVE_INFINITY, null],
  ['the other infinity', [Number.NEGATIVE_INFINITY], [null]],
  ['an invalid date', new Date(Number.NaN), null],
  ['undefined', undefined, undefined],
  ['a function', () => 1, undefined],
  ['a symbol', Symbol('s'), undefined],
  ['those in an array', [undefined, () => 1, Symbol('s')], [null, null, null]],
  ['an array with holes', holed, ['first', null, null, 'last']],
  ['an array with a name', Object.assign([1], { name: 2 }), [1]],
  ['half a surrogate pair', 'a\ud83d', 'a\ufffd'],
  ['half a surrogate pair in a key', { 'a\udc00': 1 }, { 'a\ufffd': 1 }],
  ['a symbol key', { [Symbol('key')]: 1, a: 2 }, { a: 2 }],
  [
    'boxed primitives',
    [Object(1), Object('a'), Object(false), Object(2n), Object(Number.NaN)],
    [1, 'a', false, '2', null],
  ],
  ['a bigint, which JSON refuses', 2n ** 70n, '1180591620717411303424'],
  ['a map and a set', [new Map([['a', 1]]), new Set([1])], [{}, {}]],
  ['toJSON, which is given the key', { toJSON: (key: string) => `under ${key}` }, 'under odd'],
  [
    'toJSON of a date or bytes',
    [{ toJSON: () => since }, { toJSON: () => Uint8Array.of(1) }],
    [since, Uint8Array.of(1)],
  ],
  ['toJSON of nothing', { toJSON: () => undefined }, undefined],
  ['a date', since, since],
  ['a buffer', Buffer.from('ab'), Uint8Array.of(97, 98)],
  [
    'the keys constructor and prototype',
    { constructor: 1, prototype: { constructor: [2] } },
    { constructor: 1, prototype: { constructor: [2] } },
  ],
  ['the key __proto__', JSON.parse('{"__proto__":{"isAdmin":true},"a":1}'), { a: 1 }],
]

const dataOf = (fields: object) => ({ cookie: new session.Cookie(), ...fields }) as unknown as SessionData

describe('odd values', () => {
  it.each(ODD)('[EXPR-5] %s costs no save, and becomes what JSON makes of it', async (_what, odd, found) => {
    const { eu } = await regionsOf(['eu'])
    const store = new SojournStore({ sessions: eu })
    await store.set('sid', dataOf({ user: 'ada', fields: { odd } }))
    const { user, fields } = (await store.get('sid'))!
    expect({ user, fields }).toEqual({ user: 'ada', fields: found === undefined ? {} : { odd: found } })
    expect((fields?.odd as { isAdmin?: unknown } | null | undefined)?.isAdmin).toBeUndefined()
  })

  it('[EXPR-5] a login with one of each of them is a login', async () => {
    const { eu } = await regionsOf(['eu'])
    const oddLogin: RequestHandler = (req, res, next) => {
      // A bigint is refused by the JSON that express-session itself makes of each session.
      const fields = ODD.filter(([what]) => !/bigint|boxed/.test(what)).map(([what, odd]) => [what, odd])
      req.session.fields = Object.fromEntries(fields)
      login(req, res, next)
    }
    const { url, errors } = await serve(eu, { '/login': oddLogin, '/': show })
    const browser = new Browser()
    await browser.json('GET', `${url}/login`)
    expect(await browser.json('GET', url)).toMatchObject({
      user: 'ada',
      fields: { NaN: null, 'a date': since.toJSON() },
    })
    expect(errors).toEqual([])
  })

  it('[EXPR-5] the keys constructor and prototype at the top of a session are there in the next request, and stay', async () => {
    const { eu } = await regionsOf(['eu'])
    const write: RequestHandler = (req, res) => {
      Object.assign(req.session, { constructor: 'mine', prototype: { a: 1 }, toString: 'kept' })
      res.json({})
    }
    const read: RequestHandler = (req, res) => {
      req.session.views = (req.session.views ?? 0) + 1
      const own = (key: string) => Object.hasOwn(req.session, key) && req.session[key as 'user']
      res.json({ id: req.sessionID, constructor: own('constructor'), prototype: own('prototype') })
    }
    const { url } = await serve(eu, { '/write': write, '/': read })
    const browser = new Browser()
    await browser.json('GET', `${url}/write`)
    await browser.json('GET', url)
    const seen = await browser.json('GET', url)
    expect(seen).toMatchObject({ constructor: 'mine', prototype: { a: 1 } })
    // express-session hides what its session has by its prototype; that it is not seen does not delete it.
    expect((await eu.get(seen.id))?.data).toMatchObject({ constructor: 'mine', toString: 'kept', views: 2 })
  })

  it('[EXPR-5] whatever JSON can write is kept as JSON writes it, but for the key __proto__', async () => {
    const { eu } = await regionsOf(['eu'])
    const store = new SojournStore({ sessions: eu })
    const odd = fc.constantFrom(
      undefined,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      () => 1,
      Symbol('s'),
      Object(1),
      Object('a'),
    )
    const value = fc.anything({
      maxDepth: 3,
      values: [fc.string(), fc.double(), fc.boolean(), fc.constant(null), odd],
      withNullPrototype: true,
      withSparseArray: true,
    })
    let n = 0
    await fc.assert(
      fc.asyncProperty(value, async (held) => {
        const sid = `sid ${n++}`
        await store.set(sid, dataOf({ fields: { held } }))
        // `__proto__` alone is left out, though JSON keeps it.
        const json = JSON.parse(JSON.stringify({ held }), (key, item) =>
          key === '__proto__' ? undefined : item === 0 ? 0 : item,
        )
        expect(positiveZero((await store.get(sid))?.fields)).toEqual(json)
      }),
      { numRuns: runs(100) },
    )
  })
})

/** A session distinguishes -0 from 0; JSON does not. */
const positiveZero = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

describe('too much', () => {
  it('[EXPR-5] a session beyond its limit is refused by an error with the largest fields and their sizes', async () => {
    const { eu } = await regionsOf(['eu'], { limits: { maxSessionBytes: 4_000 } })
    const save: RequestHandler = (req, res) => {
      Object.assign(req.session, {
        small: 1,
        avatar: 'x'.repeat(3_000),
        profile: { cv: { text: 'y'.repeat(2_000) }, n: 1 },
      })
      res.json({})
    }
    const { url, errors } = await serve(eu, { '/login': login, '/save': save, '/': show })
    const browser = new Browser()
    await browser.json('GET', `${url}/login`)
    await browser.json('GET', `${url}/save`)
    await until(() => errors.length > 0, 'the error')
    expect(errors).toEqual([expect.objectContaining({ code: 'SESSION_TOO_LARGE', limit: 4_000, path: '/avatar' })])
    expect(String(errors[0])).toMatch(
      /limits\.maxSessionBytes is 4000.*"\/avatar" \(3006 bytes\), "\/profile\/cv\/text" \(2004 bytes\)/,
    )
    expect(await browser.json('GET', url)).not.toHaveProperty('small')
  })
})
