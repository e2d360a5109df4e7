/** Live records whose documents are bytes until somebody needs them: what a cache holds, an eighth of what maps and operations take. */
import type { Fold } from './document/fold.js'
import { decodeDocument, frontierIn } from './document-codec.js'
import type { Identity } from './identity.js'
import type { Lease, Limit } from './lifetime.js'
import type { Frontier, LiveRecord, OtherParts, SessionRecord } from './record.js'
import { restIn } from './record-codec.js'

/** The document that was needed last: a transaction asks for it several times. */
let last: { readonly bytes: Uint8Array; readonly document: Fold } | undefined

/** What a record has beside its document. */
export interface Parts {
  readonly lease: Lease
  readonly limit: Limit
  readonly identity?: Identity | undefined
  readonly others?: OtherParts | undefined
}

export class RestingRecord implements LiveRecord {
  readonly kind = 'live'
  readonly lease: Lease
  readonly limit: Limit
  declare readonly identity?: Identity
  declare readonly others?: OtherParts
  /** Of the document, as the record format has them. Checked before. */
  readonly bytes: Uint8Array

  constructor(bytes: Uint8Array, { lease, limit, identity, others }: Parts) {
    this.bytes = bytes
    this.lease = lease
    this.limit = limit
    if (identity) this.identity = identity
    if (others) this.others = others
  }

  /** Read anew each time. */
  get frontier(): Frontier {
    return frontierIn(this.bytes)
  }

  /** Decoded anew each time, but the last one. */
  get document(): Fold {
    if (last?.bytes !== this.bytes) last = { bytes: this.bytes, document: decodeDocument(this.bytes) }
    return last.document
  }
}

/** A record as a cache holds it. @param encoded its bytes, which it keeps */
export const resting = (record: SessionRecord, encoded: Uint8Array): SessionRecord => {
  if (record.kind === 'ended') return record
  const { document: bytes, credentials } = restIn(encoded)
  if (!(record instanceof RestingRecord)) last = { bytes, document: record.document }
  else if (last?.bytes === record.bytes) last = { bytes, document: last.document }
  const { lease, limit, others } = record
  // In the record's own memory: bytes of their own would take more of it than they have.
  const identity = credentials ? { authentication: record.identity?.authentication, credentials } : record.identity
  return new RestingRecord(bytes, { lease, limit, identity, others })
}

export const liveRecord = (document: Fold, { lease, limit, identity, others }: Parts): LiveRecord => ({
  kind: 'live',
  document,
  lease,
  limit,
  ...(identity && { identity }),
  ...(others && { others }),
})

/** The same document with other parts. */
export const withParts = (record: LiveRecord, parts: Parts): LiveRecord =>
  record instanceof RestingRecord ? new RestingRecord(record.bytes, parts) : liveRecord(record.document, parts)

/** The same record with another lease. */
export const withLease = (record: LiveRecord, lease: Lease): LiveRecord =>
  record.lease === lease
    ? record
    : withParts(record, { lease, limit: record.limit, identity: record.identity, others: record.others })

/** Whether two records are known, without a look into them, to have one document. */
export const sharesDocument = (a: LiveRecord, b: LiveRecord): boolean =>
  a instanceof RestingRecord && b instanceof RestingRecord ? a.bytes === b.bytes : a.document === b.document
