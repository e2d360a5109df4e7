/** The seal of a backup: a key of its own, wrapped by the active key of a ring, seals each chunk for its place. */
import { createSecretKey } from 'node:crypto'
import { type Random, SojournError } from '@sojourn/core/internal'
import { type Encryption, KEY_BYTES, keyRefused, NONCE_BYTES, openBytes, Ring, sealBytes } from '@sojourn/store/keys'

/** What a backup says of its seal, in clear. */
export interface SealHeader {
  /** The id of the ring's key that wraps the key of this backup. */
  readonly key: string
  /** That key, wrapped; base64url. */
  readonly wrapped: string
}

/** What the wrapped key belongs to: a backup's header cannot be put before another one's chunks. */
export interface SealedAbout {
  readonly region: string
  readonly takenAt: number
  readonly version: string
}

const PLACE_BYTES = 17

/** Chunks are numbered, and their end says how many rows there are. */
const placeOf = (what: 'chunk' | 'end', index: number, rows = 0): Buffer => {
  const place = Buffer.alloc(PLACE_BYTES)
  place[0] = what === 'chunk' ? 0x63 : 0x65
  place.writeBigUInt64BE(BigInt(index), 1)
  place.writeBigUInt64BE(BigInt(rows), 9)
  return place
}

const headerPlace = (key: string, { region, takenAt, version }: SealedAbout): Buffer =>
  Buffer.from(JSON.stringify(['sojourn backup', 2, region, takenAt, version, key]))

const EMPTY = Buffer.alloc(0)

/** Seals, or opens, the chunks of one backup, in their order. */
export class BackupSeal {
  readonly header: SealHeader
  readonly #key: ReturnType<typeof createSecretKey>
  /** Chunks until now: the nonce of the next one, whose key seals nothing else. */
  #index = 0

  private constructor(header: SealHeader, key: Uint8Array) {
    this.header = header
    this.#key = createSecretKey(key)
  }

  /** Of a new backup. @throws ENCRYPTION_KEY */
  static async begin(encryption: Encryption, random: Random, about: SealedAbout): Promise<BackupSeal> {
    const ring = new Ring(encryption)
    const key = random.bytes(KEY_BYTES)
    const place = headerPlace(ring.active, about)
    const wrapped = sealBytes(await ring.key(ring.active), random.bytes(NONCE_BYTES), place, key)
    return new BackupSeal({ key: ring.active, wrapped: wrapped.toString('base64url') }, key)
  }

  /** Of a backup that is read. @throws ENCRYPTION_KEY */
  static async open(encryption: Encryption | undefined, header: SealHeader, about: SealedAbout): Promise<BackupSeal> {
    const id = JSON.stringify(header.key)
    if (encryption === undefined)
      throw keyRefused(`the backup is encrypted, and no key ring was given. Give the encryption key ${id}`)
    const wrapped = Buffer.from(header.wrapped, 'base64url')
    const key = openBytes(await new Ring(encryption).key(header.key), headerPlace(header.key, about), wrapped)
    if (key?.length !== KEY_BYTES)
      throw keyRefused(
        `key ${id} of the key ring is not the one that the backup was sealed with, or its header was altered`,
      )
    return new BackupSeal(header, key)
  }

  #nonce(): Buffer {
    const nonce = Buffer.alloc(NONCE_BYTES)
    nonce.writeUIntBE(this.#index, NONCE_BYTES - 6, 6)
    return nonce
  }

  seal(chunk: Uint8Array): Buffer {
    const sealed = sealBytes(this.#key, this.#nonce(), placeOf('chunk', this.#index), chunk)
    this.#index++
    return sealed
  }

  /** @throws STORE_CORRUPT where it is not the chunk that was sealed for this place */
  unseal(chunk: Uint8Array): Buffer {
    return openBytes(this.#key, placeOf('chunk', this.#index++), chunk) ?? altered()
  }

  /** What stands after the last chunk. */
  end(rows: number): Buffer {
    return sealBytes(this.#key, this.#nonce(), placeOf('end', this.#index, rows), EMPTY)
  }

  /** @throws STORE_CORRUPT where chunks were cut off */
  checkEnd(rows: number, end: Uint8Array): void {
    if (openBytes(this.#key, placeOf('end', this.#index, rows), end) === undefined) altered()
  }
}

const altered = (): never => {
  throw new SojournError('STORE_CORRUPT', 'the backup is damaged: a part of it was altered, moved or cut off')
}
