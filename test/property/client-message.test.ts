import { ByteWriter, isSojournError } from '@sojourn/core/internal'
import { decodeData, encodeData, readFromClient, readFromServer, writeFromClient, writeFromServer } from '@sojourn/wire'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HOSTILE_DATA, spoiled } from '../support/hostile-values.js'
import { runs } from '../support/runs.js'

const short = fc.string({ unit: 'grapheme', maxLength: 60 })
/** Of all lengths that are read differently, and such as begin with what msgpackr takes away. */
const text = fc.oneof(
  { weight: 5, arbitrary: short },
  fc.string({ unit: 'binary-ascii', maxLength: 300 }),
  short.map((some) => `\ufeff${some}`),
  fc.string({ unit: 'grapheme', minLength: 65, maxLength: 400 }).map((some) => `\ufeff${some}`),
)
const bytes = fc.uint8Array({ maxLength: 300 }).map((some) => Buffer.from(some))
const number = fc.nat()
const hex = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 32, maxLength: 32 })
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })
const level = fc.oneof(fc.constantFrom('local', 'majority', 'all'), fc.integer({ min: 1, max: 9 }))
const choices = (more: object) =>
  fc
    .record({ write: maybe(level), timeoutMs: maybe(number), ...more })
    .map((all) => Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)))
const names = fc.array(fc.string({ maxLength: 32 }), { maxLength: 16 })
const pointers = fc.array(text, { maxLength: 3 })
const update = { touch: maybe(fc.boolean()), idleTimeoutMs: maybe(number) }
const updates = choices(update)
const patches = choices({ ...update, atomic: maybe(pointers) })
const object = fc.uint8Array({ minLength: 6, maxLength: 6 }).map((bytes) => Buffer.from(bytes).toString('hex'))
const replacements = choices({
  ...update,
  atomic: maybe(pointers),
  assigned: maybe(pointers),
  within: maybe(fc.array(fc.record({ path: text, object }), { maxLength: 3 })),
})
const message = <T extends string>(type: T, fields: { [name: string]: fc.Arbitrary<unknown> }) =>
  fc.record({ type: fc.constant(type), ...fields }) as fc.Arbitrary<never>

const login = {
  device: maybe(text.filter((name) => Buffer.byteLength(name) <= 256)),
  auth: maybe(fc.constantFrom({}, { time: 5 }, { acr: 'aal2' }, { time: 0, amr: [] }, { amr: ['pwd', 'otp'] })),
}
const amr = fc.array(fc.constantFrom('pwd', 'otp', 'žluť'), { maxLength: 16 })
const subject = text.filter((name) => name.length <= 256)
const ends = choices({ reason: maybe(fc.constantFrom('logout', 'revoked', 'rotated', 'displaced', 'reused')) })

const fromClient = fc.oneof(
  message('join', { magic: number, min: number, max: number, capabilities: names, client: hex, token: text }),
  message('ping', { number }),
  message('settled', { below: number }),
  message('get', { number, id: text, watch: fc.boolean(), choices: fc.constant({}) }),
  message('create', {
    number,
    data: bytes,
    choices: choices({
      id: maybe(text),
      maxLifetimeMs: maybe(number),
      atomic: maybe(pointers),
      subject: maybe(subject),
      ...login,
    }),
  }),
  message('patch', { number, id: text, patch: bytes, choices: patches }),
  message('replace', {
    number,
    id: text,
    base: maybe(bytes),
    next: bytes,
    counters: fc.array(text),
    choices: replacements,
  }),
  message('increment', { number, id: text, path: text, by: fc.maxSafeInteger(), choices: updates }),
  message('touch', { number, id: text, choices: updates }),
  message('end', {
    number,
    id: text,
    choices: choices({ reason: maybe(fc.constantFrom('logout', 'revoked', 'rotated')) }),
  }),
  message('rotate', { number, id: text, choices: choices({ graceMs: maybe(number) }) }),
  message('elevate', { number, id: text, subject, choices: choices({ ...login, maxLifetimeMs: maybe(number) }) }),
  message('isLive', { number, handle: hex }),
  message('endHandle', { number, handle: hex, choices: ends }),
  message('endOthers', { number, id: text, choices: ends }),
  message('endSubject', {
    number,
    subject,
    choices: choices({ except: maybe(fc.array(hex, { maxLength: 256 })) }),
  }),
  message('sessionsOf', { number, subject }),
  message('stepOf', { number, scan: number }),
  message('endAll', { number, choices: choices({}) }),
  message('step', { number, scan: number }),
  message('leave', { scan: number }),
)
const answered = { createdAt: number, expiresAt: number, data: bytes }
const shown = { ...answered, objects: fc.array(object, { maxLength: 3 }) }
const auth = fc.record({ time: number, acr: maybe(fc.constantFrom('aal1', '')), amr })
const given = <T extends object>(fields: fc.Arbitrary<T>) =>
  fields.map((all) => Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)))
const who = given(
  fc.record({
    lastUsedAt: maybe(number),
    subject: maybe(subject),
    device: login.device,
    auth: maybe(auth),
    written: maybe(hex.map((feed) => `${feed}.1z`)),
    opensUntil: maybe(number),
  }),
)
const region = fc.constantFrom('eu', 'us', 'ap')
const fromServer = fc.oneof(
  message('welcome', {
    version: number,
    capabilities: names,
    server: hex,
    region: text.filter((name) => Buffer.byteLength(name) <= 64),
    resumes: maybe(number),
    maxInFlight: number,
    maxFrameBytes: number,
    idleTimeoutMs: number,
    maxLifetimeMs: number,
    atomic: pointers,
  }),
  message('pong', { number, clock: number }),
  message('changed', { keys: fc.array(hex) }),
  message('found', { number, watched: fc.boolean(), ...shown }),
  message('made', { number, id: text, ...shown }),
  message('counted', { number, count: number }),
  message('page', { number, sessions: fc.array(fc.record({ key: hex, ...answered })), isLast: fc.boolean() }),
  message('failed', {
    number,
    code: fc.constantFrom('QUORUM_UNMET', 'INVALID_DATA'),
    message: text,
    details: fc.constantFrom(
      {},
      { need: 2, got: 1, regions: ['eu'], mayHaveApplied: true },
      { state: 'ended', path: '/a' },
      { who: { subject: 'ada', opensUntil: 5 } },
    ),
  }),
  message('foundWho', { number, watched: fc.boolean(), ...shown, who }),
  message('madeWho', { number, id: text, ...shown, who }),
  message('pageOf', {
    number,
    sessions: fc.array(
      fc.record({
        handle: hex,
        createdAt: number,
        lastUsedAt: number,
        expiresAt: number,
        more: given(fc.record({ device: login.device, auth: maybe(auth), region: maybe(region) })),
      }),
    ),
    isLast: fc.boolean(),
  }),
  message('receipt', {
    number,
    ended: number,
    regions: fc.array(fc.record({ region, isHeld: fc.boolean() })),
  }),
  message('drain', {}),
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
      fc.property(spoiled(arbitrary.map((said) => encode([said]))), (bad) => {
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
  // A session has no key __proto__: whoever writes data is refused, and whoever reads it, too.
  const key = fc.oneof(
    text.filter((name) => name !== '__proto__'),
    fc.constantFrom('$', '$$', '$date', '$bytes', '$number', 'toJSON', 'then'),
  )
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

  it('[NET-1] comes out in the order in which it went in', () => {
    fc.assert(
      fc.property(data, (value) => {
        expect(JSON.stringify(decodeData(encodeData(value)))).toBe(JSON.stringify(value))
      }),
      { numRuns: runs(500) },
    )
  })

  it('[NET-1] is never what only a program can hold, and shares no memory with what it came in', () => {
    const encoded = encodeData({ bytes: Uint8Array.of(1, 2), date: new Date(5) })
    const decoded = decodeData(encoded)
    encoded.fill(0)
    expect(decoded).toStrictEqual({ bytes: Uint8Array.of(1, 2), date: new Date(5) })
    expect(Object.getPrototypeOf(decoded.bytes)).toBe(Uint8Array.prototype)
  })

  it.each(HOSTILE_DATA)('[NET-7] that is $what is FRAME_INVALID', ({ bytes: hostile }) => {
    expect(() => decodeData(hostile)).toThrow(expect.objectContaining({ code: 'FRAME_INVALID' }))
  })

  it('[NET-7] whatever the bytes, it is data or FRAME_INVALID', () => {
    const changed = fc.tuple(data, fc.nat(), fc.nat(255)).map(([some, at, byte]) => {
      const good = encodeData(some)
      return good.with(at % good.length, byte)
    })
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 100 }), changed), (some) => {
        try {
          expect(holdsDataOnly(decodeData(some))).toBe(true)
        } catch (error) {
          expect(isSojournError(error, 'FRAME_INVALID')).toBe(true)
        }
      }),
      { numRuns: runs(3_000) },
    )
  })
})

/** Whether there is nothing in it but what a session can hold. */
const holdsDataOnly = (value: unknown): boolean => {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true
  if (typeof value === 'number') return Number.isFinite(value)
  if (Array.isArray(value)) return value.every(holdsDataOnly)
  if (value instanceof Date) return !Number.isNaN(value.getTime())
  if (value instanceof Uint8Array) return true
  return (
    typeof value === 'object' &&
    Object.getPrototypeOf(value) === Object.prototype &&
    Object.values(value).every(holdsDataOnly)
  )
}
