import { LazySession, type SessionSource, sessionKey } from '@sojourn/core/internal'
import { describe, expect, test } from 'vitest'

const facts = (id = 'id') => ({ id, handle: sessionKey(id), createdAt: 1, expiresAt: 3, lastUsedAt: 2 })

const made = (id: string, data: () => unknown, more: Partial<SessionSource> = {}) =>
  new LazySession<{ n?: number; user?: string }>({
    ...facts(id),
    isNamed: false,
    data,
    identity: () => expect.unreachable('nobody logged in'),
    written: () => undefined,
    opensUntil: () => undefined,
    ...more,
  })

describe('sessions whose data is made when it is read', () => {
  test('[API-1] the data is made once, when it is first read', () => {
    let count = 0
    const session = made('id', () => ({ made: ++count }))
    expect(count).toBe(0)
    const { data } = session
    expect(data).toEqual({ made: 1 })
    expect(session.data).toBe(data)
  })

  test('[API-1] what cannot be made is tried again', () => {
    let isBroken = true
    const session = made('id', () => {
      if (isBroken) throw new Error('broken')
      return { user: 'ada' }
    })
    expect(() => session.data).toThrow('broken')
    isBroken = false
    expect(session.data).toEqual({ user: 'ada' })
  })

  test('[API-1] to its user it is a plain object: copied, compared and turned into JSON as one', () => {
    const session = () => made('id', () => ({ user: 'ada' }))
    const { id, handle, ...times } = facts()
    const plain = { id, handle, data: { user: 'ada' }, ...times }
    expect({ ...session() }).toEqual(plain)
    expect(structuredClone(session())).toEqual(plain)
    expect(JSON.stringify(session())).toBe(JSON.stringify(plain))
    expect(Object.keys(session())).toEqual(Object.keys(plain))
  })

  test('[API-1] each has data of its own', () => {
    const [one, other] = [made('1', () => ({ n: 1 })), made('2', () => ({ n: 2 }))]
    expect([one.data, other.data, one.data]).toEqual([{ n: 1 }, { n: 2 }, { n: 1 }])
  })

  test('[API-1] who logged in is looked up once, when it is first asked for, and shown like all else', () => {
    let count = 0
    const auth = { time: 5, amr: ['pwd'] }
    const identity = () => {
      count++
      return { subject: 'ada', device: undefined, auth }
    }
    const session = made('id', () => ({}), { isNamed: true, identity })
    expect(count).toBe(0)
    expect([session.subject, session.device, session.auth, count]).toEqual(['ada', undefined, auth, 1])
    expect({ ...session }).toMatchObject({ subject: 'ada', auth })
    expect(count).toBe(1)
    expect(Object.keys(made('id', () => ({})))).not.toContain('subject')
  })

  test('[API-1] where its last commit is, and until when its id opens it, is there and not shown', () => {
    const more: Partial<SessionSource> = { written: () => `${'a'.repeat(32)}.1z`, opensUntil: () => 7 }
    const session = made('id', () => ({}), more)
    expect([session.written, session.opensUntil]).toEqual([`${'a'.repeat(32)}.1z`, 7])
    expect(JSON.stringify(session)).toBe(JSON.stringify(made('id', () => ({}))))
    expect([made('id', () => ({})).written, made('id', () => ({})).opensUntil]).toEqual([undefined, undefined])
  })

  test('[API-1] a handle that was not given is computed when it is first read, and shown like one that was', () => {
    const session = () => made('id', () => ({ user: 'ada' }), { handle: undefined })
    expect(session().handle).toBe(sessionKey('id'))
    expect(JSON.stringify(session())).toBe(JSON.stringify(made('id', () => ({ user: 'ada' }))))
    expect(Object.keys(session())).toEqual(Object.keys(made('id', () => ({}))))
  })
})
