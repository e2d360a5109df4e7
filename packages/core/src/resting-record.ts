/** Live records whose documents are bytes until somebody needs them: what a cache holds, an eighth of what maps and operations take. */
import type { Fold } from './document/fold.js'
import { decodeDocument } from './document-codec.js'
import type { Lease, Limit } from './lifetime.js'
import type { LiveRecord, OtherParts, SessionRecord } from './record.js'
import { documentIn } from './record-codec.js'

/** The document that was needed last: a transaction asks for it several times. */
let last: { readonly bytes: Uint8Array; readonly document: Fold } | undefined

interface OtherThanDocument {
  readonly lease: Lease
  readonly limit: Limit
  readonly others?: OtherParts | undefined
}

export class RestingRecord implements LiveRecord {
  readonly kind = 'live'
  readonly lease: Lease
  readonly limit: Limit
  declare readonly others?: OtherParts
  /** Of the document, as the record format has them. Checked before. */
  readonly bytes: Uint8Array

  constructor(bytes: Uint8Array, { lease, limit, others }: OtherThanDocument) {
    this.bytes = bytes
    this.lease = lease
    this.limit = limit
    if (others) this.others = others
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
  const bytes = documentIn(encoded)
  if (!(record instanceof RestingRecord)) last = { bytes, document: record.document }
  else if (last?.bytes === record.bytes) last = { bytes, document: last.document }
  return new RestingRecord(bytes, record)
}

/** The same record with another lease. */
export const withLease = (record: LiveRecord, lease: Lease): LiveRecord => {
  if (record.lease === lease) return record
  if (!(record instanceof RestingRecord)) return { ...record, lease }
  const { bytes, limit, others } = record
  return new RestingRecord(bytes, { lease, limit, others })
}

/** Whether two records are known, without a look into them, to have one document. */
export const sharesDocument = (a: LiveRecord, b: LiveRecord): boolean =>
  a instanceof RestingRecord && b instanceof RestingRecord ? a.bytes === b.bytes : a.document === b.document
