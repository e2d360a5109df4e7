import { LazySession } from '@sojourn/core/internal'
import { describe, expect, test } from 'vitest'

describe('sessions whose data is made when it is read', () => {
  test('[API-1] the data is made once, when it is first read', () => {
    let made = 0
    const session = new LazySession('id', () => ({ made: ++made }), 1, 2)
    expect(made).toBe(0)
    const { data } = session
    expect(data).toEqual({ made: 1 })
    expect(session.data).toBe(data)
  })

  test('[API-1] what cannot be made is tried again', () => {
    let isBroken = true
    const session = new LazySession(
      'id',
      () => {
        if (isBroken) throw new Error('broken')
        return { user: 'ada' }
      },
      1,
      2,
    )
    expect(() => session.data).toThrow('broken')
    isBroken = false
    expect(session.data).toEqual({ user: 'ada' })
  })

  test('[API-1] to its user it is a plain object: copied, compared and turned into JSON as one', () => {
    const session = () => new LazySession('id', () => ({ user: 'ada' }), 1, 2)
    const plain = { id: 'id', data: { user: 'ada' }, createdAt: 1, expiresAt: 2 }
    expect({ ...session() }).toEqual(plain)
    expect(structuredClone(session())).toEqual(plain)
    expect(JSON.stringify(session())).toBe(JSON.stringify(plain))
    expect(Object.keys(session())).toEqual(Object.keys(plain))
  })

  test('[API-1] each has data of its own', () => {
    const [one, other] = [new LazySession('1', () => ({ n: 1 }), 0, 0), new LazySession('2', () => ({ n: 2 }), 0, 0)]
    expect([one.data, other.data, one.data]).toEqual([{ n: 1 }, { n: 2 }, { n: 1 }])
  })
})
