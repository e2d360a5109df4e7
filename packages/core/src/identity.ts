/** Whose session it is, and what opens it: the parts `authentication` and `credentials` of a record. */
import { ByteReader, ByteWriter } from './bytes.js'
import { type Credentials, joinCredentials, newCredentials } from './credentials.js'
import type { ActorId } from './document/op.js'
import { KEY_BYTES, type SecretHash } from './key.js'
import { isFarAhead } from './lifetime.js'
import type { Stamp } from './stamp.js'
import { compareStamps, nextStamp, stampText } from './stamp.js'

/** A subject as records name it: the first 16 bytes of an HMAC under a key of the cluster, as 32 hex digits. */
export type SubjectHash = string

/** Who logged in, when and how. The later stamp wins, as a whole, and with it go the absolute limit and the credentials. */
export interface Authentication {
  readonly stamp: Stamp
  /** Undefined: nobody logged in; only the device was named. */
  readonly subject: SubjectHash | undefined
  /** What is shown of it, encoded: see {@link Details}. Few ask for it. */
  readonly details: Uint8Array
}

/** What is shown of an authentication. */
export interface Details {
  /** The subject, sealed under a key of the cluster. */
  readonly sealedSubject: Uint8Array | undefined
  readonly device: string | undefined
  /** When it was proven who it is, milliseconds since the epoch. */
  readonly time: number
  /** Authentication context class and methods, as OpenID Connect and RFC 8176 name them. */
  readonly acr: string | undefined
  readonly amr: readonly string[]
  /** Where that was. */
  readonly region: string
}

export interface Identity {
  readonly authentication: Authentication | undefined
  /** Undefined: the id is one that middleware chose. */
  readonly credentials: Credentials | undefined
}

/** Longest texts, in bytes of UTF-8. A subject is sealed: see there. */
export const MAX_DEVICE_BYTES = 256
export const MAX_ACR_BYTES = 256
export const MAX_AMR = 16
export const MAX_AMR_BYTES = 64
/** The longest subject, in UTF-16 code units. */
export const MAX_SUBJECT_CHARS = 256
const MAX_SEALED_BYTES = 1_024
const MAX_REGION_BYTES = 256
const MAX_DETAILS_BYTES = 4_096

const writer = new ByteWriter(512)

export const encodeDetails = ({ sealedSubject, device, time, acr, amr, region }: Details): Uint8Array => {
  writer
    .bytes(sealedSubject ?? NOTHING)
    .text(device ?? '')
    .uint(time)
    .text(acr ?? '')
    .uint(amr.length)
  for (const method of amr) writer.text(method)
  return writer.text(region).finish()
}

const NOTHING = new Uint8Array(0)

/** @throws RECORD_INVALID */
export const decodeDetails = (bytes: Uint8Array): Details => {
  const from = new ByteReader(bytes, 'RECORD_INVALID')
  const sealed = from.bytes(MAX_SEALED_BYTES)
  const device = from.text(MAX_DEVICE_BYTES)
  const time = from.uint()
  const acr = from.text(MAX_ACR_BYTES)
  const amr: string[] = []
  for (let count = from.uint(MAX_AMR); count > 0; count--) amr.push(from.text(MAX_AMR_BYTES))
  const region = from.text(MAX_REGION_BYTES)
  from.end()
  return {
    sealedSubject: sealed.length > 0 ? sealed : undefined,
    device: device === '' ? undefined : device,
    time,
    acr: acr === '' ? undefined : acr,
    amr,
    region,
  }
}

/** After its stamp, which the record's codec writes like any other. */
export const writeAuthentication = (out: ByteWriter, { subject, details }: Authentication): ByteWriter => {
  out.u8(subject === undefined ? 0 : 1)
  if (subject !== undefined) out.hex(subject)
  return out.bytes(details)
}

export const readAuthentication = (from: ByteReader, stamp: Stamp): Authentication => {
  const subject = from.flag() ? from.hex(KEY_BYTES) : undefined
  // A copy, so that it does not keep the frame that it came in.
  const details = new Uint8Array(from.bytes(MAX_DETAILS_BYTES))
  decodeDetails(details)
  return { stamp, subject, details }
}

/** By the stamp. Equal stamps name one authentication; of forged ones the larger bytes win, everywhere. */
export const compareAuthentications = (a: Authentication | undefined, b: Authentication | undefined): number => {
  if (a === undefined || b === undefined) return Number(a !== undefined) - Number(b !== undefined)
  if (a === b) return 0
  return compareStamps(a.stamp, b.stamp) || compareText(a.subject, b.subject) || Buffer.compare(a.details, b.details)
}

const compareText = (a = '', b = ''): number => (a < b ? -1 : a > b ? 1 : 0)

/**
 * The later authentication, with its credentials; those of one authentication are joined. So a secret that was made before a login, in whatever
 * region, does not open what the login made.
 */
export const joinIdentities = (a: Identity | undefined, b: Identity | undefined): Identity | undefined => {
  if (a === b) return a
  const order = compareAuthentications(a?.authentication, b?.authentication)
  if (order !== 0) return order > 0 ? a : b
  const credentials = joinCredentials(a?.credentials, b?.credentials)
  if (a && credentials === a.credentials) return a
  if (b && credentials === b.credentials) return b
  return { authentication: a?.authentication, credentials }
}

export const sameIdentity = (a: Identity | undefined, b: Identity | undefined): boolean =>
  a === b ||
  (compareAuthentications(a?.authentication, b?.authentication) === 0 &&
    Buffer.compare(a?.credentials ?? NOTHING, b?.credentials ?? NOTHING) === 0)

const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? NOTHING).toString('hex')

/** For naming a state: empty where there is none. */
export const identityText = (identity: Identity | undefined): string => {
  if (identity === undefined) return ''
  const { authentication, credentials } = identity
  const { stamp, subject = '', details } = authentication ?? {}
  const named = stamp ? `${stampText(stamp)} ${subject} ${hex(details)}` : ''
  return ` identity ${named} ${hex(credentials)}`
}

/** What a login, or a creation, says of who it is. */
export interface NewIdentity {
  /** Undefined: the id has none. */
  readonly secret: SecretHash | undefined
  /** Undefined: nobody is named. */
  readonly authentication: Authentication | undefined
}

/**
 * @param before the stamp of the last authentication: the next one is later, also where the last one came meanwhile. Not so after one from a wrong
 * clock, which no other region takes
 */
export const newIdentity = (
  { secret, authentication }: NewIdentity,
  before: Stamp | undefined,
  now: number,
  actor: ActorId,
): Identity | undefined => {
  if (secret === undefined && authentication === undefined) return undefined
  const overtaken =
    authentication && before && compareStamps(before, authentication.stamp) >= 0 && !isFarAhead({ stamp: before }, now)
  return {
    authentication: overtaken ? { ...authentication, stamp: nextStamp(before, now, actor) } : authentication,
    credentials: secret === undefined ? undefined : newCredentials(secret, now),
  }
}
