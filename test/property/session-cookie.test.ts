/** Whatever goes into a session's cookie comes out of it again, and junk brings nothing down. */
import { sessionCookie } from '@sojourn/identity'
import fc from 'fast-check'
import { Cookie } from 'tough-cookie'
import { describe, expect, it } from 'vitest'
import { runs } from '../support/runs.js'

const key = 'k'.repeat(32)
const cookies = [sessionCookie(), sessionCookie({ keys: [key] })]
const ids = fc.string({ unit: 'binary', minLength: 1, maxLength: 400 }).filter((id) => id.length <= 400)
const afters = fc.option(fc.stringMatching(/^[\w.-]{1,128}$/), { nil: undefined })

describe('[COOKIE-6] a cookie holds', () => {
  it('any id and any last write', () => {
    fc.assert(
      fc.property(fc.constantFrom(...cookies), ids, afters, (cookie, id, after) => {
        // Longer ones are refused, in another test.
        fc.pre(encodeURIComponent(id).length < 3_800)
        const given = { now: 0, ...(after !== undefined && { after }) }
        const set = cookie.serialize({ id, expiresAt: 1 }, given)
        const parsed = Cookie.parse(set, { loose: false })
        expect(parsed?.key).toBe(cookie.name)
        expect(cookie.read(`a=b; ${parsed?.cookieString()}; c=d`)).toEqual({
          id,
          ...(after !== undefined && { after }),
        })
      }),
      { numRuns: runs(500) },
    )
  })

  it('and any other header is read without a throw', () => {
    const piece = fc.oneof(
      fc.constantFrom('__Host-sid', '=', ';', ':', '%', ' ', '"', '\0', '%41', '.', ','),
      fc.string({ unit: 'binary', maxLength: 8 }),
    )
    const headers = fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join(''))
    fc.assert(
      fc.property(fc.constantFrom(...cookies), headers, (cookie, header) => {
        const found = cookie.read(header)
        if (found) expect(cookie.serialize({ id: found.id, expiresAt: 1 }, { now: 0 })).toContain(`${cookie.name}=`)
        // Nobody can sign without the key.
        if (cookie === cookies[1]) expect(found).toBeUndefined()
      }),
      { numRuns: runs(1_000) },
    )
  })
})
