import { isSojournError } from '@sojourn/core/internal'
import { decodeMessage, encodeMessage, type Message } from '@sojourn/wire'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { array, bin, HOSTILE_VALUES, spoiled } from '../support/hostile-values.js'
import { runs } from '../support/runs.js'

const number = fc.maxSafeNat()
const hex = (bytes: number) => {
  const digit = fc.constantFrom(...'0123456789abcdef')
  return fc.string({ unit: digit, minLength: 2 * bytes, maxLength: 2 * bytes })
}
const [id, hash, proof] = [hex(16), hex(8), hex(32)]
const region = fc.string({ unit: 'grapheme', maxLength: 12 })
const bytes = fc.uint8Array({ maxLength: 300 }).map((some) => Buffer.from(some))
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })
const few = <T>(value: fc.Arbitrary<T>) => fc.array(value, { maxLength: 5 })
const held = few(fc.record({ feed: id, through: number }))
const message = <T extends Message['type']>(type: T, fields: { [name: string]: fc.Arbitrary<unknown> }) =>
  fc.record({ type: fc.constant(type), ...fields }) as fc.Arbitrary<never>

const MESSAGES: { readonly [T in Message['type']]: fc.Arbitrary<Message> } = {
  greet: message('greet', {
    magic: number,
    min: number,
    max: number,
    capabilities: few(fc.string({ maxLength: 32 })),
    region,
    nonce: proof,
  }),
  prove: message('prove', {
    version: number,
    capabilities: few(fc.string({ maxLength: 32 })),
    region,
    nonce: proof,
    proof,
  }),
  accept: message('accept', { proof }),
  hello: message('hello', {
    feed: id,
    lineage: held,
    clock: number,
    isClockSure: fc.boolean(),
    vector: held,
    scanned: held,
    linked: few(id),
  }),
  segment: message('segment', {
    epoch: number,
    from: number,
    through: number,
    mode: fc.constantFrom('live', 'prompt', 'catchup', 'caughtup'),
    needs: few(fc.record({ at: number, feed: id, through: number })),
    holds: held,
    items: few(bytes),
  }),
  acks: message('acks', { holdings: few(fc.record({ region, holder: id, feed: id, through: number })) }),
  heartbeat: message('heartbeat', {
    sentAt: number,
    echo: number,
    echoAge: number,
    clock: number,
    isClockSure: fc.boolean(),
    head: number,
    sum: hash,
    vector: held,
    linked: few(id),
  }),
  resume: message('resume', { epoch: number, from: number, linked: few(id) }),
  ask: message('ask', { request: number, key: id, version: maybe(id) }),
  tell: message('tell', {
    request: number,
    what: fc.constantFrom('same', 'none', 'record', 'corrupt'),
    record: maybe(bytes),
  }),
  want: message('want', { keys: few(id) }),
  records: message('records', { records: few(fc.record({ key: id, record: bytes })), absent: few(id) }),
  digest: message('digest', { bits: number, above: number, ranges: few(number), sums: bytes, isSure: fc.boolean() }),
  versions: message('versions', {
    bits: number,
    ranges: few(number),
    versions: few(fc.record({ key: id, version: hash })),
  }),
  received: message('received', { epoch: number, through: number }),
}
const any = fc.oneof(...Object.values(MESSAGES))
const read = (frame: Uint8Array) => decodeMessage(frame, 1_000_000)

describe('messages of links', () => {
  it('[WIRE-3] are read as they were written', () => {
    fc.assert(
      fc.property(any, (said) => {
        expect(read(encodeMessage(said))).toEqual(said)
      }),
      { numRuns: runs(1_000) },
    )
  })

  it('[WIRE-3] have one form: with bytes changed, cut off or put in they are other messages, or FRAME_INVALID', () => {
    fc.assert(
      fc.property(spoiled(any.map(encodeMessage)), (bad) => {
        try {
          expect([...encodeMessage(read(bad))]).toEqual([...bad])
        } catch (error) {
          expect(isSojournError(error, 'FRAME_INVALID'), String(error)).toBe(true)
        }
      }),
      { numRuns: runs(5_000) },
    )
  })

  it('[WIRE-3] of random bytes are FRAME_INVALID', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
        try {
          expect([...encodeMessage(read(noise))]).toEqual([...noise])
        } catch (error) {
          expect(isSojournError(error, 'FRAME_INVALID'), String(error)).toBe(true)
        }
      }),
      { numRuns: runs(5_000) },
    )
  })

  it.each(HOSTILE_VALUES)('[WIRE-3] $what is neither a number, a name, an id nor a list', ({ bytes: hostile }) => {
    const [key, proofs] = [bin(...Buffer.alloc(32)), bin(...Buffer.alloc(65, 97))]
    const frames = [
      hostile,
      array(15, 0, hostile),
      array(15, hostile, 0),
      array(hostile, 0, 0),
      array(2, 2, array(), hostile, proofs),
      array(2, hostile, array(), 1, proofs),
      array(2, 2, array(hostile), 1, proofs),
      array(2, 2, array(), 1, hostile),
      array(8, 1, 1, hostile),
      array(9, 1, array(hostile), key),
      array(13, 0, 0, array(hostile), 0, false),
    ]
    for (const frame of frames) expect(() => read(frame)).toThrow(expect.objectContaining({ code: 'FRAME_INVALID' }))
  })

  it('[WIRE-3] with lists or byte strings that are not as long as announced are FRAME_INVALID', () => {
    const [one, two] = [bin(...Buffer.alloc(16)), bin(...Buffer.alloc(32))]
    const segment = (items: Uint8Array, tail: Uint8Array) => array(5, 0, 0, 1, 0, array(), array(), items, tail)
    expect(read(array(8, 1, 1, 1, one))).toMatchObject({ linked: ['0'.repeat(32)] })
    expect(read(segment(array(2, 1), bin(1, 2, 3)))).toMatchObject({ items: [Buffer.of(1, 2), Buffer.of(3)] })
    const bad = [
      array(8, 1, 1, 1, two),
      array(8, 1, 1, 2, one),
      array(8, 1, 1, 1),
      array(8, 1, 1, 0, bin()),
      array(8, 1, 1, 2 ** 31, one),
      array(8, 1, 1, array(1), one),
      array(6, array(1, 2, 3), bin(...Buffer.alloc(33))),
      array(6, 1, bin(...Buffer.alloc(33))),
      segment(array(2, 2), bin(1, 2, 3)),
      segment(array(2), bin(1, 2, 3)),
      array(5, 0, 0, 1, 4, array(), array(), array()),
      array(9, 1, false, one),
      array(9, 1, true, one),
    ]
    for (const frame of bad) expect(() => read(frame)).toThrow(expect.objectContaining({ code: 'FRAME_INVALID' }))
  })

  it('[WIRE-3] that are longer than allowed are FRAME_TOO_LARGE, unread', () => {
    expect(() => decodeMessage(new Uint8Array(11), 10)).toThrow(expect.objectContaining({ code: 'FRAME_TOO_LARGE' }))
  })
})
