/** The row of a store's data keys: each wrapped by a key of the ring, whose id it names in clear (SPEC, "Encryption"). */
import { createSecretKey, type KeyObject } from 'node:crypto'
import { ByteReader, ByteWriter, type Random, type Rows, type RowWrite, SojournError } from '@sojourn/core/internal'
import { DATA_KEY_ROWS, seal, unseal } from '../record-row.js'
import { KEY_BYTES, NONCE_BYTES, openBytes, SEAL_BYTES, sealBytes } from './aes-gcm.js'
import { isKeyId, keyRefused, type Ring } from './key-ring.js'

/** The version of everything that is sealed. */
const SEAL_FORMAT = 1

const WRAPPED_BYTES = KEY_BYTES + SEAL_BYTES
const MAX_ID_BYTES = 64

/** A data key as its row has it. */
export interface WrappedKey {
  /** Counts from 1. */
  readonly number: number
  /** The id of the key of the ring that wraps it. */
  readonly ring: string
  /** Rows and entries that it may have sealed: more is noted here before more is sealed. */
  readonly reserved: number
  readonly wrapped: Uint8Array
}

/** A data key that can be used. */
export interface DataKey extends WrappedKey {
  readonly key: KeyObject
}

/** What a wrapped key belongs to: neither its number, nor its ring's key, nor its count can be exchanged. */
const placeOf = ({ number, ring, reserved }: Omit<WrappedKey, 'wrapped'>): Uint8Array =>
  new ByteWriter().text('sojourn data key').uint(SEAL_FORMAT).uint(number).text(ring).uint(reserved).finish()

/** @throws ENCRYPTION_KEY */
export const wrap = async (
  ring: Ring,
  random: Random,
  about: { readonly number: number; readonly reserved: number },
  key: KeyObject,
): Promise<DataKey> => {
  const named = { ...about, ring: ring.active }
  const wrapped = sealBytes(await ring.key(ring.active), random.bytes(NONCE_BYTES), placeOf(named), key.export())
  return { ...named, wrapped, key }
}

/** @throws ENCRYPTION_KEY */
export const unwrap = async (ring: Ring, from: WrappedKey): Promise<DataKey> => {
  const bytes = openBytes(await ring.key(from.ring), placeOf(from), from.wrapped)
  if (bytes === undefined)
    throw keyRefused(`key ${JSON.stringify(from.ring)} of the key ring is not the one that the store was sealed with`)
  return { ...from, key: createSecretKey(bytes) }
}

const encode = (keys: readonly WrappedKey[]): Uint8Array => {
  const out = new ByteWriter().uint(SEAL_FORMAT).uint(keys.length)
  for (const { number, ring, reserved, wrapped } of keys) out.uint(number).text(ring).uint(reserved).raw(wrapped)
  return out.finish()
}

/** @throws STORE_FORMAT, STORE_CORRUPT */
const decode = (body: Uint8Array): WrappedKey[] => {
  const from = new ByteReader(body, 'STORE_CORRUPT')
  const format = from.uint()
  if (format !== SEAL_FORMAT)
    throw new SojournError('STORE_FORMAT', `the store is sealed by format ${format}; this version reads ${SEAL_FORMAT}`)
  const keys: WrappedKey[] = []
  for (let count = from.uint(from.left); count > 0; count--) {
    const named = { number: from.uint(), ring: from.text(MAX_ID_BYTES), reserved: from.uint() }
    if (!isKeyId(named.ring)) from.fail('a data key names no key of a ring')
    keys.push({ ...named, wrapped: from.raw(WRAPPED_BYTES) })
  }
  return keys
}

/**
 * The data keys of a store; undefined where it has none: it is in the clear, or new.
 * @throws STORE_CORRUPT where both copies of the row are corrupt; STORE_FORMAT
 */
export const readDataKeys = async (rows: Pick<Rows, 'get'>): Promise<readonly WrappedKey[] | undefined> => {
  let isThere = false
  for (const key of DATA_KEY_ROWS) {
    const given = rows.get(key)
    const row = given instanceof Promise ? await given : given
    isThere ||= row !== undefined
    const body = row && unseal(key, row)
    if (body) return decode(body)
  }
  if (!isThere) return undefined
  throw new SojournError(
    'STORE_CORRUPT',
    'the data keys of the store are corrupt, and without them nobody can read it. Move its directory away. The peers fill a new one',
  )
}

/** The writes that note the data keys of a store. */
export const dataKeyWrites = (keys: readonly WrappedKey[]): RowWrite[] => {
  const body = encode(keys)
  return DATA_KEY_ROWS.map((key) => ({ type: 'put', key, value: seal(key, body) }))
}
