/** The admin API as it is declared: which requests and answers are of its shapes. */
import { SojournError } from '@sojourn/core/internal'
import { ADMIN_ROUTES, type AdminCall, adminRequest, adminTarget, type JsonShape } from '@sojourn/wire'
import { describe, expect, it } from 'vitest'

const asked = (name: AdminCall, body: unknown) => () => adminRequest(ADMIN_ROUTES[name], new URLSearchParams(), body)

const messageOf = (refused: () => unknown): string => {
  try {
    return expect.unreachable(`gave ${JSON.stringify(refused())}`)
  } catch (error) {
    expect(error).toBeInstanceOf(SojournError)
    return (error as SojournError).message
  }
}

describe('[ADM-6] what is asked of the admin API', () => {
  const id = 'a-secret-id'

  it.each([
    ['session', { call: 'get', id }],
    ['session', { call: 'touch', id, level: 'majority' }],
    ['session', { call: 'end', id, level: 2, reason: 'logout' }],
    ['members', { call: 'add', region: 'us', url: null }],
    ['members', { call: 'add', region: 'us', url: 'ws://us', admin: 'http://us' }],
    ['members', { call: 'remove', region: 'us' }],
    ['repair', {}],
  ] as const)('%s takes %j', (name, body) => {
    expect(asked(name, body)()).toEqual(body)
  })

  it.each([
    ['session', null, 'the body: give an object'],
    ['members', { call: 'constructor' }, 'call: give one of add, remove'],
    ['members', { call: 'remove', region: 'us', url: id }, 'the body: give no fields but call, region'],
    ['session', [id], 'the body: give an object'],
    ['session', { id }, 'call: give one of get, touch, end'],
    ['session', { call: id, id }, 'call: give one of get, touch, end'],
    ['session', { call: 'constructor', id }, 'call: give one of get, touch, end'],
    ['session', { call: 'get' }, 'id: give a text of 1 to 512 characters'],
    ['session', { call: 'get', id: [id] }, 'id: give a text of 1 to 512 characters'],
    ['session', { call: 'get', id, level: id }, 'level: give local, majority, all, or a number of regions'],
    ['session', { call: 'get', id, level: 1.5 }, 'level: give local, majority, all, or a number of regions'],
    ['session', { call: 'get', id, [id]: 1 }, 'the body: give no fields but call, id, level, reason'],
    ['session', { call: 'get', id, reason: 'left' }, 'reason: give one of logout, revoked, rotated, displaced, reused'],
    ['session', { call: 'end', id, reason: id }, 'reason: give one of logout, revoked, rotated, displaced, reused'],
    ['members', { call: 'add', region: 'us', url: 7 }, 'url: give an address, or null'],
    ['members', { call: 'remove', region: {} }, 'region: give a text'],
  ] as const)('%s does not take %j', (name, body, why) => {
    const message = messageOf(asked(name, body))
    expect(message).toBe(`INVALID_OPTION: ${why}`)
    expect(message).not.toContain(id)
  })

  it('a query is read back as it was written, and has whole numbers only', () => {
    const read = (target: string) =>
      adminRequest(ADMIN_ROUTES.versions, new URL(target, 'http://x').searchParams, undefined)
    const target = adminTarget('versions', { slice: 7, asOf: 1_700_000_000_000 })
    expect(target).toBe('/versions?slice=7&asOf=1700000000000')
    expect(read(target)).toEqual({ slice: 7, asOf: 1_700_000_000_000 })
    expect(adminTarget('digests', {})).toBe('/digests')
    for (const [query, why] of [
      ['slice=256&asOf=1', 'slice: give a whole number from 0 to 255'],
      ['slice=-1&asOf=1', 'slice: give a whole number from 0 to 255'],
      ['slice=1e1&asOf=1', 'slice: give a whole number from 0 to 255'],
      ['slice=&asOf=1', 'slice: give a whole number from 0 to 255'],
      ['slice=1', `asOf: give a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`],
    ])
      expect(messageOf(() => read(`/versions?${query}`))).toBe(`INVALID_OPTION: ${why}`)
  })
})

describe('[ADM-6] what is answered', () => {
  const faultOf = (name: AdminCall, answer: unknown) => (ADMIN_ROUTES[name].answer as JsonShape<unknown>).fault(answer)
  const slice = { records: 1, digest: 'aa' }

  it('may have fields that a later version adds, and lacks none that is read', () => {
    const good = { region: 'eu', asOf: 1, slices: [slice] }
    expect(faultOf('digests', good)).toBeUndefined()
    expect(faultOf('digests', { ...good, later: { field: 1 } })).toBeUndefined()
    expect(faultOf('digests', { ...good, slices: [slice, { records: 1 }] })).toEqual({
      path: ['slices', '1', 'digest'],
      give: 'a text',
    })
    expect(faultOf('session', { found: false })).toBeUndefined()
    expect(faultOf('members', { changed: true, members: [], notified: { us: 'heard' } })).toMatchObject({
      path: ['notified', 'us'],
    })
  })
})
