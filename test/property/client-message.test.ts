import { ByteWriter, isSojournError } from '@sojourn/core'
import { decodeData, encodeData, readFromClient, readFromServer, writeFromClient, writeFromServer } from '@sojourn/wire'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { runs } from '../support/runs.js'

const text = fc.string({ unit: 'grapheme', maxLength: 60 })
const number = fc.nat()
const hex = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 32, maxLength: 32 })
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })
const level = fc.oneof(fc.constantFrom('local', 'majority', 'all'), fc.integer({ min: 1, max: 9 }))
const choices = (more: object) =>
  fc
    .record({ write: maybe(level), timeoutMs: maybe(number), ...more })
    .map((all) => Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)))
const updates = choices({ touch: maybe(fc.boolean()), idleTimeoutMs: maybe(number) })
const message = <T extends string>(type: T, fields: { [name: string]: fc.Arbitrary<unknown> }) =>
  fc.record({ type: fc.constant(type), ...fields }) as fc.Arbitrary<never>

const fromClient = fc.oneof(
  message('join', { magic: number, version: number, client: hex, token: text }),
  message('ping', { number }),
  message('settled', { below: number }),
  message('get', { number, id: text, watch: fc.boolean(), choices: fc.constant({}) }),
  message('create', { number, data: text, choices: choices({ id: maybe(text), maxLifetimeMs: maybe(number) }) }),
  message('patch', { number, id: text, patch: text, choices: updates }),
  message('replace', { number, id: text, base: maybe(text), next: text, counters: fc.array(text), choices: updates }),
  message('increment', { number, id: text, path: text, by: fc.maxSafeInteger(), choices: updates }),
  message('touch', { number, id: text, choices: updates }),
  message('end', {
    number,
    id: text,
    choices: choices({ reason: maybe(fc.constantFrom('logout', 'revoked', 'rotated')) }),
  }),
  message('rotate', { number, id: text, choices: choices({}) }),
  message('endAll', { number, choices: choices({}) }),
  message('step', { number, walk: number }),
  message('leave', { walk: number }),
)
const told = { createdAt: number, expiresAt: number, data: text }
const fromServer = fc.oneof(
  message('welcome', {
    version: number,
    server: hex,
    region: text.filter((name) => Buffer.byteLength(name) <= 64),
    resumes: maybe(number),
    maxInFlight: number,
    maxFrameBytes: number,
    idleTimeoutMs: number,
    maxLifetimeMs: number,
  }),
  message('pong', { number, clock: number }),
  message('changed', { keys: fc.array(hex) }),
  message('found', { number, watched: fc.boolean(), ...told }),
  message('made', { number, id: text, ...told }),
  message('counted', { number, count: number }),
  message('page', { number, sessions: fc.array(fc.record({ key: hex, ...told })), isLast: fc.boolean() }),
  message('failed', {
    number,
    code: fc.constantFrom('QUORUM_UNMET', 'INVALID_DATA'),
    message: text,
    details: fc.constantFrom(
      {},
      { need: 2, got: 1, regions: ['eu'], mayHaveApplied: true },
      { state: 'ended', path: '/a' },
    ),
  }),
  message('farewell', {}),
)

const ways = [
  ['a client', fromClient, writeFromClient, readFromClient],
  ['a server', fromServer, writeFromServer, readFromServer],
] as const

describe.each(ways)('messages of %s', (_who, arbitrary, write, read) => {
  const encode = (messages: readonly never[]): Uint8Array => {
    const out = new ByteWriter()
    for (const each of messages) write(out, each)
    return out.finish()
  }

  it('[NET-1] are read as they were written, as many to a frame as there are', () => {
    fc.assert(
      fc.property(fc.array(arbitrary, { maxLength: 5 }), (messages) => {
        expect([...read(encode(messages), 1_000_000)]).toEqual(messages)
      }),
      { numRuns: runs(500) },
    )
  })

  it('[NET-7] with bytes changed, cut off or put in are other messages, or FRAME_INVALID', () => {
    fc.assert(
      fc.property(arbitrary, fc.nat(), fc.nat(255), fc.constantFrom('change', 'cut', 'put'), (said, at, byte, how) => {
        const good = encode([said])
        const place = at % good.length
        const bad =
          how === 'cut'
            ? good.subarray(0, place)
            : how === 'put'
              ? Uint8Array.of(...good.subarray(0, place), byte, ...good.subarray(place))
              : good.with(place, byte)
        try {
          for (const each of read(bad, 1_000_000)) expect(each).toHaveProperty('type')
        } catch (error) {
          expect(isSojournError(error, 'FRAME_INVALID')).toBe(true)
        }
      }),
      { numRuns: runs(2_000) },
    )
  })
})

describe('data', () => {
  const key = fc.oneof(text, fc.constantFrom('$', '$$', '$date', '$bytes', '$number', 'toJSON', 'then'))
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      text,
      fc.boolean(),
      fc.constant(null),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.maxSafeInteger(),
      fc.constant(-0),
      fc.date({ noInvalidDate: true }),
      fc.uint8Array({ maxLength: 20 }).map((bytes) => Uint8Array.from(bytes)),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(key, tie('value'), { maxKeys: 4, noNullPrototype: true }),
    ),
  }))
  const data = fc.dictionary(key, value, { maxKeys: 6, noNullPrototype: true })

  it('[NET-1] comes out as it went in', () => {
    fc.assert(
      fc.property(data, (value) => {
        expect(decodeData(encodeData(value))).toStrictEqual(value)
      }),
      { numRuns: runs(1_000) },
    )
  })

  it('[NET-7] whatever the text, it is data or FRAME_INVALID', () => {
    const escaped = fc.json().map((json) => `$${json}`)
    fc.assert(
      fc.property(
        fc.oneof(
          text,
          fc.json(),
          escaped,
          text.map((some) => `$${some}`),
        ),
        (some) => {
          try {
            expect(typeof decodeData(some)).toBe('object')
          } catch (error) {
            expect(isSojournError(error, 'FRAME_INVALID')).toBe(true)
          }
        },
      ),
      { numRuns: runs(1_000) },
    )
  })
})
