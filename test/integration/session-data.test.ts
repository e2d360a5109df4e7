import { runInNewContext, runInThisContext } from 'node:vm'
import { afterEach, describe, expect, it } from 'vitest'
import { openRegions } from '../support/region.js'
import { all, closeOpened, EVERYTHING, MINUTE, open, openStepped, refuses } from '../support/replica.js'

afterEach(closeOpened)

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
]

const cycle = (): object => {
  const data: { self?: object } = {}
  data.self = data
  return data
}

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

  it('[DATA-2] of another realm is what it would be of this one', async () => {
    const eu = await open()
    const make =
      '({ at: new Date(5), in: { list: [{ a: new Date(6) }], raw: Uint8Array.of(7), none: Object.create(null) } })'
    const foreign = runInNewContext(make)
    expect(foreign instanceof Object).toBe(false)
    const here = { at: new Date(5), in: { list: [{ a: new Date(6) }], raw: Uint8Array.of(7), none: {} } }
    const { id, data } = await eu.create(foreign)
    expect(data).toStrictEqual(here)
    // The same again writes nothing; the base, the patch, and what a draft returns may come from anywhere, too.
    const { head } = eu.status()
    await eu.replace(id, runInNewContext(make), { touch: false })
    await eu.replace(id, here, { base: runInNewContext(make), touch: false })
    await eu.update(id, () => runInNewContext(make), { touch: false })
    expect(eu.status().head).toBe(head)
    expect((await eu.update(id, runInNewContext('({ at: null, in: { more: true } })'))).data).toStrictEqual({
      in: { ...here.in, more: true },
    })
    await refuses(
      eu.update(id, () => runInNewContext('Promise.resolve({})')),
      'INVALID_OPTION',
      { option: 'update' },
    )
  })

  it('[DATA-2] and what is no data there is none here', async () => {
    const eu = await open()
    for (const what of [
      'new Map()',
      'new (class Ada {})()',
      'Object.create({})',
      'Object.create(Object.create(null))',
      'new Date(NaN)',
      'new Number(1)',
      'Object.create(Date.prototype)',
      'Object.create(Uint8Array.prototype)',
      'new Float64Array(1)',
    ])
      for (const made of [runInNewContext(what), runInThisContext(what)])
        await refuses(eu.create({ made }), 'INVALID_DATA', { path: '/made' }, what)
  })

  it('[DATA-1] comes back with the keys of each object sorted', async () => {
    const eu = await open()
    const { id, data } = await eu.create({ b: 1, a: { d: 1, c: 2 }, B: 3, list: [{ z: 1, y: 2 }] })
    expect(JSON.stringify(data)).toBe('{"B":3,"a":{"c":2,"d":1},"b":1,"list":[{"z":1,"y":2}]}')
    expect(JSON.stringify((await eu.get(id))!.data)).toBe(JSON.stringify(data))
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

  it('[API-1] of a session that is too large, everything is taken but growth', async () => {
    // Two regions let it grow at once: each took what fits there.
    await using regions = await openRegions(['eu', 'us'], { limits: { maxSessionBytes: 2_000 } })
    const { eu, us } = regions
    const { id } = await eu.create({ n: 0 })
    await regions.settled()
    await regions.cut('eu', 'us')
    await eu.update(id, { eu: 'e'.repeat(1_500) })
    await us.update(id, { us: 'u'.repeat(1_500) })
    regions.healAll()
    await regions.settled()
    const both = { n: 0, eu: 'e'.repeat(1_500), us: 'u'.repeat(1_500) }
    expect((await eu.get(id))!.data).toEqual(both)

    const tooLarge = ['SESSION_TOO_LARGE', { limit: 2_000 }] as const
    await refuses(eu.update(id, { more: 1 }), ...tooLarge)
    await refuses(eu.update(id, { us: 'u'.repeat(1_501) }), ...tooLarge)
    const touched = await eu.touch(id, { idleTimeout: '2h' })
    expect(touched!.expiresAt).toBeGreaterThan(Date.now() + 119 * MINUTE)
    await eu.increment(id, '/n')
    expect((await eu.update(id, { us: 'v'.repeat(1_500) })).data).toEqual({ ...both, n: 1, us: 'v'.repeat(1_500) })
    const moved = await eu.rotate(id)
    expect(moved.data).toEqual({ ...both, n: 1, us: 'v'.repeat(1_500) })
    await regions.settled()
    expect((await us.get(moved.id))!.data).toEqual(moved.data)
    // Smaller, and then small enough to grow again.
    await us.update(moved.id, { eu: 'e'.repeat(1_400) })
    await us.update(moved.id, { eu: null })
    await us.update(moved.id, { more: 1 })
    await refuses(us.update(moved.id, { eu: 'e'.repeat(1_500) }), ...tooLarge)
    expect(await us.end(moved.id)).toBe(true)
  })

  it('[API-1] a rotation is taken whole, or not at all, where one commit may wait', async () => {
    const eu = await open({ limits: { maxPendingCommits: 1 } })
    const { id } = await eu.create({ a: 1 })
    const next = await eu.rotate(id)
    expect(await all(eu)).toMatchObject([{ data: { a: 1 } }])
    expect(await eu.get(id)).toBeUndefined()
    expect((await eu.get(next.id))?.data).toEqual({ a: 1 })
  })

  it('[API-1] nesting is bounded', async () => {
    const eu = await open({ limits: { maxDepth: 3 } })
    const { id } = await eu.create({ a: { b: { c: 1 } } })
    await refuses(eu.create({ a: { b: { c: { d: 1 } } } }), 'INVALID_DATA')
    await refuses(eu.update(id, { a: { b: { c: [] } } }), 'INVALID_DATA')
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

  it('[API-1] renews the session, unless an option says no', async () => {
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
  it('[API-1] adds, by 1 unless an amount is given, and makes the field where there is none', async () => {
    const eu = await open()
    const { id } = await eu.create({ n: 5, 'a/b': 1 })
    expect((await eu.increment(id, '/n')).data.n).toBe(6)
    expect((await eu.increment(id, '/n', -10)).data.n).toBe(-4)
    expect((await eu.increment(id, '/a~1b', 2)).data).toEqual({ n: -4, 'a/b': 3 })
    expect((await eu.increment(id, '/made/here', 7)).data).toMatchObject({ made: { here: 7 } })
    await Promise.all(Array.from({ length: 20 }, () => eu.increment(id, '/n')))
    expect((await eu.get(id))?.data.n).toBe(16)
  })

  it('[COUNT-2] never replaces what it would be in: refused with the pointer, and what is there', async () => {
    const eu = await open()
    const data = {
      list: [1, [2]],
      name: 'ada',
      no: null,
      on: true,
      at: new Date(1),
      raw: Uint8Array.of(1),
      in: { x: 'y' },
      n: 5,
    }
    const { id } = await eu.create(data)
    const { head } = eu.status()
    const cases: readonly (readonly [path: string, says: string])[] = [
      ['/list/0', '"/list" holds an array'],
      ['/list/1/0', '"/list" holds an array'],
      ['/list/length', '"/list" holds an array'],
      ['/name/x', '"/name" holds a string'],
      ['/name/length', '"/name" holds a string'],
      ['/no/x', '"/no" holds null'],
      ['/on/x', '"/on" holds a boolean'],
      ['/at/x', '"/at" holds a date'],
      ['/raw/0', '"/raw" holds bytes'],
      ['/in/x/y/z', '"/in/x" holds a string'],
      ['/n/x', '"/n" holds a number'],
      ['/name', '"/name" holds a string'],
      ['/list', '"/list" holds an array'],
      ['/in', '"/in" holds an object'],
    ]
    for (const [path, says] of cases) {
      const error = await eu.increment(id, path).catch((reason: unknown) => reason)
      expect(error, path).toMatchObject({ code: 'INVALID_DATA', path, message: expect.stringContaining(says) })
    }
    expect(eu.status().head).toBe(head)
    expect((await eu.get(id))!.data).toEqual(data)
    // What is not there is made, also below what is there and is an object.
    expect((await eu.increment(id, '/in/a/b')).data.in).toEqual({ x: 'y', a: { b: 1 } })
    expect((await eu.increment(id, '/toString/valueOf')).data.toString).toEqual({ valueOf: 1 })
  })

  it('[COUNT-1] a counter that two regions took past 2^53 shows 2^53 - 1, and goes on towards 0', async () => {
    await using regions = await openRegions(['eu', 'us'])
    const { eu, us } = regions
    const max = Number.MAX_SAFE_INTEGER
    const { id } = await eu.create({ n: max - 5 })
    await regions.settled()
    eu.isolate()
    await Promise.all([eu.increment(id, '/n', 4), us.increment(id, '/n', 4)])
    eu.rejoin()
    await regions.settled()
    for (const region of [eu, us]) {
      expect((await region.get(id))!.data).toEqual({ n: max })
      await refuses(region.increment(id, '/n'), 'INVALID_DATA', { path: '/n', limit: max })
    }
    // Three too many: they are taken off first.
    expect((await us.increment(id, '/n', -2)).data).toEqual({ n: max })
    expect((await us.increment(id, '/n', -2)).data).toEqual({ n: max - 1 })
    await regions.settled()
    expect((await eu.increment(id, '/n', 1)).data).toEqual({ n: max })
    await regions.settled()
    expect((await us.get(id))!.data).toEqual({ n: max })
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
