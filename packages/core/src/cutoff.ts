/** Cutoffs: "no session of this subject that was authenticated at or before this stamp lives, but for these". */
import { hash } from 'node:crypto'
import type { ByteReader, ByteWriter } from './bytes.js'
import type { Identity, SubjectHash } from './identity.js'
import { KEY_BYTES, type SessionKey } from './key.js'
import { END_REASONS, type EndReason } from './lifetime.js'
import { compareStamps, type Stamp, stampText } from './stamp.js'

/** A session that lives on. */
export interface Exception {
  readonly key: SessionKey
  /**
   * When it was authenticated last, as far as who made the cutoff knew: a cutoff of before has nothing to say of it. Undefined: nobody knew the
   * session there.
   */
  readonly since: Stamp | undefined
}

export interface CutoffEntry {
  readonly stamp: Stamp
  readonly reason: EndReason
  /** In the order of their keys. */
  readonly except: readonly Exception[]
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

/** Entries of a subject, from all regions. More than a few are there only where each has exceptions that nobody knew. */
const MAX_CUTOFF_ENTRIES = 1_024
/** A region makes no more of them. */
export const MAX_OWN_ENTRIES = 64
/** Sessions that a cutoff may leave alone. */
export const MAX_EXCEPT = 256

/** Where the cutoffs of a subject are: the key of no session, for it is no hash of an id. */
export const cutoffKey = (subject: SubjectHash): SessionKey =>
  hash('sha256', `sojourn cutoff of ${subject}`, 'hex').slice(0, 2 * KEY_BYTES)

/** Whether an entry ends all that another one does. Transitive, so that it does not matter in which order they meet. */
const isCovered = (entry: CutoffEntry, by: CutoffEntry): boolean =>
  entry.horizon <= by.horizon &&
  compareStamps(entry.stamp, by.stamp) <= 0 &&
  by.except.every((exception) => isSparedBy(entry, exception))

/** Whether an entry does not end a session either: it was authenticated later, or is an exception there. */
const isSparedBy = ({ stamp, except }: CutoffEntry, { key, since }: Exception): boolean => {
  if (since && compareStamps(since, stamp) > 0) return true
  const own = except.find((each) => each.key === key)
  return own !== undefined && (own.since === undefined || (since !== undefined && compareStamps(since, own.since) >= 0))
}

/** What no other entry covers, and what can still end something when the latest one was made. */
const reduced = (entries: readonly CutoffEntry[]): CutoffEntry[] => {
  const distinct = new Map(entries.map((entry) => [textOf(entry), entry]))
  const all = [...distinct.values()].sort((a, b) => compareStamps(a.stamp, b.stamp) || compareText(a, b))
  const latest = Math.max(0, ...all.map(({ stamp }) => stamp.time))
  return all.filter(
    (entry, index) =>
      entry.horizon >= latest &&
      !all.some((by, place) => by !== entry && isCovered(entry, by) && (!isCovered(by, entry) || place > index)),
  )
}

const textOf = ({ stamp, reason, except, horizon }: CutoffEntry): string =>
  `${stampText(stamp)} ${reason} ${horizon} ${except.map(({ key, since }) => key + (since ? `@${stampText(since)}` : '')).join(',')}`

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
    ({ stamp, except }) => compareStamps(authentication.stamp, stamp) <= 0 && !except.some((each) => each.key === key),
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
    for (const { key, since } of except) {
      out.hex(key).u8(since ? 1 : 0)
      if (since) writeStamp(out, since)
    }
  }
}

export const readCutoff = (from: ByteReader, readStamp: (from: ByteReader) => Stamp): Cutoff => {
  const subject = from.hex(KEY_BYTES)
  const entries: CutoffEntry[] = []
  for (let count = from.uint(MAX_CUTOFF_ENTRIES); count > 0; count--) {
    const stamp = readStamp(from)
    const reason = END_REASONS[from.u8()] ?? from.fail('an end has an unknown reason')
    const horizon = from.uint()
    const except: Exception[] = []
    for (let left = from.uint(MAX_EXCEPT); left > 0; left--) except.push(readException(from, readStamp))
    if (except.some(({ key }, index) => index > 0 && except[index - 1]!.key >= key))
      from.fail('exceptions are not in order')
    entries.push({ stamp, reason, except, horizon })
  }
  // What would be another state once it is joined with itself would never agree with anybody.
  if (entries.length === 0 || cutoffText({ subject, entries }) !== cutoffText({ subject, entries: reduced(entries) }))
    from.fail('cutoffs cover each other, or are not in order')
  return { subject, entries }
}

const readException = (from: ByteReader, readStamp: (from: ByteReader) => Stamp): Exception => {
  const key = from.hex(KEY_BYTES)
  return { key, since: from.flag() ? readStamp(from) : undefined }
}

/** The cutoffs of a subject with one more. */
export const withCutoff = (before: Cutoff | undefined, subject: SubjectHash, entry: CutoffEntry): Cutoff => ({
  subject,
  entries: reduced([...(before?.entries ?? []), entry]),
})
