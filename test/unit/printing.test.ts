/** What `console.log` shows of errors and sessions, and what loggers make of them. */
import { inspect } from 'node:util'
import { runInNewContext } from 'node:vm'
import { LazySession, nearestName, SojournError, sessionKey } from '@sojourn/core/internal'
import { describe, expect, test } from 'vitest'

/** Without the lines that say where. */
const printed = (value: unknown, options: object = {}): string =>
  inspect(value, options).replaceAll(/\n\s+at .*?(?= \{\n|\n|$)/g, '')

const unmet = () =>
  new SojournError('QUORUM_UNMET', '1 of the 2 regions needed answered in time ("eu")', {
    need: 2,
    got: 1,
    regions: ['eu'],
    mayHaveApplied: true,
    // As a client makes one of what its server says.
    ...({ path: undefined, option: undefined } as object),
    session: { id: 'a secret' },
    cause: new SojournError('STORE_FAILED', 'the disk is full'),
  })

describe('errors', () => {
  // An uncaught error is printed without what an object says of its own printing.
  test.each([{}, { customInspect: false }])(
    '[ERR-1] show the code once, and the fields that they have: %j',
    (options) => {
      const text = printed(unmet(), { ...options, depth: 5 })
      expect(text).toMatch(/^SojournError: QUORUM_UNMET: 1 of the 2 regions needed answered in time \("eu"\)/)
      expect(text.match(/QUORUM_UNMET/g)).toHaveLength(1)
      expect(text.match(/STORE_FAILED/g)).toHaveLength(1)
      expect(text).toContain("need: 2,\n  got: 1,\n  regions: [ 'eu' ],\n  mayHaveApplied: true,")
      expect(text).not.toMatch(/undefined|secret|name:/)
      expect(printed(new SojournError('REPLICA_CLOSED', 'closed'), options)).toBe(
        'SojournError: REPLICA_CLOSED: closed',
      )
    },
  )

  test('[ERR-1] give loggers their code, in loops over their fields and in JSON, and no fields that they do not have', () => {
    const error = unmet()
    expect(Object.keys(error)).toEqual(['need', 'got', 'regions', 'mayHaveApplied'])
    const met: string[] = []
    for (const name in error) met.push(name)
    expect(met).toContain('code')
    expect(JSON.parse(JSON.stringify({ error }))).toEqual({
      error: {
        name: 'SojournError',
        code: 'QUORUM_UNMET',
        message: error.message,
        need: 2,
        got: 1,
        regions: ['eu'],
        mayHaveApplied: true,
      },
    })
    expect(error.stack).toMatch(/^SojournError: QUORUM_UNMET: /)
    expect(Object.prototype.toString.call(error)).toBe('[object Error]')
  })
})

describe('sessions', () => {
  const facts = { id: 'id', handle: sessionKey('id'), createdAt: 1, expiresAt: 3, lastUsedAt: 2 }
  const nobody = { isNamed: false, identity: () => expect.unreachable('nobody logged in') }
  const session = (data: object) =>
    new LazySession({ ...facts, ...nobody, data: () => data, written: () => undefined, opensUntil: () => undefined })

  test('[ERR-1] show their data, as plain objects do', () => {
    const data = { user: 'ada', cart: { items: [{ sku: 1, more: { deep: true } }] } }
    const { id, handle, ...times } = facts
    const plain = { id, handle, data, ...times }
    for (const options of [{}, { depth: 0 }, { depth: null }, { compact: false }, { colors: true }]) {
      expect(inspect(session(data), options)).toBe(inspect(plain, options))
      expect(inspect([{ of: session(data) }], options)).toBe(inspect([{ of: plain }], options))
    }
    expect(inspect(session(data))).not.toContain('Getter')
  })

  test('[ERR-1] and have nothing more for that: one shape, and no field of its own', () => {
    expect(Reflect.ownKeys(session({}))).toEqual(['id', 'handle', 'data', 'createdAt', 'expiresAt', 'lastUsedAt'])
  })
})

describe('names that were probably meant', () => {
  const names = ['write', 'read', 'timeout', 'idleTimeout', 'maxLifetime', 'id']
  test.each([
    ['wirte', 'write'],
    ['wrte', 'write'],
    ['writee', 'write'],
    ['Write', 'write'],
    ['ID', 'id'],
    ['idletimeout', 'idleTimeout'],
    ['maxLifeTme', 'maxLifetime'],
    ['timeOut', 'timeout'],
    ['ttl', undefined],
    ['it', undefined],
    ['', undefined],
    ['ship', undefined],
    ['x'.repeat(1_000_000), undefined],
  ])('[OPT-2] %.20s: %s', (given, meant) => {
    expect(nearestName(given, names)).toBe(meant)
  })
})

test('[ERR-1] an error of another realm as its cause is shown', () => {
  const cause: unknown = runInNewContext('new TypeError("from elsewhere")')
  expect(printed(new SojournError('STORE_FAILED', 'no', { cause }))).toContain('from elsewhere')
})
