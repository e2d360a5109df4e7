/** What a store acknowledges it gives back after it was closed, up to the edges of what a session can hold. */
import { DEFAULT_LIMITS } from '@sojourn/core/internal'
import type { Replica } from '@sojourn/replica'
import { afterEach, describe, expect, it } from 'vitest'
import { closeOpened, open, refuses, temporary } from '../support/replica.js'

afterEach(closeOpened)

const ID = 'at-the-edge'
const { maxDepth, maxKeyBytes } = DEFAULT_LIMITS
const nested = (depth: number): object => (depth === 1 ? { a: 1 } : { a: nested(depth - 1) })

type Act = (replica: Replica) => Promise<unknown>
const create =
  (data: object): Act =>
  (replica) =>
    replica.create(data, { id: ID })
const increment =
  (path: string): Act =>
  async (replica) => {
    await replica.create({}, { id: ID })
    return replica.increment(ID, path)
  }

describe('the edges of what a session can hold', () => {
  it.each<[string, Act]>([
    ['a key as long as may be', create({ ['k'.repeat(maxKeyBytes)]: { ['é'.repeat(maxKeyBytes / 2)]: 1 } })],
    ['objects as deep as may be', create(nested(maxDepth))],
    ['an increment as deep as may be', increment('/a'.repeat(maxDepth))],
    ['an increment in a key as long as may be', increment(`/${'k'.repeat(maxKeyBytes)}`)],
  ])('[API-1] %s comes back after the store was closed', async (_, act) => {
    const location = await temporary()
    const replica = await open({ location })
    await act(replica)
    const session = await replica.get(ID)
    await replica.close()
    const again = await open({ location })
    expect((await again.get(ID))?.data).toEqual(session!.data)
    // A rotation writes the whole data anew.
    expect((await again.rotate(ID)).data).toEqual(session!.data)
  })

  it.each<[string, Act]>([
    ['a longer key', create({ ['k'.repeat(maxKeyBytes + 1)]: 1 })],
    ['a longer key in an object', create({ cart: { ['é'.repeat(maxKeyBytes / 2 + 1)]: 1 } })],
    ['deeper objects', create(nested(maxDepth + 1))],
    ['a deeper increment', increment('/a'.repeat(maxDepth + 1))],
    ['a far deeper increment', increment('/a'.repeat(20_000))],
    ['an increment in a longer key', increment(`/cart/${'k'.repeat(maxKeyBytes + 1)}`)],
  ])('[DATA-1] %s is refused', async (_, act) => {
    const replica = await open()
    await refuses(act(replica), 'INVALID_DATA')
    expect((await replica.get(ID))?.data ?? {}).toEqual({})
  })

  it('[DATA-1] a store is not opened with a depth that no region reads', async () => {
    await open({ limits: { maxDepth: 256 } })
    await expect(open({ limits: { maxDepth: 257 } })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      option: 'limits.maxDepth',
    })
  })
})
