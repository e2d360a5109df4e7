/** The bytes of a record, the same on the disk and on the wire (SPEC, "Record format"). */
import { ByteReader, ByteWriter } from './bytes.js'
import { type Credentials, credentialsFault } from './credentials.js'
import { type Cutoff, readCutoff, writeCutoff } from './cutoff.js'
import type { ActorId } from './document/op.js'
import { readDocument, writeDocument } from './document-codec.js'
import type { ErrorCode } from './errors.js'
import { type Authentication, type Identity, readAuthentication, writeAuthentication } from './identity.js'
import type { End, Lease, Limit } from './lifetime.js'
import { END_REASONS } from './lifetime.js'
import type { Limits } from './limits.js'
import type { OtherParts, SessionRecord } from './record.js'
import { MAX_STAMP_COUNT, type Stamp } from './stamp.js'

const KIND = { ended: 0, live: 1 } as const
/** A record is parts, each with its tag and its length, in the order of the tags: what a newer version adds is kept by an older one. */
const PART = { lease: 1, limit: 2, document: 3, end: 4, authentication: 5, credentials: 6, cutoff: 7 } as const

export type RecordLimits = Pick<Limits, 'maxRecordBytes' | 'maxKeyBytes'>

/** Of what a store has of itself: what was taken once can be read, whatever the limits are now. */
export const OWN_LIMITS: RecordLimits = {
  maxRecordBytes: Number.POSITIVE_INFINITY,
  maxKeyBytes: Number.POSITIVE_INFINITY,
}

const writer = new ByteWriter(4096)

/**
 * The bytes of a record, in memory of their own.
 * @param document the bytes of its document, where they are known: most uses of a session change its lease only
 */
export const encodeRecord = (record: SessionRecord, document?: Uint8Array): Uint8Array => {
  // An encoding that threw midway has left its beginning behind.
  writer.clear()
  part.clear()
  if (record.kind === 'ended') {
    writeEnd(part, record.end)
    writer.u8(KIND.ended).uint(PART.end).nested(part)
    if (record.cutoff) {
      writeCutoff(part, record.cutoff, writeStamp)
      writer.uint(PART.cutoff).nested(part)
    }
  } else {
    const { lease, limit } = record
    writeLease(part, lease)
    writer.u8(KIND.live).uint(PART.lease).nested(part)
    part.uint(limit.createdAt).uint(limit.deadline).uint(limit.horizon)
    writer.uint(PART.limit).nested(part).uint(PART.document)
    if (document) writer.bytes(document)
    else {
      writeDocument(part, record.document)
      writer.nested(part)
    }
    if (record.identity) writeIdentity(writer, record.identity)
  }
  writeOthers(writer, record.others)
  return writer.finish()
}

/** The bytes of the document, and of the credentials where there are any, in those of a live record: views. */
export const restIn = (
  encoded: Uint8Array,
): { readonly document: Uint8Array; readonly credentials: Credentials | undefined } => {
  const reader = new ByteReader(encoded, 'RECORD_INVALID')
  reader.u8()
  let document: Uint8Array | undefined
  let credentials: Credentials | undefined
  while (reader.left > 0 && credentials === undefined) {
    const tag = reader.uint()
    const length = reader.uint()
    if (tag === PART.document) document = reader.raw(length)
    else if (tag === PART.credentials) credentials = reader.raw(length)
    else reader.skip(length)
  }
  return { document: document!, credentials }
}

const part = new ByteWriter(1024)

const writeOthers = (out: ByteWriter, others: OtherParts | undefined): void => {
  for (const [tag, bytes] of others ?? []) out.uint(tag).bytes(bytes)
}

/** Whether the bytes of a record are those of a tombstone. */
export const isEndedRecord = (bytes: Uint8Array): boolean => bytes[0] === KIND.ended

/** @throws `code` (RECORD_INVALID where not given), and nothing else, for bytes that are no record within the limits */
export const decodeRecord = (
  bytes: Uint8Array,
  limits: RecordLimits,
  code: ErrorCode = 'RECORD_INVALID',
): SessionRecord => {
  const reader = new ByteReader(bytes, code)
  if (bytes.length > limits.maxRecordBytes) reader.fail(`a record exceeds ${limits.maxRecordBytes} bytes`)
  const kind = reader.u8()
  let record: SessionRecord
  if (kind === KIND.ended)
    record = { kind: 'ended', end: readPart(reader, PART.end, code, readEnd), ...readTail(reader, code, ENDED_TAIL) }
  else if (kind === KIND.live) {
    const lease = readPart(reader, PART.lease, code, readLease)
    const limit = readPart(reader, PART.limit, code, readLimit)
    const document = readPart(reader, PART.document, code, (from) => readDocument(from, limits))
    record = { kind: 'live', lease, limit, document, ...identityIn(readTail(reader, code, LIVE_TAIL)) }
  } else return reader.fail('a record has an unknown kind')
  return record
}

const readLimit = (from: ByteReader): Limit => ({
  createdAt: from.uint(MAX_TIME),
  deadline: from.uint(MAX_TIME),
  horizon: from.uint(MAX_TIME),
})

const readPart = <T>(from: ByteReader, tag: number, code: ErrorCode, read: (from: ByteReader) => T): T => {
  if (from.uint() !== tag) from.fail('a part is missing, or out of order')
  const inner = new ByteReader(from.bytes(from.left), code)
  const value = read(inner)
  inner.end()
  return value
}

/** The parts that not every record has. */
interface Tail {
  authentication?: Authentication
  credentials?: Credentials
  cutoff?: Cutoff
  /** What a newer version has written after the parts that this one knows. */
  others?: OtherParts
}

type ReadTail = { readonly [tag: number]: (from: ByteReader) => Tail }

const ENDED_TAIL: ReadTail = { [PART.cutoff]: (from) => ({ cutoff: readCutoff(from, readStamp) }) }
const LIVE_TAIL: ReadTail = {
  [PART.authentication]: (from) => ({ authentication: readAuthentication(from, readStamp(from)) }),
  [PART.credentials]: (from) => {
    // A copy, so that a part does not keep the frame that it came in.
    const credentials = new Uint8Array(from.raw(from.left))
    const fault = credentialsFault(credentials)
    return fault ? from.fail(fault) : { credentials }
  },
}

const readTail = (from: ByteReader, code: ErrorCode, known: ReadTail): Tail => {
  const tail: Tail = {}
  let others: Map<number, Uint8Array> | undefined
  for (let last: number = PART.end; from.left > 0; ) {
    const tag = from.uint(MAX_TAG)
    if (tag <= last) from.fail('a part is out of order')
    last = tag
    const bytes = from.bytes(from.left)
    if (tag > PART.cutoff) others = (others ?? new Map<number, Uint8Array>()).set(tag, new Uint8Array(bytes))
    else {
      const inner = new ByteReader(bytes, code)
      const read = known[tag] ?? from.fail('a part belongs to another kind of record')
      Object.assign(tail, read(inner))
      inner.end()
    }
  }
  if (others) tail.others = others
  return tail
}

const identityIn = ({ authentication, credentials, ...rest }: Tail): Pick<Tail, 'others'> & { identity?: Identity } =>
  authentication || credentials ? { identity: { authentication, credentials }, ...rest } : rest

const writeIdentity = (out: ByteWriter, { authentication, credentials }: Identity): void => {
  if (authentication) {
    writeAuthentication(writeStamp(part, authentication.stamp), authentication)
    out.uint(PART.authentication).nested(part)
  }
  if (credentials) out.uint(PART.credentials).bytes(credentials)
}

const MAX_TAG = 255

/** Every time that a `Date` can represent. Sums of two of them are exact. */
const MAX_TIME = 8.64e15 / 2

const writeStamp = (out: ByteWriter, stamp: Stamp): ByteWriter =>
  out.uint(stamp.time).uint(stamp.count).hex(stamp.actor)
const readStamp = (from: ByteReader): Stamp => ({
  time: from.uint(MAX_TIME),
  count: from.uint(MAX_STAMP_COUNT),
  actor: sharedActor(from.hex(16)),
})

/** The last actor that was read: most leases are stamped by one of few, and one string serves them all. */
let lastActor: ActorId = ''

const sharedActor = (actor: ActorId): ActorId => {
  if (actor !== lastActor) lastActor = actor
  return lastActor
}

export const writeLease = (out: ByteWriter, lease: Lease): ByteWriter =>
  writeStamp(out, lease.stamp)
    .uint(lease.idleTimeoutMs)
    .uint(lease.deadline)
    .uint(lease.horizon - lease.deadline)
export const readLease = (from: ByteReader): Lease => {
  const stamp = readStamp(from)
  const idleTimeoutMs = from.uint(MAX_TIME)
  const deadline = from.uint(MAX_TIME)
  const horizon = deadline + from.uint(MAX_TIME)
  // A later deadline must not make it one that cannot be written.
  if (horizon > MAX_TIME) from.fail('a lease is remembered for too long')
  // Field by field: a spread gives each lease a hidden class of its own, which takes more memory than the lease.
  return { stamp, idleTimeoutMs, deadline, horizon }
}

export const writeEnd = (out: ByteWriter, end: End): ByteWriter =>
  writeStamp(out.u8(END_REASONS.indexOf(end.reason)), end.stamp).uint(end.horizon)
export const readEnd = (from: ByteReader): End => {
  const reason = END_REASONS[from.u8()] ?? from.fail('an end has an unknown reason')
  return { reason, stamp: readStamp(from), horizon: from.uint(MAX_TIME) }
}
