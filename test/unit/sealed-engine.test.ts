import { createCipheriv, createDecipheriv } from 'node:crypto'
import { isSojournError, type Storage, systemRandom } from '@sojourn/core/internal'
import { levelEngine, SealedEngine } from '@sojourn/store'
import { describe, expect, test } from 'vitest'
import { emptyPlace, entriesOf, putAll, raw, ringOf, rowsOf, sealedEngine, within } from '../support/sealed.js'

const put = (storage: Storage, rows: Readonly<Record<string, string>>): Promise<void> =>
  putAll(
    storage,
    Object.entries(rows).map(([key, value]) => [key, Buffer.from(value)]),
  )

const append = async ({ journal }: Storage, ...entries: readonly string[]): Promise<void> => {
  for (const entry of entries) await journal.append(journal.head, Buffer.from(entry))
}

const DATA_KEYS = 'd\0'
const COPY = 'd\x01'

/** The sentences of SPEC.md, "Encryption", read anew with node:crypto alone. */
const opened = (key: Uint8Array, place: Uint8Array, sealed: Uint8Array): Buffer => {
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12))
  decipher.setAAD(place)
  decipher.setAuthTag(sealed.subarray(-16))
  return Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()])
}

const text = (value: string) => Buffer.concat([Buffer.of(value.length), Buffer.from(value)])

/** Of the row of data keys that has one, number 1, with a count of four bytes. */
const onlyDataKey = (row: Buffer, ring: Uint8Array, id: string): Buffer => {
  // Checksum, format, how many; then number, id, count, nonce, key, tag.
  expect([...row.subarray(4, 7)]).toEqual([1, 1, 1])
  const named = 7 + 1 + id.length
  expect(row.subarray(7, named)).toEqual(text(id))
  const reserved = row.subarray(named, named + 4)
  const place = Buffer.concat([text('sojourn data key'), Buffer.of(1, 1), text(id), reserved])
  return opened(ring, place, row.subarray(named + 4))
}

const refusal = async (opening: Promise<unknown>): Promise<string> => {
  const error = await opening.then(
    () => expect.unreachable('it opened'),
    (reason: unknown) => reason,
  )
  expect(isSojournError(error, 'ENCRYPTION_KEY'), String(error)).toBe(true)
  return (error as Error).message
}

describe('[CRYPT-1] a sealed store', () => {
  test('[CRYPT-1] seals rows and entries as the specification says', async () => {
    const location = await emptyPlace()
    const ring = ringOf('2026-11')
    await within(sealedEngine(ring), location, async (storage) => {
      await append(storage, 'first', 'second')
      await put(storage, { row: 'value' })
    })
    const [rows, entries] = await raw(location, async (storage) => [await rowsOf(storage), await entriesOf(storage)])
    expect([...rows.keys()]).toEqual([DATA_KEYS, COPY, 'row'])
    const key = onlyDataKey(rows.get(DATA_KEYS)!, ring.keys['2026-11']!, '2026-11')
    expect(key).toHaveLength(32)
    const number = Buffer.of(0, 0, 0, 1)
    for (const sealed of [rows.get('row')!, ...entries]) expect(sealed!.subarray(0, 4)).toEqual(number)
    expect(opened(key, Buffer.from('rrow'), rows.get('row')!.subarray(4)).toString()).toBe('value')
    const place = (entry: number) => Buffer.concat([Buffer.from('j'), Buffer.of(0, 0, 0, 0, 0, 0, 0, entry)])
    expect(opened(key, place(1), entries[0]!.subarray(4)).toString()).toBe('first')
    expect(opened(key, place(2), entries[1]!.subarray(4)).toString()).toBe('second')

    // The other way round: what somebody else seals so is read.
    const cipher = createCipheriv('aes-256-gcm', key, Buffer.alloc(12, 7))
    cipher.setAAD(Buffer.from('rother'))
    const body = Buffer.concat([cipher.update('theirs'), cipher.final()])
    const theirs = Buffer.concat([number, Buffer.alloc(12, 7), body, cipher.getAuthTag()])
    await raw(location, (storage) => putAll(storage, [['other', theirs]]))
    await within(sealedEngine(ring), location, async (storage) => {
      expect(Object.fromEntries(await rowsOf(storage))).toEqual({
        row: Buffer.from('value'),
        other: Buffer.from('theirs'),
      })
      expect((await entriesOf(storage)).map(String)).toEqual(['first', 'second'])
    })
  })

  test('[CRYPT-1] gives no row that was swapped, altered, truncated or made up', async () => {
    const location = await emptyPlace()
    const ring = ringOf('a')
    const names = ['first', 'second', 'flipped', 'short', 'tiny', 'made up', 'whole']
    await within(sealedEngine(ring), location, (storage) =>
      put(storage, Object.fromEntries(names.map((name) => [name, `the value of ${name}`]))),
    )
    await raw(location, async (storage) => {
      const rows = await rowsOf(storage)
      const [first, second, flipped, short] = names.map((name) => rows.get(name)!) as [Buffer, Buffer, Buffer, Buffer]
      flipped[20]! ^= 1
      await putAll(storage, [
        ['first', second],
        ['second', first],
        ['flipped', flipped],
        ['short', short.subarray(0, -1)],
        ['tiny', short.subarray(0, 3)],
        ['made up', Buffer.concat([Buffer.of(0, 0, 0, 9), short.subarray(4)])],
      ])
    })
    await within(sealedEngine(ring), location, async (storage) => {
      const rows = await rowsOf(storage)
      for (const name of names.slice(0, -1)) {
        expect(rows.get(name), name).toEqual(Buffer.alloc(0))
        expect(Buffer.from((await storage.rows.get(Buffer.from(name)))!), name).toEqual(Buffer.alloc(0))
      }
      expect(String(rows.get('whole'))).toBe('the value of whole')
    })
  })

  test('[CRYPT-1] every flipped bit of a row, and every cut, is noticed', async () => {
    let inner: Storage | undefined
    const engine = new SealedEngine(
      {
        async open(location) {
          inner = await levelEngine.open(location)
          return inner
        },
      },
      { encryption: ringOf('a'), random: systemRandom },
    )
    await within(engine, await emptyPlace(), async (storage) => {
      await put(storage, { row: 'value' })
      const sealed = Buffer.from((await inner!.rows.get(Buffer.from('row')))!)
      const read = async (value: Uint8Array) => {
        await putAll(inner!, [['row', value]])
        return String(await storage.rows.get(Buffer.from('row')))
      }
      for (let bit = 0; bit < sealed.length * 8; bit++) {
        const copy = Buffer.from(sealed)
        copy[bit >> 3]! ^= 1 << (bit & 7)
        expect(await read(copy), `bit ${bit}`).toBe('')
      }
      for (let length = 0; length < sealed.length; length++)
        expect(await read(sealed.subarray(0, length)), `${length} bytes`).toBe('')
      expect(await read(sealed)).toBe('value')
    })
  })

  test('[CRYPT-1] gives no entry that stands in another place, and all others', async () => {
    const [location, other] = [await emptyPlace(), await emptyPlace()]
    const ring = ringOf('a')
    await within(sealedEngine(ring), location, (storage) => append(storage, 'one', 'two', 'three', 'four'))
    await raw(location, async (from) => {
      const rows = await rowsOf(from)
      const [one, two, three, four] = (await entriesOf(from)) as Buffer[]
      four![30]! ^= 4
      await raw(other, async (to) => {
        for (const entry of [one, one, three, two, four]) await to.journal.append(to.journal.head, entry!)
        await putAll(to, rows)
      })
    })
    await within(sealedEngine(ring), other, async (storage) =>
      expect((await entriesOf(storage)).map((entry) => entry?.toString())).toEqual([
        'one',
        undefined,
        'three',
        undefined,
        undefined,
      ]),
    )
  })

  test('[CRYPT-1] the same value is never sealed to the same bytes', async () => {
    const location = await emptyPlace()
    const ring = ringOf('a')
    const seen = new Set<string>()
    for (let round = 0; round < 3; round++) {
      await within(sealedEngine(ring), location, (storage) => put(storage, { row: 'value' }))
      seen.add((await raw(location, rowsOf)).get('row')!.toString('hex'))
    }
    expect(seen.size).toBe(3)
  })
})

describe('[CRYPT-2] who may open a store', () => {
  test('[CRYPT-2] a sealed one is refused without a ring, without its key, and with another key under its id', async () => {
    const location = await emptyPlace()
    const ring = ringOf('old', 'new')
    await within(sealedEngine({ ...ring, active: 'old' }), location, (storage) => put(storage, { row: 'value' }))
    const before = await raw(location, rowsOf)
    const { old, new: next } = ring.keys as { old: Buffer; new: Buffer }
    const wrong = Buffer.from(old)
    wrong[0]! ^= 1
    const messages = [
      await refusal(sealedEngine(undefined).open(location)),
      await refusal(sealedEngine({ keys: { new: next }, active: 'new' }).open(location)),
      await refusal(sealedEngine({ keys: { old: wrong }, active: 'old' }).open(location)),
      await refusal(
        sealedEngine({ active: 'old', key: () => Promise.reject(new Error('no such key')) }).open(location),
      ),
      await refusal(sealedEngine({ active: 'old', key: async () => 'short' }).open(location)),
    ]
    for (const message of messages) {
      expect(message).toContain('"old"')
      for (const secret of [old, next, wrong])
        for (const form of ['hex', 'base64url', 'base64'] as const)
          expect(message).not.toContain(secret.toString(form).slice(0, 12))
    }
    expect(await raw(location, rowsOf)).toEqual(before)
    await within(sealedEngine(ring), location, async ({ rows }) =>
      expect(String(await rows.get(Buffer.from('row')))).toBe('value'),
    )
  })

  test('[CRYPT-2] the active key must be there, even of a store that does not need it yet', async () => {
    const location = await emptyPlace()
    const provider = { active: 'gone', key: async () => Promise.reject(new Error('unreachable')) }
    expect(await refusal(sealedEngine(provider).open(location))).toContain('"gone"')
  })

  test.each(['rows', 'journal'] as const)('[CRYPT-2] one in the clear is refused with a ring: %s', async (part) => {
    const location = await emptyPlace()
    await raw(location, (storage) => (part === 'rows' ? put(storage, { row: 'value' }) : append(storage, 'entry')))
    expect(await refusal(sealedEngine(ringOf('a')).open(location))).toContain('in the clear')
    expect(String((await raw(location, rowsOf)).get(part === 'rows' ? 'row' : 'none'))).toBe(
      part === 'rows' ? 'value' : 'undefined',
    )
  })

  test('[CRYPT-2] one in the clear opens without a ring as ever, and a rotten copy of the data keys is made up for', async () => {
    const location = await emptyPlace()
    await within(sealedEngine(undefined), location, (storage) => put(storage, { row: 'value' }))
    await within(sealedEngine(undefined), location, async ({ rows }) =>
      expect(String(await rows.get(Buffer.from('row')))).toBe('value'),
    )

    const [sealed, ring] = [await emptyPlace(), ringOf('a')]
    await within(sealedEngine(ring), sealed, (storage) => put(storage, { row: 'value' }))
    await raw(sealed, (storage) => putAll(storage, [[DATA_KEYS, Buffer.from('rotten')]]))
    await within(sealedEngine(ring), sealed, async (storage) => {
      expect(String(await storage.rows.get(Buffer.from('row')))).toBe('value')
      await put(storage, { row: 'next' })
    })
    await raw(sealed, (storage) =>
      putAll(storage, [
        [DATA_KEYS, Buffer.from('rotten')],
        [COPY, Buffer.from('rotten')],
      ]),
    )
    await expect(sealedEngine(ring).open(sealed)).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
  })

  test('[CRYPT-2] a provider is asked once for each key of an opening', async () => {
    const location = await emptyPlace()
    const { keys } = ringOf('first', 'second')
    const asked: string[] = []
    const provider = (active: string) => ({
      active,
      key: async (id: string) => {
        asked.push(id)
        return keys[id]!
      },
    })
    for (const active of ['first', 'second', 'first', 'second'])
      await within(sealedEngine(provider(active)), location, (storage) => put(storage, { [active]: active }))
    expect(asked).toEqual(['first', 'second', 'first', 'first', 'second', 'second', 'first'])
    await within(sealedEngine(provider('second')), location, async (storage) =>
      expect([...(await rowsOf(storage)).keys()]).toEqual(['first', 'second']),
    )
  })
})

describe('[CRYPT-3] data keys', () => {
  /** Data keys of which rows are there, by number, and what is noted of each. */
  const numbersOf = async (location: string): Promise<number[]> => {
    const rows = await raw(location, rowsOf)
    return [...rows].filter(([key]) => !key.startsWith('d')).map(([, value]) => value.readUInt32BE())
  }

  test('[CRYPT-3] one seals no more than it may, and the next one goes on', async () => {
    const location = await emptyPlace()
    const engine = sealedEngine(ringOf('a'), { maxSeals: 10, reservedSeals: 4 })
    await within(engine, location, async (storage) => {
      for (let count = 0; count < 40; count++)
        await put(storage, { [`row ${String(count).padStart(2, '0')}`]: 'value' })
    })
    const counts = new Map<number, number>()
    for (const number of await numbersOf(location)) counts.set(number, (counts.get(number) ?? 0) + 1)
    expect(Math.max(...counts.values())).toBeLessThanOrEqual(10)
    expect(counts.size).toBeGreaterThanOrEqual(4)
    await within(engine, location, async (storage) => expect((await rowsOf(storage)).size).toBe(40))
  })

  test('[CRYPT-3] what an opening may seal is noted before it does, so that a crash counts too much, not too little', async () => {
    const location = await emptyPlace()
    const engine = sealedEngine(ringOf('a'), { maxSeals: 100, reservedSeals: 40 })
    for (let opening = 0; opening < 5; opening++)
      await within(engine, location, (storage) => put(storage, { [`row ${opening}`]: 'value' }))
    // Each opening counts as 40, although it sealed one row.
    expect(await numbersOf(location)).toEqual([1, 1, 2, 2, 3])
  })

  test('[CRYPT-3] an active key that is another one seals with a data key of its own from the first row on', async () => {
    const location = await emptyPlace()
    const ring = ringOf('a', 'b')
    for (const active of ['a', 'b', 'b'])
      await within(sealedEngine({ ...ring, active }), location, async (storage) => {
        const { size } = await rowsOf(storage)
        await put(storage, { [`row ${size}`]: 'value' })
      })
    expect(await numbersOf(location)).toEqual([1, 2, 2])
  })
})

describe('[CRYPT-4] a row that is sealed anew', () => {
  test('[CRYPT-4] is the latest one, whatever is being written at that time', async () => {
    const engine = sealedEngine(ringOf('a'))
    await within(engine, await emptyPlace(), async (storage) => {
      const { keys, rows } = engine.seal!
      const names = Array.from({ length: 50 }, (_, index) => `row ${index}`)
      const all = (value: string) => put(storage, Object.fromEntries(names.map((name) => [name, value])))
      await all('before')
      await keys.renew()
      const writing = all('after')
      const resealing = rows.reseal(names.map((name) => Buffer.from(name)))
      const gone = storage.rows.write([{ type: 'del', key: Buffer.from(names[0]!) }], false)
      const again = rows.reseal([Buffer.from(names[0]!)])
      await Promise.all([writing, resealing, gone, again])
      for (const name of names.slice(1)) expect(String(await storage.rows.get(Buffer.from(name)))).toBe('after')
      expect(await storage.rows.get(Buffer.from(names[0]!))).toBeUndefined()
    })
  })
})
