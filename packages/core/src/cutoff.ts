/** Cutoffs: "no session of this subject that was authenticated at or before this stamp lives, but for these". */
import { hash } from 'node:crypto'
import type { ByteReader, ByteWriter } from './bytes.js'
import type { Identity, SubjectHash } from './identity.js'
import { KEY_BYTES, type SessionKey } from './key.js'
import { END_REASONS, type EndReason } from './lifetime.js'
import { compareStamps, type Stamp } from './stamp.js'

export interface CutoffEntry {
  readonly stamp: Stamp
  readonly reason: EndReason
  /** Sessions that live on, in order. */
  readonly except: readonly SessionKey[]
  /** What it can end has expired by then, milliseconds since the epoch. */
  readonly horizon: number
}

/**
 * The cutoffs of a subject: a part of a tombstone under a key of its own, so that they travel, are compared and are purged as any end is.
 * None covers another; in the order of their stamps.
 */
export interface Cutoff {
  readonly subject: SubjectHash
  readonly entries: readonly CutoffEntry[]
}

/** Entries of a subject, from all regions. More than a few are there only where `endOthers` alternates between devices. */
const MAX_CUTOFF_ENTRIES = 1_024
/** A region adds none to so many. */
export const MAX_OWN_ENTRIES = 64
/** Sessions that a cutoff may leave alone. */
export const MAX_EXCEPT = 256

/** Where the cutoffs of a subject are: the key of no session, for it is no hash of an id. */
export const cutoffKey = (subject: SubjectHash): SessionKey =>
  hash('sha256', `sojourn cutoff of ${subject}`, 'hex').slice(0, 2 * KEY_BYTES)

const isCovered = (entry: CutoffEntry, by: CutoffEntry): boolean =>
  compareStamps(entry.stamp, by.stamp) <= 0 && by.except.every((key) => entry.except.includes(key))

/** What no other entry covers, and what can still end something when the latest one was made. */
const reduced = (entries: readonly CutoffEntry[]): CutoffEntry[] => {
  const distinct = new Map(entries.map((entry) => [textOf(entry), entry]))
  const all = [...distinct.values()].sort((a, b) => compareStamps(a.stamp, b.stamp) || compareText(a, b))
  const latest = all[all.length - 1]?.stamp.time ?? 0
  return all.filter(
    (entry, index) =>
      entry.horizon >= latest &&
      !all.some((by, place) => by !== entry && isCovered(entry, by) && (!isCovered(by, entry) || place > index)),
  )
}

const textOf = ({ stamp, reason, except, horizon }: CutoffEntry): string =>
  `${stamp.time}.${stamp.count}.${stamp.actor} ${reason} ${horizon} ${except.join(',')}`

const compareText = (a: CutoffEntry, b: CutoffEntry): number => {
  const [x, y] = [textOf(a), textOf(b)]
  return x < y ? -1 : x > y ? 1 : 0
}

/** The union, without what is covered. The very cutoff `a` where `b` adds nothing. */
export const joinCutoffs = (a: Cutoff | undefined, b: Cutoff | undefined): Cutoff | undefined => {
  if (a === undefined || b === undefined || a === b) return a ?? b
  // Of two subjects under one key, which no sound peer sends, all regions keep the same one.
  if (a.subject !== b.subject) return a.subject > b.subject ? a : b
  const joined: Cutoff = { subject: a.subject, entries: reduced([...a.entries, ...b.entries]) }
  return sameCutoff(joined, a) ? a : joined
}

export const sameCutoff = (a: Cutoff | undefined, b: Cutoff | undefined): boolean => cutoffText(a) === cutoffText(b)

/** For naming a state: empty where there is none. */
export const cutoffText = (cutoff: Cutoff | undefined): string =>
  cutoff === undefined ? '' : ` cutoff ${cutoff.subject} ${cutoff.entries.map(textOf).join(' ')}`

/** The entry that ends a session, the first one; undefined where it lives. */
export const cutBy = (
  cutoff: Cutoff | undefined,
  key: SessionKey,
  { identity }: { readonly identity?: Identity },
): CutoffEntry | undefined => {
  const { authentication } = identity ?? {}
  if (cutoff === undefined || authentication?.subject !== cutoff.subject) return undefined
  return cutoff.entries.find(
    ({ stamp, except }) => compareStamps(authentication.stamp, stamp) <= 0 && !except.includes(key),
  )
}

/** @param writeStamp as the record's codec writes stamps */
export const writeCutoff = (
  out: ByteWriter,
  { subject, entries }: Cutoff,
  writeStamp: (out: ByteWriter, stamp: Stamp) => ByteWriter,
): void => {
  out.hex(subject).uint(entries.length)
  for (const { stamp, reason, except, horizon } of entries) {
    writeStamp(out, stamp).u8(END_REASONS.indexOf(reason)).uint(horizon).uint(except.length)
    for (const key of except) out.hex(key)
  }
}

export const readCutoff = (from: ByteReader, readStamp: (from: ByteReader) => Stamp): Cutoff => {
  const subject = from.hex(KEY_BYTES)
  const entries: CutoffEntry[] = []
  for (let count = from.uint(MAX_CUTOFF_ENTRIES); count > 0; count--) {
    const stamp = readStamp(from)
    const reason = END_REASONS[from.u8()] ?? from.fail('an end has an unknown reason')
    const horizon = from.uint()
    const except: SessionKey[] = []
    for (let left = from.uint(MAX_EXCEPT); left > 0; left--) except.push(from.hex(KEY_BYTES))
    if (except.some((key, index) => index > 0 && except[index - 1]! >= key)) from.fail('exceptions are not in order')
    entries.push({ stamp, reason, except, horizon })
  }
  // What would be another state once it is joined with itself would never agree with anybody.
  if (entries.length === 0 || cutoffText({ subject, entries }) !== cutoffText({ subject, entries: reduced(entries) }))
    from.fail('cutoffs cover each other, or are not in order')
  return { subject, entries }
}

/** The cutoffs of a subject with one more. */
export const withCutoff = (before: Cutoff | undefined, subject: SubjectHash, entry: CutoffEntry): Cutoff => ({
  subject,
  entries: reduced([...(before?.entries ?? []), entry]),
})
