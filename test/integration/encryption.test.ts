import { randomBytes } from 'node:crypto'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { type Encryption, openReplica, type Replica } from '@sojourn/replica'
import { describe, expect, test } from 'vitest'
import { contents, openRegions } from '../support/region.js'
import { type Acknowledged, nothingAcknowledged, openRegionProcess } from '../support/region-process.js'
import { refuses } from '../support/replica.js'
import { emptyPlace, filesWith, putAll, raw, ringOf, rowsOf } from '../support/sealed.js'
import { until } from '../support/until.js'

const WORKERS = 16

const open = async (location: string, encryption?: Encryption): Promise<Replica> => {
  const replica = await openReplica({ region: 'a', location, ...(encryption && { encryption }) })
  replica.on('fault', (fault) => expect.fail(fault.message))
  return replica
}

/** Everything that was acknowledged is there. */
const expectKept = async (replica: Replica, { counts, ended }: Acknowledged): Promise<void> => {
  for (const [id, count] of counts) {
    const session = await replica.get(id)
    if (ended.has(id)) expect(session, 'an ended session').toBeUndefined()
    // Its end may have been under way.
    else if (session !== undefined) expect(session.data.n).toBeGreaterThanOrEqual(count)
  }
  const alive = [...counts.keys()].filter((id) => !ended.has(id)).length
  expect(alive - (await contents(replica)).sessions.length).toBeLessThanOrEqual(WORKERS)
}

const only = (ring: ReturnType<typeof ringOf>, id: string) => ({ keys: { [id]: ring.keys[id]! }, active: id })

describe('[CRYPT-4] an encrypted region', () => {
  test('[CRYPT-4] under load is killed, opened again, and keyed anew, again and again; no old key is needed', async () => {
    const location = await emptyPlace()
    const ring = ringOf('a', 'b', 'c', 'd')
    const acknowledged = nothingAcknowledged()
    const ids = ['a', 'b', 'c', 'd']
    for (const [round, active] of ids.entries()) {
      const before = only(ring, ids[Math.max(0, round - 1)]!)
      const region = await openRegionProcess({ region: 'a', location, encryption: before }, acknowledged)
      const known = acknowledged.counts.size
      await region.load({ workers: WORKERS })
      await until(() => acknowledged.counts.size > known + 64, 'load')
      await region.rekey({ ...ring, active })
      const { encryption } = await region.status()
      expect(encryption).toEqual({
        active,
        ringKeys: [active],
        dataKeys: 1,
        waiting: 0,
        isRekeying: false,
        failure: undefined,
      })
      await until(() => acknowledged.counts.size > known + 128, 'load')
      await region.kill()
      await using replica = await open(location, only(ring, active))
      await expectKept(replica, acknowledged)
      expect(replica.status()).toMatchObject({ totals: { corrupt: 0 }, encryption: { ringKeys: [active], waiting: 0 } })
    }
    await refuses(openReplica({ region: 'a', location, encryption: only(ring, 'a') }), 'ENCRYPTION_KEY')
  })

  test('[CRYPT-4] that is killed in the midst of a rekey has everything, needs the new key alone, and says what waits', async () => {
    const location = await emptyPlace()
    const ring = ringOf('old', 'new')
    const acknowledged = nothingAcknowledged()
    const count = 4_000
    const sessions = new Set<string>()
    const filled = await open(location, only(ring, 'old'))
    for (let n = 0; n < count; n++) sessions.add((await filled.create({ n })).id)
    await filled.close()

    const region = await openRegionProcess({ region: 'a', location, encryption: only(ring, 'old') }, acknowledged)
    expect((await region.status()).encryption).toMatchObject({ ringKeys: ['old'], waiting: 0 })
    const over = region.rekey({ ...ring, active: 'new' }).catch(() => {})
    await until(async () => {
      const { encryption } = await region.status()
      return encryption!.isRekeying && encryption!.dataKeys > 1
    }, 'a rekey')
    await region.kill()
    await over

    await using replica = await open(location, only(ring, 'new'))
    for (const id of sessions) expect(await replica.get(id)).toBeDefined()
    expect(replica.status().encryption).toMatchObject({ active: 'new', ringKeys: ['new'], waiting: count })
    const rekeying = replica.rekey()
    await until(() => {
      const { waiting, isRekeying } = replica.status().encryption!
      return isRekeying && waiting < count
    }, 'progress')
    await rekeying
    expect(replica.status().encryption).toMatchObject({ dataKeys: 1, waiting: 0, isRekeying: false })
    for (const id of sessions) expect(await replica.get(id)).toBeDefined()
  })

  test('[CRYPT-4] what a rekey leaves is sealed with the one data key that is left: the directory without the old one', async () => {
    const location = await emptyPlace()
    const ring = ringOf('old', 'new')
    const replica = await open(location, only(ring, 'old'))
    for (let n = 0; n < 300; n++) await replica.create({ n })
    await replica.rekey({ ...ring, active: 'new' })
    await replica.close()
    const numbers = [...(await raw(location, rowsOf))].filter(([key]) => !key.startsWith('d'))
    expect(new Set(numbers.map(([, value]) => value.readUInt32BE()))).toEqual(new Set([2]))
    expect(numbers.length).toBeGreaterThan(300)
  })

  test('[CRYPT-4] rekeys that are asked for at one time end with the ring that was asked for last', async () => {
    const ring = ringOf('a', 'b', 'c')
    await using replica = await openReplica({ region: 'a', location: ':memory:', encryption: only(ring, 'a') })
    const { id } = await replica.create({ n: 1 })
    await Promise.all([
      replica.rekey({ ...ring, active: 'b' }),
      replica.rekey(),
      replica.rekey({ ...ring, active: 'c' }),
    ])
    expect(replica.status().encryption).toMatchObject({ active: 'c', ringKeys: ['c'], dataKeys: 1, waiting: 0 })
    expect((await replica.get(id))!.data).toEqual({ n: 1 })
  })

  test('[CRYPT-4] a rekey leaves in no file what it replaced: no row of before, and no data key that the old key of the ring opens', async () => {
    const location = await emptyPlace()
    const ring = ringOf('old', 'new')
    const filled = await open(location, only(ring, 'old'))
    for (let n = 0; n < 300; n++) await filled.create({ n })
    await filled.close()
    const before = [...(await raw(location, rowsOf)).values()]
    expect(before.length).toBeGreaterThan(300)
    expect(await filesWith(location, ...before)).not.toEqual([])
    await using replica = await open(location, only(ring, 'old'))
    await replica.rekey({ ...ring, active: 'new' })
    expect(await filesWith(location, ...before)).toEqual([])
    expect(replica.status()).toMatchObject({ sessions: 300 })
  })

  test('[CRYPT-4] a rekey is refused in the clear, with a ring that is none, and with a key that is missing; nothing changes then', async () => {
    await using clear = await openReplica({ region: 'a', location: ':memory:' })
    await refuses(clear.rekey(), 'INVALID_OPTION', { option: 'encryption' })
    const ring = ringOf('a')
    await using replica = await openReplica({ region: 'a', location: ':memory:', encryption: ring })
    const { id } = await replica.create({ n: 1 })
    await refuses(replica.rekey({ keys: { a: 'short' }, active: 'a' }), 'INVALID_OPTION', {
      option: 'encryption.keys.a',
    })
    const provider = { active: 'gone', key: () => Promise.reject(new Error('unreachable')) }
    await refuses(replica.rekey(provider), 'ENCRYPTION_KEY')
    expect(replica.status().encryption).toMatchObject({
      active: 'a',
      ringKeys: ['a'],
      dataKeys: 1,
      failure: expect.stringContaining('"gone"'),
    })
    await replica.rekey()
    expect(replica.status().encryption).toMatchObject({ active: 'a', dataKeys: 1, failure: undefined })
    expect((await replica.get(id))!.data).toEqual({ n: 1 })
  })
})

describe('[CRYPT-5] the directory of an encrypted region', () => {
  const MARKER = `marker-${randomBytes(12).toString('hex')}`

  /** Files that show the data, a key of it, or the id of a session: of a region that is open, and of it when it is closed. */
  const shown = async (encryption: Encryption | undefined): Promise<string[]> => {
    const [location, copy] = [await emptyPlace(), await emptyPlace()]
    const ids: string[] = []
    // What the first opening leaves, the second one finds in the rows.
    for (let opening = 0; opening < 2; opening++) {
      await using replica = await open(location, encryption)
      for (let n = 0; n < 200; n++) {
        const { id } = await replica.create({ [`${MARKER}-key`]: n, secret: MARKER, bytes: Buffer.from(MARKER) })
        await replica.update(id, { more: MARKER })
        ids.push(id)
      }
      await cp(location, join(copy, `${opening}`), { recursive: true })
    }
    return [...(await filesWith(location, MARKER, ...ids)), ...(await filesWith(copy, MARKER, ...ids))]
  }

  test('[CRYPT-5] has no data and no id in any file, neither while it is open nor afterwards', async () => {
    expect(await shown(ringOf('a'))).toEqual([])
    // So it is seen that the search would find it.
    expect((await shown(undefined)).length).toBeGreaterThan(2)
  })
})

describe('[CRYPT-1] an encrypted region among others', () => {
  test('[CRYPT-1] heals a row that was put in the place of another one', async () => {
    const ring = ringOf('a')
    await using regions = await openRegions(['a', 'b'], { disk: true, encryption: ring })
    const ids = await Promise.all(Array.from({ length: 20 }, async (_, n) => (await regions.a.create({ n })).id))
    await regions.settled()
    await regions.shut('a')
    await raw(regions.location('a'), async (storage) => {
      const rows = [...(await rowsOf(storage))].filter(([key]) => key.startsWith('r'))
      expect(rows).toHaveLength(20)
      await putAll(
        storage,
        rows.map(([key], index) => [key, rows[(index + 1) % rows.length]![1]]),
      )
    })
    await regions.reopen('a')
    for (const [n, id] of ids.entries())
      await until(async () => (await regions.a.get(id).catch(() => undefined))?.data.n === n, `session ${n}`)
    expect(regions.a.status().totals.repaired.corrupt).toBe(20)
  })
})

describe('[CRYPT-2] openReplica', () => {
  test('[CRYPT-2] refuses what is no key ring, and never shows it', async () => {
    const secret = 'a'.repeat(64)
    const rings: [ring: unknown, option: string, says?: RegExp][] = [
      [{}, 'encryption.active', /is not set/],
      [{ keys: {}, active: 'a' }, 'encryption.active', /is "a", and keys has none/],
      [{ keys: { a: secret } }, 'encryption.active'],
      [{ keys: { a: secret }, active: 'b' }, 'encryption.active', /is "b", and keys has "a"/],
      [{ keys: { a: secret, b: secret.slice(1) }, active: 'a' }, 'encryption.keys.b', /is a string of 63 characters/],
      [{ keys: { 'a b': secret }, active: 'a' }, 'encryption.keys'],
      [{ keys: { ['x'.repeat(65)]: secret }, active: 'x'.repeat(65) }, 'encryption.active'],
      [{ keys: { a: Buffer.alloc(31) }, active: 'a' }, 'encryption.keys.a', /is 31 bytes. Give 32 bytes/],
      [{ active: 'a', key: secret }, 'encryption.key', /is no function/],
      [{ active: 'a', key: async () => secret, keys: { a: secret } }, 'encryption.key', /Give one of them/],
      [{ keys: { toString: secret }, active: 'valueOf' }, 'encryption.active'],
      [{ keys: { a: secret }, actve: 'a' }, 'encryption.actve', /Did you mean active\?/],
      [secret, 'encryption'],
    ]
    for (const [encryption, option, says = /./] of rings) {
      const opening = openReplica({ region: 'a', location: ':memory:', encryption: encryption as Encryption })
      const error: Error = await opening.then(
        () => expect.unreachable(JSON.stringify(encryption)),
        (reason) => reason,
      )
      expect(error).toMatchObject({ code: 'INVALID_OPTION', option })
      expect(error.message).toMatch(says)
      expect(error.message).not.toContain('aaaa')
    }
    class Provider {
      readonly active = 'a'
      readonly client = {}
      key = () => Promise.resolve(secret)
    }
    await (await openReplica({ region: 'a', location: ':memory:', encryption: new Provider() })).close()
    for (const key of [secret, Buffer.from(secret, 'hex').toString('base64url'), Buffer.from(secret, 'hex')])
      await (
        await openReplica({ region: 'a', location: ':memory:', encryption: { keys: { a: key }, active: 'a' } })
      ).close()
  })
})
