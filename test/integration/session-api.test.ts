import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { load, save } from '@automerge/automerge'
import type { Storage, StorageEngine, StorageRow } from '@sojourn/core'
import {
  openReplica,
  type Replica,
  type ReplicaEvents,
  type ReplicaOptions,
  SojournError,
  type StoredSession,
  sessionKey,
} from '@sojourn/replica'
import { levelEngine } from '@sojourn/store'
import { afterEach, describe, expect, it } from 'vitest'
import { door, isEmbedded } from '../support/door.js'
import { openRegions, SECRET, type SteppedClock, steppedClock } from '../support/region.js'
import { until } from '../support/until.js'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

/** What a test opened: closed, and then removed, after it. */
const opened: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

const open = async (options: Partial<ReplicaOptions> = {}): Promise<Replica> => {
  const replica = await door(await openReplica({ region: 'eu', location: ':memory:', ...options }))
  opened.push(() => replica.close())
  return replica
}

const openStepped = async (options: Partial<ReplicaOptions> = {}): Promise<[Replica, SteppedClock]> => {
  const clock = steppedClock()
  return [await open({ ports: { clock }, ...options }), clock]
}

const temporary = async (): Promise<string> => {
  const location = await mkdtemp(join(tmpdir(), 'sojourn-api-'))
  opened.push(() => rm(location, { recursive: true, force: true }))
  return location
}

const refuses = async (call: Promise<unknown>, code: string, details: object = {}, what?: string): Promise<void> => {
  const error = await call.then(
    (value) => expect.unreachable(`${what ?? code}: resolved with ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  )
  expect(error, what).toBeInstanceOf(SojournError)
  expect(error, what).toMatchObject({ name: 'SojournError', code, ...details })
}

const all = async (replica: Replica): Promise<StoredSession[]> => {
  const out: StoredSession[] = []
  for await (const session of replica.sessions()) out.push(session)
  return out
}

type Told = { [K in keyof ReplicaEvents]: readonly [K, ReplicaEvents[K][0]] }[keyof ReplicaEvents]
const listen = (replica: Replica, ...names: (keyof ReplicaEvents)[]): Told[] => {
  const told: Told[] = []
  for (const name of names) replica.on(name, (body: ReplicaEvents[typeof name][0]) => told.push([name, body] as Told))
  return told
}

/** What no session can hold, and where it is found. */
const BAD_DATA: readonly (readonly [what: string, data: unknown, path: string])[] = [
  ['no object', 'text', ''],
  ['null', null, ''],
  ['an array', [], ''],
  ['a class', new Map(), ''],
  ['undefined', { a: { b: undefined } }, '/a/b'],
  ['a function', { a: () => {} }, '/a'],
  ['a symbol', { a: Symbol('x') }, '/a'],
  ['a bigint', { a: 1n }, '/a'],
  ['NaN', { a: Number.NaN }, '/a'],
  ['an infinity', { a: [Number.POSITIVE_INFINITY] }, '/a/0'],
  ['an invalid date', { a: new Date(Number.NaN) }, '/a'],
  ['an instance', { a: { b: new Map() } }, '/a/b'],
  ['a lone surrogate', { a: '\ud800' }, '/a'],
  ['a lone surrogate in a key', { '\ud800': 1 }, ''],
  ['a symbol key', { a: { [Symbol('x')]: 1 } }, '/a'],
  ['an array with a hole', { a: new Array(3) }, '/a'],
  ['an array with keys', { a: Object.assign([1], { x: 1 }) }, '/a'],
  ['__proto__', JSON.parse('{"a":{"__proto__":{"polluted":1}}}'), '/a'],
  ['__proto__ in an array', { a: [JSON.parse('{"__proto__":1}')] }, '/a/0'],
  ['constructor', { constructor: 1 }, ''],
  ['prototype', { a: { prototype: {} } }, '/a'],
]

const cycle = (): object => {
  const data: { self?: object } = {}
  data.self = data
  return data
}

const EVERYTHING = {
  null: null,
  yes: true,
  no: false,
  empty: '',
  text: 'žluťoučký 🐎 \0 "quoted"',
  zero: 0,
  minusZero: -0,
  int: -42,
  large: 2 ** 53 - 1,
  double: 0.1,
  tiny: 5e-324,
  huge: Number.MAX_VALUE,
  date: new Date(1_234_567_890_123),
  bytes: Uint8Array.of(0, 1, 255),
  noBytes: new Uint8Array(),
  emptyObject: {},
  nested: { a: { b: { c: { d: 'deep' } } } },
  array: [1, 'two', null, [3, [4]], { five: 5, $six: 6, $$seven: 7 }, new Date(8), Uint8Array.of(9), -0],
  emptyArray: [],
  '': 'an empty key',
  'a/b': 'a slash',
  'm~n': 'a tilde',
  $date: 'no date',
  'with space': 1,
  toString: 'inherited',
  hasOwnProperty: 1,
  ...(JSON.parse('{"then":"no promise"}') as object),
}

describe('create', () => {
  it('[API-1] gives a session with a secret of 256 bits, its data, its times', async () => {
    const [eu, clock] = await openStepped({ session: { idleTimeout: '10m', maxLifetime: '1h' } })
    const before = clock.now()
    const session = await eu.create({ user: 'ada' })
    expect(session.id).toMatch(/^[\w-]{43}$/)
    expect(session.data).toEqual({ user: 'ada' })
    expect(session.createdAt).toBeGreaterThanOrEqual(before)
    expect(session.createdAt).toBeLessThanOrEqual(clock.now())
    expect(session.expiresAt).toBe(session.createdAt + 10 * MINUTE)
    expect((await eu.create({})).id).not.toBe(session.id)
  })

  it('[API-1] takes an id, an idle timeout and a lifetime; no session lives past its lifetime', async () => {
    const eu = await open({ session: { idleTimeout: '10m', maxLifetime: '1h' } })
    const session = await eu.create({}, { id: 'chosen', idleTimeout: 1_000 })
    expect(session.id).toBe('chosen')
    expect(session.expiresAt).toBe(session.createdAt + 1_000)
    const short = await eu.create({}, { idleTimeout: '2h', maxLifetime: '30m' })
    expect(short.expiresAt).toBe(short.createdAt + 30 * MINUTE)
  })

  it('[API-1] refuses an id that is taken, and says by what', async () => {
    const [eu, clock] = await openStepped()
    await eu.create({}, { id: 'a' })
    await refuses(eu.create({}, { id: 'a' }), 'SESSION_EXISTS', { state: 'live' })
    await eu.end('a')
    await refuses(eu.create({}, { id: 'a' }), 'SESSION_EXISTS', { state: 'ended' })
    await eu.create({}, { id: 'b', idleTimeout: '1m' })
    clock.advance(MINUTE)
    await refuses(eu.create({}, { id: 'b' }), 'SESSION_EXISTS', { state: 'expired' })
    const { id } = await eu.create({})
    await eu.rotate(id)
    await refuses(eu.create({}, { id }), 'SESSION_EXISTS', { state: 'ended' })
  })

  it('[API-1] of two creations of one id in one turn one is refused', async () => {
    const eu = await open()
    const results = await Promise.allSettled([eu.create({ n: 1 }, { id: 'a' }), eu.create({ n: 2 }, { id: 'a' })])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
    expect((await eu.get('a'))?.data).toEqual({ n: 1 })
  })

  it('[API-1] refuses options that are none, and names them', async () => {
    const eu = await open({ session: { maxLifetime: '1h' } })
    const refusedWith = (options: object, option: string) =>
      refuses(eu.create({}, options), 'INVALID_OPTION', { option }, JSON.stringify(options))
    for (const id of ['', 'x'.repeat(513), 7, {}]) await refusedWith({ id }, 'id')
    for (const bad of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, '', 'soon', '5', '5 years', '-5m', {}]) {
      await refusedWith({ idleTimeout: bad }, 'idleTimeout')
      await refusedWith({ maxLifetime: bad }, 'maxLifetime')
    }
    await refusedWith({ maxLifetime: '61m' }, 'maxLifetime')
    await refusedWith({ write: 'most' }, 'write')
    expect(await eu.count()).toBe(0)
    expect((await eu.create({}, { id: 'x'.repeat(512) })).id.length).toBe(512)
  })
})

describe('data', () => {
  it('[API-1] comes back as it went in', async () => {
    await using regions = await openRegions(['eu', 'us'])
    const { id, data } = await regions.eu.create(EVERYTHING)
    expect(data).toStrictEqual(EVERYTHING)
    await regions.settled()
    const there = (await regions.us.get(id))!.data
    expect(there).toStrictEqual(EVERYTHING)
    expect(Object.is(there.minusZero, -0)).toBe(true)
    expect(Object.is(there.array.at(-1), -0)).toBe(true)
    // Written from what was read, also by another method, it is no other.
    await regions.us.replace(id, there, { touch: false })
    const copy = await regions.us.create(there)
    expect(copy.data).toStrictEqual(EVERYTHING)
  })

  it('[API-1] is deep-frozen, and nobody else’s', async () => {
    const eu = await open()
    const mine = { list: [1, { a: 1 }], object: { x: 1 }, date: new Date(5), bytes: Uint8Array.of(1) }
    const { id, data } = await eu.create(mine)
    mine.list.push(2)
    mine.object.x = 2
    mine.date.setTime(6)
    mine.bytes[0] = 2
    const expected = { list: [1, { a: 1 }], object: { x: 1 }, date: new Date(5), bytes: Uint8Array.of(1) }
    expect(data).toEqual(expected)
    const read = (await eu.get(id))!.data
    for (const part of [data, data.list, data.list[1], data.object, read, read.list, read.object])
      expect(Object.isFrozen(part)).toBe(true)
    // What JavaScript cannot freeze is a copy.
    read.date.setTime(7)
    read.bytes[0] = 3
    expect((await eu.get(id))!.data).toEqual(expected)
    expect(() => {
      read.object.x = 9
    }).toThrow(TypeError)
  })

  it('[API-1] a session is a snapshot: later writes do not change it', async () => {
    const eu = await open()
    const first = await eu.create<{ n: number }>({ n: 1 })
    const second = await eu.update<{ n: number }>(first.id, { n: 2 })
    await eu.increment(first.id, '/n')
    expect([first.data.n, second.data.n, (await eu.get(first.id))?.data.n]).toEqual([1, 2, 3])
  })

  it('[API-1] what a session cannot hold is refused by every write, with a pointer to it, and nothing is written', async () => {
    const eu = await open()
    const { id } = await eu.create({ a: 'before' })
    const { head } = eu.status()
    for (const [what, bad, path] of [...BAD_DATA, ['a cycle', cycle(), undefined] as const]) {
      const details = path === undefined ? {} : { path }
      await refuses(eu.create(bad as object), 'INVALID_DATA', details, `create: ${what}`)
      await refuses(eu.replace(id, bad as object), 'INVALID_DATA', details, `replace: ${what}`)
      // A draft function that gives undefined means its draft.
      await refuses(
        eu.update(id, () => bad as object),
        'INVALID_DATA',
        details,
        `update: ${what}`,
      )
    }
    await refuses(eu.update(id, JSON.parse('{"__proto__":{"polluted":1}}')), 'INVALID_DATA')
    await refuses(eu.update(id, JSON.parse('{"a":{"__proto__":1}}')), 'INVALID_DATA')
    expect(({} as { polluted?: number }).polluted).toBeUndefined()
    expect(eu.status().head).toBe(head)
    expect((await eu.get(id))?.data).toEqual({ a: 'before' })
  })

  it('[API-1] a session that would grow too large is refused, with the limit, and nothing is written', async () => {
    const eu = await open({ limits: { maxSessionBytes: 2_000 } })
    const { id } = await eu.create({ a: 'x'.repeat(1_000) })
    const tooLarge = ['SESSION_TOO_LARGE', { limit: 2_000 }] as const
    await refuses(eu.create({ a: 'x'.repeat(2_000) }), ...tooLarge)
    await refuses(eu.update(id, { b: 'x'.repeat(1_000) }), ...tooLarge)
    await refuses(eu.replace(id, { b: 'x'.repeat(2_000) }), ...tooLarge)
    expect(await all(eu)).toMatchObject([{ data: { a: 'x'.repeat(1_000) } }])
    await eu.update(id, { a: null, b: 'x'.repeat(1_000) })
  })

  it('[API-1] nesting is bounded', async () => {
    const eu = await open({ limits: { maxDepth: 3 } })
    const { id } = await eu.create({ a: { b: { c: 1 } } })
    await refuses(eu.create({ a: { b: { c: { d: 1 } } } }), 'INVALID_DATA')
    await refuses(eu.update(id, { a: { b: { c: [] } } }), 'INVALID_DATA')
  })
})

describe('get', () => {
  it('[API-1] gives undefined for what is unknown, ended or expired', async () => {
    const [eu, clock] = await openStepped()
    expect(await eu.get('unknown')).toBeUndefined()
    const { id } = await eu.create({ a: 1 }, { idleTimeout: '1m' })
    clock.advance(MINUTE - 1_000)
    expect(await eu.get(id)).toMatchObject({ id, data: { a: 1 } })
    clock.advance(1_000)
    expect(await eu.get(id)).toBeUndefined()
    const ended = await eu.create({})
    await eu.end(ended.id)
    expect(await eu.get(ended.id)).toBeUndefined()
  })

  it('[API-1] does not renew', async () => {
    const [eu, clock] = await openStepped()
    const { id, expiresAt } = await eu.create({})
    clock.advance(10 * MINUTE)
    expect((await eu.get(id))?.expiresAt).toBe(expiresAt)
  })

  it('[API-1] refuses what is no id', async () => {
    const eu = await open()
    for (const id of ['', 'x'.repeat(513), undefined, 7] as string[])
      await refuses(eu.get(id), 'INVALID_OPTION', { option: 'id' }, String(id).slice(0, 10))
  })
})

describe('update', () => {
  const fresh = async (data: object) => {
    const eu = await open()
    const { id } = await eu.create(data)
    return { eu, id }
  }

  it('[API-1] changes a draft in place, or takes what the function returns', async () => {
    const { eu, id } = await fresh({ cart: { items: { x: 1 } }, list: [1] })
    const changed = await eu.update(id, (draft) => {
      draft.cart.items.y = 2
      draft.list.push(2)
      delete draft.cart.items.x
    })
    expect(changed.data).toEqual({ cart: { items: { y: 2 } }, list: [1, 2] })
    const replaced = await eu.update(id, ({ list }) => ({ list, all: 'new' }))
    expect(replaced.data).toEqual({ list: [1, 2], all: 'new' })
    expect((await eu.get(id))?.data).toEqual(replaced.data)
  })

  it('[API-1] takes a JSON merge patch (RFC 7396, with the cases of its appendix)', async () => {
    const cases: readonly (readonly [target: object, patch: object, result: object])[] = [
      [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
      [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
      [{ a: 'b' }, { a: null }, {}],
      [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
      [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
      [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
      [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
      [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
      [{ e: null }, { a: 1 }, { e: null, a: 1 }],
      [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
      [{ a: 'b' }, {}, { a: 'b' }],
      [{ a: { b: 1 } }, { a: { c: { d: 2 } } }, { a: { b: 1, c: { d: 2 } } }],
      [{ a: 1 }, { a: { b: 2 } }, { a: { b: 2 } }],
      [{ a: { b: 2 } }, { a: 1 }, { a: 1 }],
      [{}, { toString: { valueOf: 1 } }, { toString: { valueOf: 1 } }],
    ]
    const eu = await open()
    for (const [target, patch, result] of cases) {
      const { id } = await eu.create(target)
      expect((await eu.update(id, patch as Record<string, unknown>)).data, JSON.stringify(patch)).toStrictEqual(result)
    }
  })

  it('[API-1] renews the session, unless told not to', async () => {
    const [eu, clock] = await openStepped()
    const { id, expiresAt } = await eu.create({ n: 0 })
    clock.advance(10 * MINUTE)
    expect((await eu.update(id, { n: 1 }, { touch: false })).expiresAt).toBe(expiresAt)
    expect((await eu.replace(id, { n: 2 }, { touch: false })).expiresAt).toBe(expiresAt)
    expect((await eu.increment(id, '/n', 1, { touch: false })).expiresAt).toBe(expiresAt)
    for (const write of [
      () => eu.update(id, { n: 4 }),
      () => eu.replace(id, { n: 5 }),
      () => eu.increment(id, '/n'),
      () => eu.update(id, {}),
    ]) {
      clock.advance(10 * MINUTE)
      expect((await write()).expiresAt).toBeGreaterThanOrEqual(clock.now() + 30 * MINUTE - 1_000)
    }
  })

  it('[API-1] writes nothing where nothing changes', async () => {
    const { eu, id } = await fresh({ a: { b: [1, { c: 2 }] }, date: new Date(1), bytes: Uint8Array.of(1) })
    const { head } = eu.status()
    const untouched = { touch: false }
    await eu.update(id, {}, untouched)
    await eu.update(id, () => {}, untouched)
    await eu.update(id, { a: { b: [1, { c: 2 }] } }, untouched)
    await eu.replace(id, { bytes: Uint8Array.of(1), date: new Date(1), a: { b: [1, { c: 2 }] } }, untouched)
    await eu.increment(id, '/n', 0, untouched).catch(() => {})
    expect(eu.status().head).toBeLessThanOrEqual(head + 1)
  })

  it('[API-1] never creates: SESSION_NOT_FOUND for what is unknown, ended or expired', async () => {
    const [eu, clock] = await openStepped()
    const ended = await eu.create({})
    await eu.end(ended.id)
    const expired = await eu.create({}, { idleTimeout: '1m' })
    clock.advance(MINUTE)
    const { head } = eu.status()
    for (const id of ['unknown', ended.id, expired.id]) {
      await refuses(eu.update(id, { a: 1 }), 'SESSION_NOT_FOUND')
      await refuses(
        eu.update(id, () => expect.unreachable('there is nothing to draft from')),
        'SESSION_NOT_FOUND',
      )
      await refuses(eu.replace(id, { a: 1 }), 'SESSION_NOT_FOUND')
      await refuses(eu.increment(id, '/a'), 'SESSION_NOT_FOUND')
      await refuses(eu.rotate(id), 'SESSION_NOT_FOUND')
      expect(await eu.touch(id)).toBeUndefined()
    }
    expect(eu.status().head).toBe(head)
  })

  it('[API-1] concurrent calls do not overwrite each other', async () => {
    const { eu, id } = await fresh({})
    await Promise.all(Array.from({ length: 50 }, (_, n) => eu.update(id, { [`field${n}`]: n })))
    expect(Object.keys((await eu.get(id))!.data).length).toBe(50)
  })

  it('[API-1] what the function throws is thrown, and nothing is written', async () => {
    const { eu, id } = await fresh({ n: 0 })
    const boom = new Error('boom')
    await expect(
      eu.update(id, (draft) => {
        draft.n = 1
        throw boom
      }),
    ).rejects.toBe(boom)
    expect((await eu.get(id))?.data).toEqual({ n: 0 })
  })

  it('[API-1] refuses an async function, which would read and write at different times', async () => {
    const { eu, id } = await fresh({ n: 0 })
    const later = async (draft: { n: number }) => {
      draft.n = 1
    }
    await refuses(eu.update(id, later as never), 'INVALID_OPTION', { option: 'update' })
    expect((await eu.get(id))?.data).toEqual({ n: 0 })
  })
})

describe('replace', () => {
  it('[API-1] writes what differs from what the caller had read, and nothing else', async () => {
    const eu = await open()
    const { id, data: read } = await eu.create({ a: 1, b: { x: 1, y: 1 }, gone: 1 })
    await eu.update(id, { a: 2, b: { z: 1 }, c: 1 })
    const { data } = await eu.replace(id, { a: 1, b: { x: 2, y: 1 } }, { base: read })
    expect(data).toEqual({ a: 2, b: { x: 2, y: 1, z: 1 }, c: 1 })
  })

  it('[API-1] without a base replaces all that there is', async () => {
    const eu = await open()
    const { id } = await eu.create({ a: 1, b: { x: 1 } })
    expect((await eu.replace(id, { b: { y: 1 } })).data).toEqual({ b: { y: 1 } })
  })

  it('[API-1] writes the change of a counter as an increment', async () => {
    const eu = await open()
    const counters = ['/views', '/deep/er']
    const { id, data: read } = await eu.create({ views: 1, deep: { er: 5 } })
    await eu.replace(id, { views: 2, deep: { er: 4 } }, { base: read, counters })
    const { data } = await eu.replace(id, { views: 4, deep: { er: 6 } }, { base: read, counters })
    expect(data).toEqual({ views: 5, deep: { er: 5 } })
  })

  it('[API-1] refuses counters that are no pointers', async () => {
    const eu = await open()
    const { id } = await eu.create({ a: 1 })
    for (const bad of ['views', '', '/~2', '/__proto__/x', 7])
      await refuses(eu.replace(id, { a: 2 }, { counters: [bad as string] }), 'INVALID_DATA', {}, String(bad))
    expect((await eu.get(id))?.data).toEqual({ a: 1 })
  })
})

describe('increment', () => {
  it('[API-1] adds, by 1 unless told otherwise, and makes the field where there is none', async () => {
    const eu = await open()
    const { id } = await eu.create({ n: 5, 'a/b': 1 })
    expect((await eu.increment(id, '/n')).data.n).toBe(6)
    expect((await eu.increment(id, '/n', -10)).data.n).toBe(-4)
    expect((await eu.increment(id, '/a~1b', 2)).data).toEqual({ n: -4, 'a/b': 3 })
    expect((await eu.increment(id, '/made/here', 7)).data).toMatchObject({ made: { here: 7 } })
    await Promise.all(Array.from({ length: 20 }, () => eu.increment(id, '/n')))
    expect((await eu.get(id))?.data.n).toBe(16)
  })

  it('[API-1] refuses what cannot be added, and what cannot be added to', async () => {
    const eu = await open()
    const { id } = await eu.create({ text: 'x', half: 0.5, list: [], object: {}, max: Number.MAX_SAFE_INTEGER })
    const { head } = eu.status()
    for (const by of [0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, '1', null])
      await refuses(eu.increment(id, '/n', by as number), 'INVALID_OPTION', { option: 'by' }, String(by))
    for (const path of ['/text', '/half', '/list', '/object', '/max'])
      await refuses(eu.increment(id, path), 'INVALID_DATA', { path })
    for (const path of ['', 'n', '/~', '/a/__proto__', 7])
      await refuses(eu.increment(id, path as string), 'INVALID_DATA', {}, String(path))
    expect(eu.status().head).toBe(head)
  })
})

describe('touch', () => {
  it('[API-1] renews; a renewal is not written where it would move the deadline by too little', async () => {
    const [eu, clock] = await openStepped({ session: { idleTimeout: '20m' } })
    const { id } = await eu.create({})
    clock.advance(10 * MINUTE)
    const first = (await eu.touch(id))!
    expect(first.expiresAt).toBeGreaterThanOrEqual(clock.now() + 20 * MINUTE - 1_000)
    const { head } = eu.status()
    // A twentieth of the idle timeout is a minute; the deadline stays, and is late enough.
    clock.advance(0.9 * MINUTE)
    const second = (await eu.touch(id))!
    expect(second.expiresAt).toBe(first.expiresAt)
    expect(second.expiresAt).toBeGreaterThanOrEqual(clock.now() + 20 * MINUTE)
    expect(eu.status().head).toBe(head)
    clock.advance(0.2 * MINUTE)
    expect((await eu.touch(id))!.expiresAt).toBeGreaterThan(first.expiresAt)
    expect(eu.status().head).toBe(head + 1)
  })

  it('[API-1] no session expires before its idle timeout since the last use has passed', async () => {
    const [eu, clock] = await openStepped({ session: { idleTimeout: '20m' } })
    const { id } = await eu.create({})
    for (const minutes of [0.1, 0.5, 0.9, 1.1, 3, 19.9, 0.2]) {
      clock.advance(minutes * MINUTE)
      await eu.touch(id)
      clock.advance(19.9 * MINUTE)
      expect(await eu.get(id), `${minutes} minutes`).toBeDefined()
      await eu.touch(id)
    }
  })

  it('[API-1] can give another idle timeout, which stays', async () => {
    const [eu, clock] = await openStepped({ session: { idleTimeout: '20m', maxLifetime: '9h' } })
    const { id } = await eu.create({})
    const longer = (await eu.touch(id, { idleTimeout: '2h' }))!
    expect(longer.expiresAt).toBeGreaterThanOrEqual(clock.now() + 2 * HOUR - 1_000)
    clock.advance(1.5 * HOUR)
    expect((await eu.touch(id))!.expiresAt).toBeGreaterThanOrEqual(clock.now() + 2 * HOUR - 1_000)
    const shorter = (await eu.touch(id, { idleTimeout: '1m' }))!
    expect(shorter.expiresAt).toBeLessThan(clock.now() + 2 * MINUTE)
    await refuses(eu.touch(id, { idleTimeout: 'soon' }), 'INVALID_OPTION', { option: 'idleTimeout' })
  })

  it('[API-1] extends nothing past the absolute limit', async () => {
    const [eu, clock] = await openStepped({ session: { idleTimeout: '20m', maxLifetime: '1h' } })
    const { id, createdAt } = await eu.create({})
    for (let minutes = 0; minutes < 55; minutes += 5) {
      clock.advance(5 * MINUTE)
      const { expiresAt } = (await eu.touch(id, { idleTimeout: '40m' }))!
      expect(expiresAt).toBeLessThanOrEqual(createdAt + HOUR)
    }
    clock.advance(5 * MINUTE)
    expect(await eu.touch(id)).toBeUndefined()
    await refuses(eu.update(id, { a: 1 }), 'SESSION_NOT_FOUND')
  })
})

describe('end', () => {
  it('[API-1] says whether the session was alive; the first end counts', async () => {
    const [eu, clock] = await openStepped()
    const told = listen(eu, 'ended')
    const { id } = await eu.create({ a: 1 })
    expect(await eu.end(id, { reason: 'revoked' })).toBe(true)
    expect(await eu.end(id)).toBe(false)
    const expired = await eu.create({}, { idleTimeout: '1m' })
    clock.advance(MINUTE)
    expect(await eu.end(expired.id)).toBe(false)
    expect(told[0]).toEqual(['ended', { key: sessionKey(id), origin: 'local', reason: 'revoked' }])
  })

  it('[API-1] of an id that nobody has, where everybody can say so, leaves nothing', async () => {
    await using regions = await openRegions(['eu', 'us'])
    expect(await regions.eu.end('unknown')).toBe(false)
    expect(regions.eu.status()).toMatchObject({ tombstones: 0, head: 0 })
    await regions.eu.create({}, { id: 'unknown' })
  })

  it('[API-1] of an id that somebody else may have leaves a tombstone, and ends it there', async () => {
    await using regions = await openRegions(['eu', 'us'])
    const { eu, us } = regions
    await regions.cut('eu', 'us')
    await us.create({}, { id: 'elsewhere' })
    expect(await eu.end('elsewhere')).toBe(false)
    await refuses(eu.create({}, { id: 'elsewhere' }), 'SESSION_EXISTS', { state: 'ended' })
    expect(await us.get('elsewhere')).toBeDefined()
    regions.heal('eu', 'us')
    await regions.settled()
    expect(await us.get('elsewhere')).toBeUndefined()
    expect(await us.end('elsewhere')).toBe(false)
  })

  it('[API-1] refuses reasons that are none', async () => {
    const eu = await open()
    const { id } = await eu.create({})
    for (const reason of ['bored', '', 1, null] as never[]) {
      await refuses(eu.end(id, { reason }), 'INVALID_OPTION', { option: 'reason' })
      await refuses(eu.endAll({ reason }), 'INVALID_OPTION', { option: 'reason' })
    }
    expect(await eu.get(id)).toBeDefined()
  })
})

describe('rotate', () => {
  it('[API-1] moves data, creation time and limit to a new id, and ends the old one', async () => {
    const [eu, clock] = await openStepped({ session: { idleTimeout: '20m', maxLifetime: '1h' } })
    const told = listen(eu, 'created', 'ended')
    const old = await eu.create({ ...EVERYTHING })
    clock.advance(10 * MINUTE)
    const rotated = await eu.rotate(old.id)
    expect(rotated.id).toMatch(/^[\w-]{43}$/)
    expect(rotated.id).not.toBe(old.id)
    expect(rotated.data).toStrictEqual(EVERYTHING)
    expect(rotated.createdAt).toBe(old.createdAt)
    expect(rotated.expiresAt).toBeGreaterThanOrEqual(clock.now() + 20 * MINUTE - 1_000)
    expect(await eu.get(old.id)).toBeUndefined()
    await refuses(eu.update(old.id, {}), 'SESSION_NOT_FOUND')
    expect(await eu.count()).toBe(1)
    expect(told).toEqual([
      ['created', { key: sessionKey(old.id), origin: 'local' }],
      ['created', { key: sessionKey(rotated.id), origin: 'local' }],
      ['ended', { key: sessionKey(old.id), origin: 'local', reason: 'rotated' }],
    ])
    for (let minutes = 10; minutes < 55; minutes += 15) {
      clock.advance(15 * MINUTE)
      expect((await eu.touch(rotated.id))!.expiresAt).toBeLessThanOrEqual(old.createdAt + HOUR)
    }
    clock.advance(5 * MINUTE)
    expect(await eu.get(rotated.id)).toBeUndefined()
  })

  it('[API-1] keeps the session’s own idle timeout', async () => {
    const [eu, clock] = await openStepped()
    const { id } = await eu.create({}, { idleTimeout: '5m' })
    const rotated = await eu.rotate(id)
    clock.advance(5 * MINUTE)
    expect(await eu.get(rotated.id)).toBeUndefined()
  })

  it('[API-1] of two rotations of one id in one turn one is refused', async () => {
    const eu = await open()
    const { id } = await eu.create({})
    const results = await Promise.allSettled([eu.rotate(id), eu.rotate(id)])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
    expect(await eu.count()).toBe(1)
  })
})

describe('all sessions', () => {
  it('[API-1] are listed in the order of their keys, without ids, and counted', async () => {
    const [eu, clock] = await openStepped()
    const made = await Promise.all(Array.from({ length: 300 }, (_, n) => eu.create({ n })))
    await eu.end(made[0]!.id)
    await eu.create({}, { idleTimeout: '1m' })
    clock.advance(MINUTE)
    const listed = await all(eu)
    expect(listed.map(({ key }) => key)).toEqual(
      made
        .slice(1)
        .map(({ id }) => sessionKey(id))
        .sort(),
    )
    for (const session of listed) {
      expect(Object.keys(session).sort()).toEqual(['createdAt', 'data', 'expiresAt', 'key'])
      const original = made[session.data.n as number]!
      expect(session).toEqual({
        key: sessionKey(original.id),
        data: original.data,
        createdAt: original.createdAt,
        expiresAt: original.expiresAt,
      })
    }
  })

  it('[API-1] a walk can be left, and stands writes meanwhile', async () => {
    const eu = await open()
    for (let n = 0; n < 300; n++) await eu.create({ n })
    for await (const _ of eu.sessions()) break
    let seen = 0
    for await (const _ of eu.sessions()) {
      seen++
      if (seen <= 5) await eu.create({})
    }
    expect(seen).toBeGreaterThanOrEqual(300)
    expect(await eu.count()).toBe(305)
  })

  it('[API-1] can be ended at once', async () => {
    await using regions = await openRegions(['eu', 'us'])
    const { eu, us } = regions
    const told = listen(us, 'ended')
    const ids = []
    for (let n = 0; n < 20; n++) ids.push((await (n % 2 ? eu : us).create({ n })).id)
    await regions.settled()
    await eu.end(ids[0]!)
    expect(await eu.endAll({ reason: 'revoked' })).toBe(19)
    expect(await eu.endAll()).toBe(0)
    await regions.settled()
    expect([await eu.count(), await us.count()]).toEqual([0, 0])
    for (const id of ids) expect(await us.get(id)).toBeUndefined()
    expect(told.filter(([, body]) => 'reason' in body && body.reason === 'revoked').length).toBe(19)
  })
})

describe('exportDocument', () => {
  it('[API-1] is an Automerge document that loads, with the data, and the same bytes in both regions', async () => {
    await using regions = await openRegions(['eu', 'us'])
    const { eu, us } = regions
    const { id } = await eu.create({ user: 'ada', n: 1, cart: { items: ['x', { y: 1 }] }, at: new Date(5) })
    await regions.settled()
    await Promise.all([eu.update(id, { eu: true }), us.increment(id, '/n', 4)])
    await regions.settled()
    const [here, there] = await Promise.all([eu.exportDocument(id), us.exportDocument(id)])
    const bytes = save(here!)
    expect(Buffer.compare(bytes, save(there!))).toBe(0)
    const expected = { user: 'ada', n: 5, cart: { items: ['x', { y: 1 }] }, at: new Date(5), eu: true }
    expect(load(bytes)).toEqual(expected)
    expect(await eu.exportDocument('unknown')).toBeUndefined()
  })
})

describe('status', () => {
  it('[API-1] tells what the replica is, holds and hears', async () => {
    await using regions = await openRegions(['eu', 'us'])
    const { eu, us } = regions
    const { id } = await eu.create({ a: 1 })
    await eu.create({})
    await eu.end(id)
    await regions.settled()
    await until(() => eu.status().links.us!.rtt !== undefined, 'a round trip')
    const status = eu.status()
    expect(status).toEqual({
      region: 'eu',
      replica: expect.stringMatching(/^[0-9a-f]{32}$/),
      isolated: false,
      sessions: 1,
      expired: 0,
      tombstones: 1,
      head: 3,
      // Each replica counts what it takes in from others, too.
      vector: { [us.status().replica]: us.status().head },
      links: {
        us: {
          state: 'live',
          behind: expect.any(Number),
          lag: expect.any(Number),
          rtt: expect.any(Number),
          skew: expect.any(Number),
          bufferedBytes: expect.any(Number),
          toReceive: 0,
          held: 3,
          bytes: { sent: expect.any(Number), received: expect.any(Number) },
        },
      },
      cache: { entries: 2, bytes: expect.any(Number), hits: expect.any(Number), misses: 0 },
      recentBytes: expect.any(Number),
      pending: { commits: 0, writes: 0, reads: 0 },
      totals: {
        commits: 3,
        refused: {},
        repaired: { read: 0, digest: 0, rot: 0 },
        catchUps: expect.any(Number),
        fullCatchUps: 0,
        rotten: 0,
      },
    })
    expect(us.status()).toMatchObject({ sessions: 1, tombstones: 1, vector: { [status.replica]: 3 } })
    await until(() => eu.status().links.us!.behind === 0, 'the acks')
  })

  it('[API-1] tells of a peer that is away, and how far it is behind', async () => {
    await using regions = await openRegions(['eu', 'us'])
    const { eu } = regions
    await regions.cut('eu', 'us')
    for (let n = 0; n < 7; n++) await eu.create({ n })
    expect(eu.status().links.us).toMatchObject({ state: 'down', behind: 7, rtt: undefined })
    regions.healAll()
    await regions.settled()
    await until(() => eu.status().links.us!.behind === 0, 'the acks')
  })

  it('[API-1] counts bytes, hits and misses, and whether a catch-up read the whole feed', async () => {
    await using regions = await openRegions(['eu', 'us'], { limits: { maxRecentCommits: 2, maxCacheEntries: 1 } })
    const { eu } = regions
    const ids: string[] = []
    for (let n = 0; n < 10; n++) ids.push((await eu.create({ n, text: 'x'.repeat(100) })).id)
    await regions.settled()
    const before = eu.status()
    const heard = regions.us.status().links.eu!.bytes.received
    await eu.get(ids[9]!)
    await eu.get(ids[0]!)
    expect(eu.status().cache).toMatchObject({ hits: before.cache.hits + 1, misses: before.cache.misses + 1 })

    await regions.cut('eu', 'us')
    for (let n = 0; n < 10; n++) await eu.create({ n, text: 'x'.repeat(100) })
    regions.healAll()
    await regions.settled()
    const partial = eu.status()
    expect(partial.totals.catchUps).toBeGreaterThan(before.totals.catchUps)
    expect(partial.totals.fullCatchUps).toBe(before.totals.fullCatchUps)
    expect(partial.links.us!.bytes.sent).toBeGreaterThan(before.links.us!.bytes.sent + 1_000)
    expect(regions.us.status().links.eu!.bytes.received).toBeGreaterThan(heard + 1_000)

    // Its store was in memory.
    await regions.reopen('us')
    expect(await regions.us.get(ids[0]!)).toBeUndefined()
    await regions.settled()
    await until(() => regions.us.status().links.eu!.toReceive === 0, 'us to have it all')
    expect(eu.status().totals.fullCatchUps).toBe(before.totals.fullCatchUps + 1)
  })

  it('[API-1] a region can be isolated and rejoin', async () => {
    await using regions = await openRegions(['eu', 'us'])
    const { eu, us } = regions
    eu.isolate()
    expect(eu.status().isolated).toBe(true)
    await until(() => us.status().links.eu!.state === 'down', 'the link to go')
    const { id } = await us.create({})
    expect(await eu.get(id)).toBeUndefined()
    eu.rejoin()
    await regions.settled()
    expect(eu.status().isolated).toBe(false)
    expect(await eu.get(id)).toBeDefined()
  })

  it('[API-1] names its region and where it listens', async () => {
    const eu = await open({ listen: { port: 0 }, secret: SECRET })
    expect(eu.region).toBe('eu')
    expect(eu.address).toEqual({ host: '127.0.0.1', port: expect.any(Number) })
    expect(eu.address!.port).toBeGreaterThan(0)
    expect((await open({ region: 'us' })).address).toBeUndefined()
  })
})

describe('events', () => {
  it('[API-1] come in every region, with where they came from, and without ids', async () => {
    await using regions = await openRegions(['eu', 'us'])
    const { eu, us } = regions
    const [atEu, atUs] = [eu, us].map((replica) => listen(replica, 'created', 'updated', 'ended'))
    const { id } = await eu.create({ n: 0 })
    const key = sessionKey(id)
    await regions.settled()
    await us.update(id, { n: 1 })
    await regions.settled()
    await eu.increment(id, '/n')
    await eu.replace(id, { n: 2 })
    await eu.touch(id, { idleTimeout: '1h' })
    await regions.settled()
    await us.end(id, { reason: 'revoked' })
    await regions.settled()
    const told = (eu: string, us: string) => [
      ['created', { key, origin: eu }],
      ['updated', { key, origin: us }],
      ['updated', { key, origin: eu }],
      ['ended', { key, origin: us, reason: 'revoked' }],
    ]
    expect(atEu).toEqual(told('local', 'us'))
    expect(atUs).toEqual(told('eu', 'local'))
    expect(JSON.stringify([atEu, atUs])).not.toContain(id)
  })

  it('[API-1] an expiry is told, and counted, in every region soon after it', async () => {
    await using regions = await openRegions(['eu', 'us'])
    const { eu, us } = regions
    const [atEu, atUs] = [eu, us].map((replica) => listen(replica, 'expired'))
    const idle = await eu.create({}, { idleTimeout: 300 })
    const absolute = await eu.create({}, { maxLifetime: 300 })
    await regions.settled()
    expect([await eu.count(), await us.count()]).toEqual([2, 2])
    const expected = [
      ['expired', { key: sessionKey(idle.id), origin: 'local', cause: 'idle' }],
      ['expired', { key: sessionKey(absolute.id), origin: 'local', cause: 'absolute' }],
    ]
    await until(() => atEu!.length === 2, 'the expiries in eu')
    expect(atEu).toEqual(expect.arrayContaining(expected))
    expect(await eu.count()).toBe(0)
    expect(eu.status()).toMatchObject({ sessions: 0, expired: 2 })
    await until(() => atUs!.length === 2, 'the expiries in us')
    expect(atUs).toEqual(expect.arrayContaining(expected))
    expect(await us.count()).toBe(0)
  })

  it('[API-1] an expiry is told soon, at whatever moment of a collection the session was made', async () => {
    const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
    /** Each walk sees the rows of its first step, and takes its time. */
    const slow: StorageEngine = {
      async open(location) {
        const storage = await levelEngine.open(location)
        return {
          get: (key) => storage.get(key),
          write: (writes, sync) => storage.write(writes, sync),
          close: () => storage.close(),
          async *scan(range) {
            const chunks = []
            for await (const rows of storage.scan(range)) chunks.push(rows)
            for (let n = 0; n < 20; n++) await turn()
            yield* chunks
          },
        }
      },
    }
    await Promise.all(
      Array.from({ length: 25 }, async (_, index) => {
        const eu = await open({ ports: { storage: slow } })
        const told = listen(eu, 'expired')
        await eu.create({}, { idleTimeout: 30 })
        await until(() => told.length === 1, 'the first expiry')
        for (let n = 0; n < index * 4; n++) await turn()
        await eu.create({}, { idleTimeout: 30 })
        await until(() => told.length === 2, `the expiry of a session made ${index * 4} turns later`)
      }),
    )
  })

  it('[EXP-4] what expired, and what is left of an end, is purged by itself with every row, a grace after it is due', async () => {
    let storage: Storage | undefined
    const kept: StorageEngine = {
      async open(location) {
        storage = await levelEngine.open(location)
        return storage
      },
    }
    const rows = async () => {
      const out: StorageRow[] = []
      for await (const chunk of storage!.scan({ gte: new Uint8Array(), lt: Uint8Array.of(255, 255) }))
        out.push(...chunk)
      return out
    }
    const eu = await open({ ports: { storage: kept }, purgeGrace: 50, session: { maxLifetime: 400 } })
    const bare = (await rows()).length
    const { id } = await eu.create({ a: 1 }, { id: 'again', idleTimeout: 50 })
    const ended = await eu.create({ a: 'x'.repeat(1_000) })
    await eu.end(ended.id)
    const key = Buffer.from(sessionKey(ended.id), 'hex')
    const left = (await rows()).filter((row) => row.some((part) => Buffer.from(part).includes(key)))
    expect(left.length, 'a record, a place in the feed, and when it is due').toBe(3)
    for (const [, value] of left) expect(value.length).toBeLessThanOrEqual(48)
    await until(() => eu.status().expired === 1, 'the expiry')
    await until(() => eu.status().expired === 0, 'the purge')
    expect(eu.status()).toMatchObject({ sessions: 0, tombstones: 1 })
    // Nothing is remembered of what expired, so its id is free.
    await eu.create({}, { id, idleTimeout: 50 })
    await until(() => eu.status().expired === 0 && eu.status().sessions === 0, 'the second purge')
    await until(() => eu.status().tombstones === 0, 'the purge of the tombstone')
    await until(async () => (await rows()).length === bare, 'every row to be gone')
  })

  it('[API-1] links are told, and a listener can be taken off', async () => {
    await using regions = await openRegions(['eu', 'us'])
    const { eu } = regions
    const told = listen(eu, 'link')
    const taken: unknown[] = []
    const listener = (event: unknown) => taken.push(event)
    eu.on('created', listener)
    await eu.create({})
    eu.off('created', listener)
    await eu.create({})
    expect(taken.length).toBe(1)
    await regions.cut('eu', 'us')
    expect(told).toContainEqual(['link', expect.objectContaining({ region: 'us', state: 'down' })])
    told.length = 0
    regions.healAll()
    await regions.settled()
    expect(told).toContainEqual(['link', expect.objectContaining({ region: 'us', state: 'up' })])
    expect(told).toContainEqual(['link', expect.objectContaining({ region: 'us', state: 'live' })])
  })
})

describe('two regions', () => {
  it('[API-1] every write is seen in the other region', async () => {
    await using regions = await openRegions(['eu', 'us'])
    const { eu, us } = regions
    const both = async (id: string) => {
      await regions.settled()
      const [here, there] = await Promise.all([eu.get(id), us.get(id)])
      expect(there).toEqual(here)
      return there
    }
    const { id } = await eu.create({ n: 0 }, { idleTimeout: '20m', maxLifetime: '2h' })
    expect((await both(id))?.data).toEqual({ n: 0 })
    await us.update(id, { a: { b: 1 } })
    expect((await both(id))?.data).toEqual({ n: 0, a: { b: 1 } })
    await eu.replace(id, { n: 0, a: { c: 2 } })
    expect((await both(id))?.data).toEqual({ n: 0, a: { c: 2 } })
    await us.increment(id, '/n', 3)
    expect((await both(id))?.data).toEqual({ n: 3, a: { c: 2 } })
    const touched = await eu.touch(id, { idleTimeout: '1h' })
    expect((await both(id))?.expiresAt).toBe(touched!.expiresAt)
    const rotated = await us.rotate(id)
    expect(await both(id)).toBeUndefined()
    expect(await both(rotated.id)).toEqual(rotated)
    expect(await eu.end(rotated.id)).toBe(true)
    expect(await both(rotated.id)).toBeUndefined()
    await refuses(us.create({}, { id: rotated.id }), 'SESSION_EXISTS', { state: 'ended' })
    expect(regions.faults).toEqual([])
  })

  it('[API-1] a renewal finds a session again that the other region has purged', async () => {
    const clock = steppedClock()
    await using regions = await openRegions(['eu', 'us'], { disk: true, maxClockSkew: '1d', ports: { clock } })
    const { id } = await regions.eu.create({ n: 1 }, { idleTimeout: '30m' })
    await regions.settled()
    await regions.cut('eu', 'us')
    clock.advance(20 * MINUTE)
    await regions.eu.touch(id)
    clock.advance(20 * MINUTE)
    // A replica collects when it is opened.
    await regions.reopen('us')
    await until(() => {
      const { sessions, expired } = regions.us.status()
      return sessions + expired === 0
    }, 'the purge')
    regions.heal('eu', 'us')
    await regions.settled()
    expect((await regions.us.get(id))?.data).toEqual({ n: 1 })
    await regions.us.increment(id, '/n')
    await regions.settled()
    expect((await regions.eu.get(id))?.data).toEqual({ n: 2 })
  })
})

describe('the disk', () => {
  it('[API-1] a directory that is opened again has its sessions and its ends', async () => {
    const location = await temporary()
    const first = await open({ location })
    const kept = await first.create(EVERYTHING)
    const counted = await first.create({ n: 1 })
    await first.increment(counted.id, '/n', 2)
    const gone = await first.create({})
    await first.end(gone.id, { reason: 'revoked' })
    const actor = first.status().replica
    await first.close()

    const second = await open({ location })
    expect(await second.get(kept.id)).toStrictEqual(kept)
    expect((await second.get(counted.id))?.data).toEqual({ n: 3 })
    expect(await second.get(gone.id)).toBeUndefined()
    await refuses(second.create({}, { id: gone.id }), 'SESSION_EXISTS', { state: 'ended' })
    expect(second.status()).toMatchObject({ sessions: 2, tombstones: 1, head: 5 })
    expect(second.status().replica, 'each opening is another actor').not.toBe(actor)
    await second.update(kept.id, { more: true })
    expect((await second.get(kept.id))?.data).toStrictEqual({ ...EVERYTHING, more: true })
  })

  it('[API-1] a directory can be open once', async () => {
    const location = await temporary()
    const first = await open({ location })
    await refuses(openReplica({ region: 'eu', location }), 'STORE_LOCKED')
    await first.close()
    await open({ location })
  })

  it('[API-1] ids never reach it, nor what they can be found from', async () => {
    await using regions = await openRegions(['eu', 'us'], { disk: true })
    const { eu, us } = regions
    const ids: string[] = []
    const made = async (replica: Replica) => {
      const { id } = await replica.create({ marker: 'data that is stored' })
      ids.push(id)
      return id
    }
    await eu.touch(await made(eu))
    await eu.update(await made(us), { a: 1 }).catch(() => {})
    ids.push((await us.rotate(await made(us))).id)
    await us.end(await made(us))
    await eu.create({}, { id: 'chosen-by-the-caller-and-secret' })
    ids.push('chosen-by-the-caller-and-secret')
    await eu.get('asked-for-and-not-there')
    await eu.end('ended-and-not-there')
    ids.push('asked-for-and-not-there', 'ended-and-not-there')
    await regions.settled()
    await Promise.all([regions.shut('eu'), regions.shut('us')])

    for (const name of regions.names) {
      const files = (await readdir(regions.location(name), { recursive: true, withFileTypes: true })).filter((file) =>
        file.isFile(),
      )
      const bytes = Buffer.concat(await Promise.all(files.map((f) => readFile(join(f.parentPath, f.name)))))
      // Were it not for these, the search would prove nothing.
      expect(bytes.includes(Buffer.from(sessionKey(ids[0]!), 'hex')), 'the key is there').toBe(true)
      expect(bytes.includes('data that is stored'), 'the data is there').toBe(true)
      for (const id of ids) {
        expect(bytes.includes(id), `${name} has an id on its disk`).toBe(false)
        expect(bytes.includes(Buffer.from(id, 'base64url')), `${name} has an id on its disk`).toBe(false)
        expect(bytes.includes(id.slice(0, 12)), `${name} has a part of an id on its disk`).toBe(false)
      }
    }
  })
})

describe.runIf(isEmbedded())('closing', () => {
  it('[API-1] every call on a closed replica is refused', async () => {
    const eu = await open()
    const { id } = await eu.create({})
    await eu.close()
    await eu.close()
    const calls: readonly (() => Promise<unknown>)[] = [
      () => eu.create({}),
      () => eu.get(id),
      () => eu.update(id, {}),
      () => eu.replace(id, {}),
      () => eu.increment(id, '/n'),
      () => eu.touch(id),
      () => eu.end(id),
      () => eu.rotate(id),
      () => all(eu),
      () => eu.count(),
      () => eu.endAll(),
      () => eu.exportDocument(id),
      () => eu.compareDigests(),
      async () => eu.isolate(),
      async () => eu.rejoin(),
    ]
    for (const call of calls) await refuses(call(), 'REPLICA_CLOSED', {}, String(call))
    // What it was last can still be asked.
    expect(eu.status()).toMatchObject({ region: 'eu', sessions: 1, head: 1 })
  })

  it('[API-1] writes that were made before it are on the disk', async () => {
    const location = await temporary()
    const eu = await open({ location })
    const made = Array.from({ length: 100 }, (_, n) => eu.create({ n }, { id: `id ${n}` }))
    while (eu.status().pending.commits < 100) await undefined
    await Promise.all([...made, eu.close()])
    expect(await (await open({ location })).count()).toBe(100)
  })

  it('[API-1] `await using` closes', async () => {
    let kept: Replica
    {
      await using eu = await openReplica({ region: 'eu', location: ':memory:' })
      kept = eu
      await eu.create({})
    }
    await refuses(kept.count(), 'REPLICA_CLOSED')
  })
})

describe('bounds', () => {
  it('[API-1] commits that wait for the disk are bounded: one more is refused, and nothing of it is written', async () => {
    const eu = await open({ limits: { maxPendingCommits: 3 } })
    const { id } = await eu.create({ n: 0 })
    const results = await Promise.allSettled(Array.from({ length: 10 }, () => eu.increment(id, '/n')))
    const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
    expect(refused.length).toBe(7)
    for (const error of refused) expect(error).toMatchObject({ code: 'OVERLOADED', limit: 3 })
    expect((await eu.get(id))?.data.n).toBe(3)
    expect(eu.status().pending.commits).toBe(0)
    await eu.increment(id, '/n')
  })

  it('[API-1] reads and refused calls need no room', async () => {
    const eu = await open({ limits: { maxPendingCommits: 1 } })
    const { id } = await eu.create({ n: 0 })
    const write = eu.increment(id, '/n')
    await Promise.all([eu.get(id), eu.count(), all(eu)])
    await write
  })
})

describe.runIf(isEmbedded())('openReplica', () => {
  const base = { region: 'eu', location: ':memory:' }
  const linked = { ...base, secret: SECRET }
  const BAD_OPTIONS: readonly (readonly [option: string, options: object])[] = [
    ['region', { location: ':memory:' }],
    ['region', { ...base, region: '' }],
    ['region', { ...base, region: 'x'.repeat(65) }],
    ['region', { ...base, region: 'é'.repeat(33) }],
    ['region', { ...base, region: 7 }],
    ['location', { region: 'eu' }],
    ['location', { ...base, location: '' }],
    ['loction', { ...base, loction: '/x' }],
    ['listen', { ...linked, listen: 7101 }],
    ['listen.port', { ...linked, listen: {} }],
    ['listen.port', { ...linked, listen: { port: -1 } }],
    ['listen.port', { ...linked, listen: { port: 65_536 } }],
    ['listen.port', { ...linked, listen: { port: '7101' } }],
    ['listen.host', { ...linked, listen: { port: 0, host: '' } }],
    ['listen.prot', { ...linked, listen: { port: 0, prot: 1 } }],
    ['listen', { ...linked, listen: { port: 0, host: '203.0.113.1' } }],
    ['secret', { ...base, listen: { port: 0 } }],
    ['secret', { ...base, peers: { us: null } }],
    ['secret', { ...base, secret: 'short' }],
    ['peers.us', { ...linked, peers: { us: 'http://127.0.0.1:1' } }],
    ['peers.us', { ...linked, peers: { us: '127.0.0.1:7102' } }],
    ['peers.us', { ...linked, peers: { us: 7102 } }],
    ['peers.eu', { ...linked, peers: { eu: 'ws://127.0.0.1:1' } }],
    ['session.idleTimeout', { ...base, session: { idleTimeout: 'soon' } }],
    ['session.idleTimeout', { ...base, session: { idleTimeout: 0 } }],
    ['session.maxLifetime', { ...base, session: { maxLifetime: true } }],
    ['session.maxLifetime', { ...base, session: { maxLifetime: '101 years' } }],
    ['session.idle', { ...base, session: { idle: '5m' } }],
    ['consistency.read', { ...base, consistency: { read: 'most' } }],
    ['consistency.read', { ...base, consistency: { read: 2 } }],
    ['consistency.write', { ...base, consistency: { write: 0 } }],
    ['consistency.write', { ...linked, peers: { us: null }, consistency: { write: 3 } }],
    ['consistency.timeout', { ...base, consistency: { timeout: -5 } }],
    ['fsync', { ...base, fsync: 'sometimes' }],
    ['maxClockSkew', { ...base, maxClockSkew: 'x' }],
    ['purgeGrace', { ...base, purgeGrace: 'x' }],
    ['links.heartbeat', { ...base, links: { heartbeat: 'x' } }],
    ['links.timeout', { ...base, links: { timeout: 'x' } }],
    ['links.timeout', { ...base, links: { heartbeat: '5s', timeout: '5s' } }],
    ['links.maxReconnectDelay', { ...base, links: { maxReconnectDelay: 'x' } }],
    ['links.digestInterval', { ...base, links: { digestInterval: 'x' } }],
    ['limits.maxDepth', { ...base, limits: { maxDepth: 0 } }],
    ['limits.maxSessionBytes', { ...base, limits: { maxSessionBytes: 1.5 } }],
    ['limits.maxSessionBites', { ...base, limits: { maxSessionBites: 5 } }],
  ]

  for (const [option, options] of BAD_OPTIONS)
    it(`[API-1] refuses a bad ${option}: ${JSON.stringify(options).slice(0, 70)}`, async () => {
      await refuses(openReplica(options as ReplicaOptions), 'INVALID_OPTION', { option })
    })

  it('[API-1] a port that is taken is refused, and the directory is left unlocked', async () => {
    const location = await temporary()
    const first = await open({ ...linked, listen: { port: 0 } })
    const { port } = first.address!
    await refuses(openReplica({ ...linked, location, listen: { port } }), 'INVALID_OPTION', { option: 'listen' })
    await open({ location })
  })

  it('[API-1] a peer that is down is no reason not to serve', async () => {
    const eu = await open({ ...linked, peers: { us: 'ws://127.0.0.1:1' }, links: { maxReconnectDelay: 20 } })
    const { id } = await eu.create({ a: 1 })
    expect((await eu.get(id))?.data).toEqual({ a: 1 })
    expect(eu.status().links.us!.state).toBe('down')
  })

  it('[API-1] a location that is no directory is refused with a code', async () => {
    const location = await temporary()
    await writeFile(join(location, 'file'), 'x')
    await refuses(openReplica({ ...base, location: join(location, 'file') }), 'STORE_FAILED')
  })
})
