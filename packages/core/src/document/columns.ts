/** The columns of a change chunk: runs of integers and texts. */
import type { ByteReader, ByteWriter } from '../bytes.js'

/**
 * The columns of an Automerge change chunk (https://automerge.org/automerge-binary-format-spec/#column-encodings):
 * run-length encoded integers and texts, and deltas. A column is a row of runs, each led by a signed LEB128:
 * `n > 1` and one value: the value n times; `-n` and n values: those values, no two neighbours alike; `0` and a length:
 * nulls, which only the columns of the object have: the root has no id.
 *
 * One row of values has exactly one accepted encoding, the one that Automerge writes: runs as long as they can be. That
 * is what makes it safe to keep the decoded form and to encode it again.
 */

type Write<T> = (out: ByteWriter, value: T) => void

const writeRuns = <T extends number | string>(
  out: ByteWriter,
  values: readonly (T | null)[],
  write: Write<T>,
): void => {
  const count = values.length
  let at = 0
  while (at < count) {
    const first = values[at]!
    let end = at + 1
    while (end < count && values[end] === first) end++
    if (first === null) out.u8(0).uint(end - at)
    else if (end - at > 1) {
      out.int(end - at)
      write(out, first)
    } else {
      // Values as they are, up to where the next repetition or a null begins.
      while (end < count && values[end] !== null && values[end] !== values[end + 1]) end++
      out.int(at - end)
      for (let index = at; index < end; index++) write(out, values[index]!)
    }
    at = end
  }
}

const writeUint: Write<number> = (out, value) => void out.uint(value)
const writeInt: Write<number> = (out, value) => void out.int(value)
const writeText: Write<string> = (out, value) => void out.text(value)

/** A column of non-negative safe integers and nulls, of which one at least is none: a column of nothing but nulls is left out. */
export const writeNullableUints = (out: ByteWriter, values: readonly (number | null)[]): void =>
  writeRuns(out, values, writeUint)

/** A column of non-negative safe integers. */
export const writeUints = (out: ByteWriter, values: readonly number[]): void => writeRuns(out, values, writeUint)

/** A column of safe integers as the differences from one to the next, the first from 0. */
export const writeDeltas = (out: ByteWriter, values: readonly number[]): void => {
  let previous = 0
  const deltas = values.map((value) => {
    const delta = value - previous
    previous = value
    return delta
  })
  writeRuns(out, deltas, writeInt)
}

/** A column of texts. */
export const writeTexts = (out: ByteWriter, values: readonly string[]): void => writeRuns(out, values, writeText)

type Read<T> = (reader: ByteReader, bound: number) => T

/**
 * Reads a column of `size` bytes with at most `max` values. A run is held against `max` before any of it is built,
 * because a run of a billion values takes six bytes.
 */
const readRuns = <T extends number | string>(
  reader: ByteReader,
  size: number,
  max: number,
  read: Read<T>,
  bound: number,
  mayBeNull = false,
): T[] => {
  if (size > reader.left) reader.fail('a column is longer than the change')
  const end = reader.offset + size
  const values: (T | null)[] = []
  let previous: T | null | undefined
  let literal = false
  while (reader.offset < end) {
    const count = reader.int()
    if (count === 1 || (count === 0 && !mayBeNull)) reader.fail('a column has a null, or a repetition of one')
    const length = count === 0 ? reader.uint() : Math.abs(count)
    if (length > max - values.length) reader.fail(`a column has more than ${max} values`)
    if (count === 0) {
      if (length === 0 || previous === null) reader.fail('a column has an empty row of nulls, or splits one')
      for (let index = 0; index < length; index++) values.push(null)
      previous = null
      literal = false
    } else if (count > 0) {
      const value = read(reader, bound)
      if (value === previous) reader.fail('a column splits a repetition')
      for (let index = 0; index < length; index++) values.push(value)
      previous = value
      literal = false
    } else {
      if (literal) reader.fail('a column splits a row of single values')
      for (let index = 0; index < length; index++) {
        const value = read(reader, bound)
        if (value === previous) reader.fail('a column spells out a repetition')
        values.push(value)
        previous = value
      }
      literal = true
    }
  }
  if (reader.offset !== end) reader.fail('a value runs past the end of its column')
  return values as T[]
}

const readUint: Read<number> = (reader, bound) => reader.uint(bound)
const readInt: Read<number> = (reader) => reader.int()
const readText: Read<string> = (reader, bound) => reader.text(bound)

/** A column of at most `max` integers from 0 to `bound`. */
export const readUints = (reader: ByteReader, size: number, max: number, bound = Number.MAX_SAFE_INTEGER): number[] =>
  readRuns(reader, size, max, readUint, bound)

/** A column of at most `max` integers from 0 to `bound`, and nulls. */
export const readNullableUints = (
  reader: ByteReader,
  size: number,
  max: number,
  bound = Number.MAX_SAFE_INTEGER,
): (number | null)[] => readRuns(reader, size, max, readUint, bound, true)

/** A column of at most `max` differences, as the sums that they lead to: integers from 1 to 2^53 - 1. */
export const readDeltas = (reader: ByteReader, size: number, max: number): number[] => {
  const values = readRuns(reader, size, max, readInt, 0)
  let sum = 0
  for (let index = 0; index < values.length; index++) {
    sum += values[index]!
    if (sum < 1 || sum > Number.MAX_SAFE_INTEGER) reader.fail('a counter is out of range')
    values[index] = sum
  }
  return values
}

/** A column of at most `max` texts of at most `maxBytes` bytes each. */
export const readTexts = (reader: ByteReader, size: number, max: number, maxBytes: number): string[] =>
  readRuns(reader, size, max, readText, maxBytes)
