/** The bytes of a change: Automerge's change chunk. */
import { hash as digest } from 'node:crypto'
import { ByteReader, ByteWriter } from '../bytes.js'
import type { ActorId, Change, ChangeHash, ChangeLimits } from './op.js'
import { otherActors, writeOps } from './operations.js'
import { readOps } from './read-operations.js'

/**
 * Automerge's change chunk (https://automerge.org/automerge-binary-format-spec/#change-chunks), uncompressed, for the
 * subset of op.ts. One change has one encoding, byte for byte what Automerge writes: Automerge derives a change's
 * hash again from the operations when it loads a document, so bytes that merely mean the same would name another change.
 */

export interface EncodedChange {
  readonly bytes: Uint8Array
  readonly hash: ChangeHash
}

const MAGIC = [0x85, 0x6f, 0x4a, 0x83] as const
const CHUNK_CHANGE = 1
const CHUNK_DEFLATED = 2
/** The magic bytes and the checksum, which the hash does not cover. */
const UNHASHED = 8
const ACTOR_BYTES = 16
/** What a change chunk begins with; the checksum comes in place of the zeros. */
const HEAD = Uint8Array.of(...MAGIC, 0, 0, 0, 0, CHUNK_CHANGE)

const hashOf = (bytes: Uint8Array): ChangeHash => digest('sha256', bytes.subarray(UNHASHED), 'hex')

/** The first four bytes of the hash. */
const checksumOf = (hash: ChangeHash): number => Number.parseInt(hash.slice(0, 8), 16)

// Encoding is synchronous, so the buffers are shared by all calls.
const content = new ByteWriter()
const columns = new ByteWriter()
const chunk = new ByteWriter()

/**
 * The change as an uncompressed Automerge change chunk (time 0, no message), and its hash. Predecessors may come in any
 * order; `deps` must come sorted. The rest of the change is taken as it is: keeping to op.ts and to the limits is the
 * caller's part, and {@link decodeChange} is who checks. A lone surrogate is written as U+FFFD.
 *
 * @throws SojournError CHANGE_INVALID if an increment is no safe integer or a date is invalid
 */
export const encodeChange = (change: Change): EncodedChange => {
  // An encoding that threw midway has left its beginning behind.
  content.clear()
  columns.clear()

  content.uint(change.deps.length)
  for (const dep of change.deps) content.hex(dep)
  content.u8(ACTOR_BYTES).hex(change.actor).uint(change.seq).uint(change.startOp)
  // The time and the length of the message.
  content.u8(0).u8(0)
  const others = otherActors(change)
  content.uint(others.length)
  for (const actor of others) content.u8(ACTOR_BYTES).hex(actor)
  writeOps(content, columns, change, others)

  chunk.raw(HEAD).uint(content.length + columns.length)
  chunk.append(content).append(columns)
  const bytes = chunk.borrow()
  const hash = hashOf(bytes)
  const checksum = checksumOf(hash)
  bytes[4] = checksum >>> 24
  bytes[5] = checksum >>> 16
  bytes[6] = checksum >>> 8
  bytes[7] = checksum
  return { bytes, hash }
}

const readActor = (reader: ByteReader): ActorId => {
  if (reader.uint() !== ACTOR_BYTES) reader.fail(`an actor is not ${ACTOR_BYTES} bytes long`)
  return reader.hex(ACTOR_BYTES)
}

/**
 * Reads a change from bytes that nobody vouches for. What it accepts, {@link encodeChange} turns into the same bytes.
 * The work is bounded by the length of the bytes and by `limits`, whatever the bytes announce.
 *
 * @throws SojournError CHANGE_INVALID if the bytes are not a whole, uncompressed change chunk with a right checksum, in
 *   Automerge's encoding, of the subset of op.ts, and within `limits`
 */
export const decodeChange = (
  bytes: Uint8Array,
  limits: ChangeLimits,
): { readonly change: Change; readonly hash: ChangeHash } => {
  const reader = new ByteReader(bytes, 'CHANGE_INVALID')
  if (bytes.length > limits.maxChangeBytes) reader.fail(`the change is longer than ${limits.maxChangeBytes} bytes`)
  for (const byte of MAGIC) if (reader.u8() !== byte) reader.fail('the bytes are not an Automerge chunk')
  const checksum = reader.u8() * 2 ** 24 + reader.u8() * 2 ** 16 + reader.u8() * 2 ** 8 + reader.u8()
  const type = reader.u8()
  if (type === CHUNK_DEFLATED) reader.fail('the change is compressed')
  if (type !== CHUNK_CHANGE) reader.fail(`the chunk is of type ${type}, not a change`)
  const announced = reader.uint()
  if (announced !== reader.left) reader.fail(`${announced} bytes are announced, ${reader.left} are left`)
  const hash = hashOf(bytes)
  if (checksumOf(hash) !== checksum) reader.fail('the checksum is wrong')

  const deps: ChangeHash[] = []
  for (let left = reader.uint(limits.maxDeps); left > 0; left--) {
    const dep = reader.hex(32)
    if (deps.length > 0 && dep <= deps[deps.length - 1]!) reader.fail('the dependencies are not in order')
    deps.push(dep)
  }
  const actor = readActor(reader)
  const seq = reader.uint()
  const startOp = reader.uint()
  if (seq < 1 || startOp < 1) reader.fail('a sequence number is 0')
  if (reader.int() !== 0 || reader.uint() !== 0) reader.fail('the change has a time or a message')
  const actors: ActorId[] = [actor]
  for (let left = reader.uint(limits.maxPreds); left > 0; left--) {
    const other = readActor(reader)
    if (other === actor || (actors.length > 1 && other <= actors[actors.length - 1]!))
      reader.fail('the actors are not in order')
    actors.push(other)
  }
  const ops = readOps(reader, startOp, actors, limits)
  return { change: { actor, seq, startOp, deps, ops }, hash }
}
