import { hasWrite, newSessionId, opensUntil, resolveId, systemRandom, writtenToken } from '@sojourn/core/internal'
import { describe, expect, it } from 'vitest'
import { newCredentials, opening, supersede } from '../../packages/core/src/credentials.js'

const secrets = [0, 1, 2].map(() => resolveId(newSessionId(systemRandom)).secret!)
const [first, second, third] = secrets as [string, string, string]

describe('until when a secret opens a session', () => {
  it('[API-1] is not known before it is superseded, and is the end of its grace then, as `opening` has it', () => {
    const made = newCredentials(first, 1_000)
    const never = () => expect.unreachable('it is not asked where none was superseded')
    expect(opensUntil(made, never)).toBeUndefined()
    expect(opensUntil(undefined, never)).toBeUndefined()
    const once = supersede(made, first, second, 2_000, 500)
    const twice = supersede(once, second, third, 2_100, 0)
    expect(secrets.map((secret) => opensUntil(twice, () => secret))).toEqual([2_500, 2_100, undefined])
    for (const secret of secrets) {
      const until = opensUntil(twice, () => secret)
      expect(opening(twice, secret, (until ?? 9_000) - 1)).toBe('open')
      if (until !== undefined) expect(opening(twice, secret, until)).toBe('reused')
    }
    expect(opensUntil(twice, () => undefined)).toBeUndefined()
  })
})

describe('whether who shows one write has another', () => {
  const [feed, other] = ['a'.repeat(32), 'b'.repeat(32)]
  const at = (sequence: number, of = feed) => writtenToken({ feed: of, sequence })

  it('[API-1] is known of one feed, by the sequence and not by its text', () => {
    expect([hasWrite(at(36), at(35)), hasWrite(at(35), at(35)), hasWrite(at(35), at(36))]).toEqual([true, true, false])
    expect(hasWrite(at(9), at(5, other))).toBe(false)
    for (const odd of ['', 'no token', `${feed}.`, `${feed}.-1`, feed]) {
      expect(hasWrite(odd, at(1))).toBe(false)
      expect(hasWrite(at(1), odd)).toBe(false)
    }
  })
})
