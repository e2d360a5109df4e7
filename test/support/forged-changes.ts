/** Changes put together by hand, byte by byte, as a forger would. */
import { createHash } from 'node:crypto'
import * as A from '@automerge/automerge'
import { expect } from 'vitest'
import { ByteWriter } from '../../packages/core/src/bytes.js'
import { decodeChange, encodeChange } from '../../packages/core/src/document/change.js'
import { isSojournError } from '../../packages/core/src/errors.js'
import { ACTORS, LIMITS, ME, shownByAutomerge } from './changes.js'

/** Gives a chunk its right length and checksum, whatever is in it. */
export const seal = (content: Uint8Array, type = 1): Uint8Array => {
  const body = new ByteWriter().u8(type).uint(content.length).raw(content).finish()
  const checksum = createHash('sha256').update(body).digest().subarray(0, 4)
  return new ByteWriter()
    .raw(Uint8Array.of(0x85, 0x6f, 0x4a, 0x83))
    .raw(checksum)
    .raw(body)
    .finish()
}

/** The content of a chunk that the encoder wrote. */
export const contentOf = (bytes: Uint8Array): Uint8Array => {
  let at = 9
  while (bytes[at]! >= 0x80) at++
  return bytes.subarray(at + 1)
}

export const accepts = (bytes: Uint8Array, limits = LIMITS): boolean => {
  const started = process.cpuUsage()
  try {
    const { change, hash } = decodeChange(bytes, limits)
    const again = encodeChange(change)
    expect(Buffer.from(again.bytes).equals(bytes)).toBe(true)
    expect(again.hash).toBe(hash)
    const { hash: theirHash, ...theirs } = A.decodeChange(bytes)
    expect(theirHash).toBe(hash)
    expect(theirs).toEqual(shownByAutomerge(change))
    return true
  } catch (error) {
    if (!isSojournError(error, 'CHANGE_INVALID')) throw error
    // Of CPU time, for the machine may be busy: whatever was built out of an announced length would take far longer.
    const { user, system } = process.cpuUsage(started)
    expect((user + system) / 1_000).toBeLessThan(100)
    return false
  }
}

export const bytesOf = (...parts: (number | string | Uint8Array)[]): Uint8Array => {
  const out = new ByteWriter()
  for (const part of parts) {
    if (typeof part === 'number') out.u8(part)
    else if (typeof part === 'string') out.raw(Buffer.from(part))
    else out.raw(part)
  }
  return out.finish()
}

export const run = (count: number, ...value: number[]): Uint8Array =>
  bytesOf(new ByteWriter().int(count).finish(), ...value)

export interface Parts {
  deps?: readonly string[]
  actor?: Uint8Array
  seq?: Uint8Array
  startOp?: Uint8Array
  time?: Uint8Array
  message?: string
  others?: readonly string[]
  columns?: Readonly<Record<number, Uint8Array | undefined>>
  /** Columns in this order, in place of the default ones. */
  exactly?: readonly (readonly [number, Uint8Array])[]
  tail?: Uint8Array
}

export const OTHER = ACTORS[1]!

/** A chunk put together by hand: sets /k to 'v' in place of what 1@OTHER set, except for what `parts` says otherwise. */
export const assemble = (parts: Parts = {}): Uint8Array => {
  const columns: Record<number, Uint8Array | undefined> = {
    21: bytesOf(0x7f, 2, '/k'),
    52: bytesOf(1),
    66: bytesOf(0x7f, 1),
    86: bytesOf(0x7f, 0x16),
    87: bytesOf('v'),
    112: bytesOf(0x7f, 1),
    113: bytesOf(0x7f, 1),
    115: bytesOf(0x7f, 1),
    ...parts.columns,
  }
  const list =
    parts.exactly ?? Object.entries(columns).flatMap(([id, data]) => (data ? [[Number(id), data] as const] : []))
  const out = new ByteWriter()
  const deps = parts.deps ?? ['ab'.repeat(32)]
  out.uint(deps.length)
  for (const dep of deps) out.hex(dep)
  out.raw(parts.actor ?? bytesOf(16, Buffer.from(ME, 'hex')))
  out
    .raw(parts.seq ?? bytesOf(1))
    .raw(parts.startOp ?? bytesOf(2))
    .raw(parts.time ?? bytesOf(0))
  out.text(parts.message ?? '')
  const others = parts.others ?? [OTHER]
  out.uint(others.length)
  for (const other of others) out.u8(16).hex(other)
  out.uint(list.length)
  for (const [id, data] of list) out.uint(id).uint(data.length)
  for (const [, data] of list) out.raw(data)
  out.raw(parts.tail ?? new Uint8Array())
  return seal(out.finish())
}

export const f64 = (value: number): Uint8Array => new ByteWriter().f64(value).finish()
export const int = (value: number): Uint8Array => new ByteWriter().int(value).finish()
export const valued = (type: number, raw: Uint8Array): Parts => ({
  columns: {
    86: bytesOf(0x7f, new ByteWriter().uint(raw.length * 16 + type).finish()),
    87: raw.length ? raw : undefined,
  },
})
export const NO_PREDS = { 112: bytesOf(0x7f, 0), 113: undefined, 115: undefined }
/** A value `count` times, as a repetition or, once, as a literal. */
export const repeated = (count: number, ...value: number[]): Uint8Array => run(count === 1 ? -1 : count, ...value)
/** `count` operations that set /k to null and have no predecessors. */
export const nulls = (count: number, columns: Readonly<Record<number, Uint8Array | undefined>> = {}): Parts => ({
  others: [],
  columns: {
    21: repeated(count, 2, 0x2f, 0x6b),
    52: new ByteWriter().uint(count).finish(),
    66: repeated(count, 1),
    86: repeated(count, 0),
    87: undefined,
    112: repeated(count, 0),
    113: undefined,
    115: undefined,
    ...columns,
  },
})
/** A trillion: what is announced, and never there. */
export const HUGE = 2 ** 40
export const unsigned = (value: number): Uint8Array => new ByteWriter().uint(value).finish()
/** Makes the map 3@ME at the root, sets a field to null in 1@OTHER, and one in the map that it made. */
export const inMaps = (columns: Readonly<Record<number, Uint8Array | undefined>> = {}): Parts => ({
  ...nulls(3, {
    1: bytesOf(0, 1, 0x7e, 1, 0),
    2: bytesOf(0, 1, 0x7e, 1, 3),
    66: bytesOf(0x7f, 0, run(2, 1)),
    ...columns,
  }),
  others: [OTHER],
  startOp: bytesOf(3),
})
