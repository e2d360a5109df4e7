/** The data keys of an open store: which one seals, how often it may, and when the next one is made. */
import { createSecretKey } from 'node:crypto'
import type { Random, Rows } from '@sojourn/core/internal'
import { SojournError } from '@sojourn/core/internal'
import { KEY_BYTES, NONCE_BYTES, openBytes, sealBytes } from './aes-gcm.js'
import { type DataKey, dataKeyWrites, unwrap, type WrappedKey, wrap } from './data-key-row.js'
import type { Ring } from './key-ring.js'

/**
 * Nonces are random, 96 bits: a directory that was restored or copied goes on under the same data key, and a counter would give its numbers
 * again, for other bytes. Among 2^31 random ones two are equal with a chance of 2^-35; NIST allows 2^-32 (SP 800-38D, 8.3).
 */
const MAX_SEALS = 2 ** 31

/**
 * Seals that are noted as used before the first of them is: a crash loses what was not used, and never counts too little. So a data key lasts
 * for 512 openings; at 10,000 seals a second one note is written in seven minutes.
 */
const RESERVED_SEALS = 2 ** 22

/** Nonces that are drawn at a time: they are no secret, so they need not be copied out of what was drawn. */
const NONCES_DRAWN = 256

/** Of a value: the number of its data key, big endian. */
const NUMBER_BYTES = 4

/** How often data keys seal. Tests of their rolling set it. */
export interface SealLimits {
  /** Rows and entries that one data key seals. Default: 2^31. */
  readonly maxSeals?: number | undefined
  /** How many of them are noted at a time. Default: 2^22. */
  readonly reservedSeals?: number | undefined
}

export interface DataKeysOptions extends SealLimits {
  readonly rows: Rows
  readonly random: Random
}

/** Which keys a store is sealed with. */
export interface KeysInUse {
  /** The id of the ring's key that wraps the data key in use. */
  readonly active: string
  /** Ids of the ring's keys that are needed to open the store. */
  readonly ringKeys: readonly string[]
  readonly dataKeys: number
}

export class DataKeys {
  readonly #rows: Rows
  readonly #random: Random
  readonly #maxSeals: number
  readonly #reservedSeals: number
  #ring: Ring
  /** As the row has them, or is about to. The last one is in use. */
  #keys: readonly DataKey[]
  readonly #byNumber = new Map<number, DataKey>()
  /** The number of the data key in use, as it stands before what it seals. */
  #prefix = Buffer.alloc(NUMBER_BYTES)
  #nonces: Uint8Array = new Uint8Array(0)
  #noncesUsed = 0
  /** Seals that are noted and not used. */
  #left = 0
  /** The next note is begun when fewer are left. */
  #lowWater: number
  /** The last change of the row: one comes after the other. */
  #changing: Promise<void> = Promise.resolve()
  #reserving: Promise<void> | undefined

  private constructor(ring: Ring, keys: readonly DataKey[], options: DataKeysOptions) {
    const { rows, random, maxSeals = MAX_SEALS, reservedSeals = RESERVED_SEALS } = options
    this.#rows = rows
    this.#random = random
    this.#maxSeals = maxSeals
    this.#reservedSeals = reservedSeals
    this.#lowWater = reservedSeals / 2
    this.#ring = ring
    this.#keys = keys
    this.#take(keys)
  }

  /**
   * Writes nothing: rows are scanned before the first write. What is needed for the first seal, {@link ready} writes.
   * @param held the store's, as {@link readDataKeys} gives them; none: it is new
   * @throws ENCRYPTION_KEY
   */
  static async open(ring: Ring, held: readonly WrappedKey[], options: DataKeysOptions): Promise<DataKeys> {
    // Of a new data key, too, before anything is written: an active key that is missing is refused when the store is opened.
    await ring.key(ring.active)
    const keys: DataKey[] = []
    for (const each of held) keys.push(await unwrap(ring, each))
    return new DataKeys(ring, keys, options)
  }

  /** Undefined where `count` may be sealed at once; else resolves when more may. @throws STORE_FAILED */
  ready(count: number): Promise<void> | undefined {
    if (this.#left < count) return this.#reserve(count)
    if (this.#left < this.#lowWater && this.#reserving === undefined)
      this.#reserve(count).catch(() => {
        // It is tried again before the rest is used.
        this.#lowWater = this.#left - this.#reservedSeals / 16
      })
    return undefined
  }

  #reserve(count: number): Promise<void> {
    this.#reserving ??= this.#change(() => this.#reserved(Math.max(count, this.#reservedSeals))).finally(() => {
      this.#reserving = undefined
    })
    return this.#reserving
  }

  async #reserved(more: number): Promise<void> {
    const last = this.#keys.at(-1)
    const isSpent = last === undefined || last.ring !== this.#ring.active || last.reserved + more > this.#maxSeals
    if (isSpent) return this.#begin(this.#keys, more)
    const reserved = last.reserved + more
    await this.#note([...this.#keys.slice(0, -1), await this.#wrapped(last, reserved)], () => this.#left + more)
    this.#lowWater = this.#reservedSeals / 2
  }

  /** Makes a data key behind others, and goes on with it. */
  async #begin(others: readonly DataKey[], reserved: number): Promise<void> {
    const key = createSecretKey(this.#random.bytes(KEY_BYTES))
    const about = { number: (others.at(-1)?.number ?? 0) + 1, reserved }
    await this.#note([...others, await wrap(this.#ring, this.#random, about, key)], () => reserved)
    this.#lowWater = this.#reservedSeals / 2
  }

  #wrapped({ number, key }: DataKey, reserved: number): Promise<DataKey> {
    return wrap(this.#ring, this.#random, { number, reserved }, key)
  }

  /** @param left how many seals the last key has then: it changes with the key, in one turn */
  async #note(keys: readonly DataKey[], left = () => this.#left): Promise<void> {
    await this.#rows.write(dataKeyWrites(keys), true)
    this.#left = left()
    this.#take(keys)
  }

  #take(keys: readonly DataKey[]): void {
    this.#keys = keys
    this.#byNumber.clear()
    for (const each of keys) this.#byNumber.set(each.number, each)
    this.#prefix = Buffer.alloc(NUMBER_BYTES)
    this.#prefix.writeUInt32BE(this.#number)
  }

  #change(change: () => Promise<void>): Promise<void> {
    const changing = this.#changing.then(change)
    this.#changing = changing.catch(() => {})
    return changing
  }

  get #number(): number {
    return this.#keys.at(-1)?.number ?? 0
  }

  /** Only what {@link ready} lets through. */
  seal(place: Uint8Array, body: Uint8Array): Buffer {
    const last = this.#keys.at(-1)
    if (last === undefined || this.#left < 1)
      throw new SojournError('STORE_FAILED', 'the store could not note that it seals more. Is its disk full?')
    this.#left--
    return sealBytes(last.key, this.#nonce(), place, body, this.#prefix)
  }

  #nonce(): Uint8Array {
    if (this.#noncesUsed === this.#nonces.length) {
      this.#nonces = this.#random.bytes(NONCES_DRAWN * NONCE_BYTES)
      this.#noncesUsed = 0
    }
    const start = this.#noncesUsed
    this.#noncesUsed += NONCE_BYTES
    return this.#nonces.subarray(start, this.#noncesUsed)
  }

  /** Undefined where it is not what was sealed for this place. */
  open(place: Uint8Array, sealed: Uint8Array): Buffer | undefined {
    if (sealed.length < NUMBER_BYTES) return undefined
    const key = this.#byNumber.get(numberOf(sealed))
    return key && openBytes(key.key, place, sealed.subarray(NUMBER_BYTES))
  }

  /** Whether bytes were sealed with the data key in use. */
  isCurrent(sealed: Uint8Array): boolean {
    return sealed.length >= NUMBER_BYTES && numberOf(sealed) === this.#number
  }

  /** Whether other data keys, or another key of the ring, are in use beside the ones for what is new. */
  get hasOld(): boolean {
    return this.#keys.length > 1 || (this.#keys.length === 1 && this.#keys[0]!.ring !== this.#ring.active)
  }

  get inUse(): KeysInUse {
    const ringKeys = [...new Set(this.#keys.map(({ ring }) => ring))]
    return { active: this.#ring.active, ringKeys, dataKeys: this.#keys.length }
  }

  /**
   * Wraps every data key with the active key of a ring, which from now on is the only one needed, and begins a new data key.
   * @param ring undefined: the one that there is
   * @throws ENCRYPTION_KEY, STORE_FAILED; then all is as it was
   */
  renew(ring?: Ring): Promise<void> {
    return this.#change(async () => {
      const before = this.#ring
      this.#ring = ring ?? before
      try {
        const old: DataKey[] = []
        for (const each of this.#keys) old.push(await this.#wrapped(each, each.reserved))
        await this.#begin(old, this.#reservedSeals)
      } catch (error) {
        this.#ring = before
        throw error
      }
    })
  }

  /** Forgets all data keys before the one of a number: nothing that is needed is sealed with them any more. @throws STORE_FAILED */
  forgetBefore(number: number): Promise<void> {
    return this.#change(() => this.#note(this.#keys.filter((each) => each.number >= number)))
  }

  /** Resolves when nothing is being noted any more. */
  idle(): Promise<void> {
    return this.#changing
  }

  /** The number of the data key in use. */
  get current(): number {
    return this.#number
  }
}

const numberOf = (sealed: Uint8Array): number =>
  ((sealed[0]! << 24) | (sealed[1]! << 16) | (sealed[2]! << 8) | sealed[3]!) >>> 0
