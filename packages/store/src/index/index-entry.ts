/** What the index holds of one record. */
import type { SubjectHash } from '@sojourn/core/internal'
import type { Origin } from './columns.js'
import type { VersionSum } from './version-sums.js'

/** What the index holds of a record. */
export interface IndexEntry {
  readonly sequence: number
  readonly origin: Origin | undefined
  /** A hash of key and version, in two halves of 32 bits. */
  readonly version: VersionSum
  readonly isEnded: boolean
  /** Its deadline passed and that was noticed. */
  readonly isExpired: boolean
  /** No copy that anyone can hold shows it: it counts in no sum. */
  readonly isDue: boolean
  /** It is the cutoffs of a subject, and no session's. */
  readonly isCutoff: boolean
}

/** What is set when a record is committed. */
export interface IndexChange extends IndexEntry {
  /** When it must be looked at next, milliseconds since the epoch. */
  readonly dueAt: number
  /** Whose session it is. */
  readonly subject: SubjectHash | undefined
}

/** Bits of a slot's state. */
export const FLAG = { used: 1, ended: 2, expired: 4, due: 8, corrupt: 16, cutoff: 32 } as const
