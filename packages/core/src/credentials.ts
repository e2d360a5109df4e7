/** The secrets that open a session, as hashes: each opens it until it is superseded, and for a grace after that. */
import { KEY_BYTES, type SecretHash } from './key.js'

/**
 * Sixteen bytes of hash, when it was added, and until when it opens the session (0: nobody has superseded it), as doubles, little endian. One
 * after the other, by the time and then the hash. They stay bytes: most sessions have one, and are read far more often than it changes.
 */
export type Credentials = Uint8Array

const ADDED = KEY_BYTES
const UNTIL = ADDED + 8
const UNTIL_BYTES = 8
const ENTRY_BYTES = UNTIL + UNTIL_BYTES

/**
 * Of the secrets that a session has had, so many are remembered: those that were added last. An older one is refused like one that never was,
 * and is not reported as reused.
 */
const MAX_CREDENTIALS = 32

interface Credential {
  readonly secret: SecretHash
  /** Milliseconds since the epoch. */
  readonly added: number
  /** Milliseconds since the epoch; 0: it is not superseded. */
  readonly until: number
}

const compareCredentials = (a: Credential, b: Credential): number =>
  a.added - b.added || (a.secret < b.secret ? -1 : a.secret > b.secret ? 1 : 0)

const decode = (credentials: Credentials): Credential[] => {
  const from = Buffer.from(credentials.buffer, credentials.byteOffset, credentials.byteLength)
  const out: Credential[] = []
  for (let at = 0; at < from.length; at += ENTRY_BYTES)
    out.push({
      secret: from.toString('hex', at, at + KEY_BYTES),
      added: from.readDoubleLE(at + ADDED),
      until: from.readDoubleLE(at + UNTIL),
    })
  return out
}

/** The latest of them, in memory of their own. */
const encode = (all: readonly Credential[]): Credentials => {
  const kept = [...all].sort(compareCredentials).slice(-MAX_CREDENTIALS)
  const out = Buffer.from(new ArrayBuffer(kept.length * ENTRY_BYTES))
  for (const [index, { secret, added, until }] of kept.entries()) {
    const at = index * ENTRY_BYTES
    out.write(secret, at, KEY_BYTES, 'hex')
    out.writeDoubleLE(added, at + ADDED)
    out.writeDoubleLE(until, at + UNTIL)
  }
  return new Uint8Array(out.buffer)
}

/** What is wrong with bytes that are said to be credentials. On the bytes: it is asked of each record that comes from a peer or a disk. */
export const credentialsFault = (bytes: Uint8Array): string | undefined => {
  const count = bytes.length / ENTRY_BYTES
  if (!Number.isInteger(count) || count === 0 || count > MAX_CREDENTIALS) return 'credentials have a wrong length'
  const from = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = 0; at < from.length; at += ENTRY_BYTES) {
    const added = from.readDoubleLE(at + ADDED)
    if (!isTime(added) || !isTime(from.readDoubleLE(at + UNTIL))) return 'a credential has a wrong time'
    for (let other = 0; other < at; other += ENTRY_BYTES)
      if (compareHashes(from, other, at) === 0) return 'a credential appears twice'
    if (at === 0) continue
    // In no order but this one: equal states are equal bytes.
    const before = at - ENTRY_BYTES
    const order = from.readDoubleLE(before + ADDED) - added || compareHashes(from, before, at)
    if (order >= 0) return 'credentials are not in order'
  }
  return undefined
}

/** -0 is another number in bytes, and the same in any comparison. */
const isTime = (time: number): boolean => Number.isSafeInteger(time) && time >= 0 && !Object.is(time, -0)

const compareHashes = (bytes: Buffer, a: number, b: number): number =>
  bytes.compare(bytes, b, b + KEY_BYTES, a, a + KEY_BYTES)

export const newCredentials = (secret: SecretHash, now: number): Credentials =>
  encode([{ secret, added: now, until: 0 }])

/** `reused`: the secret was superseded, and its grace is over. */
export type Opening = 'open' | 'unknown' | 'reused'

/**
 * Whether a secret opens a session at `now`. The hashes are compared in constant time, all of them.
 * @param secret undefined: of an id that has none
 */
export const opening = (credentials: Credentials | undefined, secret: SecretHash | undefined, now: number): Opening => {
  if (credentials === undefined || secret === undefined) return credentials === secret ? 'open' : 'unknown'
  for (let byte = 0; byte < KEY_BYTES; byte++)
    SHOWN[byte] = (nibble(secret.charCodeAt(2 * byte)) << 4) | nibble(secret.charCodeAt(2 * byte + 1))
  let found = -1
  for (let at = 0; at < credentials.length; at += ENTRY_BYTES) if (differenceAt(credentials, at) === 0) found = at
  if (found < 0) return 'unknown'
  for (let byte = 0; byte < UNTIL_BYTES; byte++) SHOWN[byte] = credentials[found + UNTIL + byte]!
  const until = SHOWN.readDoubleLE(0)
  return until === 0 || now < until ? 'open' : 'reused'
}

/** What is compared: it stands here, so that a read of a session makes no garbage. */
const SHOWN = Buffer.alloc(KEY_BYTES)

/** The value of a lower-case hex digit. */
const nibble = (code: number): number => code - (code < 0x3a ? 0x30 : 0x57)

/** 0 where the hash at a place is the one that was shown. Looks at all of it, whatever it finds: in constant time. */
const differenceAt = (credentials: Credentials, at: number): number => {
  let difference = 0
  for (let byte = 0; byte < KEY_BYTES; byte++) difference |= credentials[at + byte]! ^ SHOWN[byte]!
  return difference
}

/**
 * From when on a secret that opens a session does not do so any more, milliseconds since the epoch; undefined: nobody has superseded it.
 * @param secretOf asked only where some secret of the session was superseded, which is seldom
 */
export const opensUntil = (
  credentials: Credentials | undefined,
  secretOf: () => SecretHash | undefined,
): number | undefined => {
  if (credentials === undefined || !someSuperseded(credentials)) return undefined
  const secret = secretOf()
  const found = decode(credentials).find((each) => each.secret === secret)
  return found === undefined || found.until === 0 ? undefined : found.until
}

const someSuperseded = (credentials: Credentials): boolean => {
  for (let at = UNTIL; at < credentials.length; at += ENTRY_BYTES)
    for (let byte = at; byte < at + UNTIL_BYTES; byte++) if (credentials[byte] !== 0) return true
  return false
}

/** The credentials after the secret `shown` was superseded by `next`: it opens the session for another `graceMs`, and no longer than it did. */
export const supersede = (
  credentials: Credentials,
  shown: SecretHash,
  next: SecretHash,
  now: number,
  graceMs: number,
): Credentials => {
  // A place of 0 would mean that nobody has superseded it.
  const until = Math.max(1, now + graceMs)
  const before = decode(credentials)
  const latest = before.reduce((time, { added }) => Math.max(time, added), 0)
  return encode([
    ...before.map((each) => (each.secret === shown ? { ...each, until: sooner(each.until, until) } : each)),
    // Later than what it supersedes, whatever the clock says: who is dropped is older.
    { secret: next, added: Math.max(now, latest + 1), until: 0 },
  ])
}

/** The sooner of two ends, of which 0 is none. */
const sooner = (a: number, b: number): number => (a === 0 ? b : b === 0 ? a : Math.min(a, b))

/**
 * The union: superseded is who is superseded in one of them. Associative, commutative and idempotent, though only the latest are kept: what is
 * dropped is older than so many others, and stays so in every union with them.
 */
export const joinCredentials = (a: Credentials | undefined, b: Credentials | undefined): Credentials | undefined => {
  if (a === undefined || b === undefined) return a ?? b
  if (Buffer.compare(a, b) === 0) return a
  const joined = new Map(decode(a).map((each) => [each.secret, each]))
  for (const theirs of decode(b)) {
    const ours = joined.get(theirs.secret)
    joined.set(
      theirs.secret,
      ours
        ? {
            secret: ours.secret,
            added: Math.min(ours.added, theirs.added),
            until: sooner(ours.until, theirs.until),
          }
        : theirs,
    )
  }
  const out = encode([...joined.values()])
  return Buffer.compare(out, a) === 0 ? a : out
}
