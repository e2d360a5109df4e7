/** Files that are encrypted for holders of `age` identities: on the way to the disk, and decrypted on the way from it. */
import { SojournError } from '@sojourn/core/internal'
import { readText } from '@sojourn/net'
import { keyRefused } from '@sojourn/store/keys'
import type { Decrypter, Encrypter } from 'age-encryption'

type Bytes = AsyncIterable<Uint8Array>

/** The first bytes of every file that `age` wrote, unless it is armored. */
const MAGIC = Buffer.from('age-encryption.org/v1\n')
/** Of an armored one, which is text. It cannot be decrypted piece by piece. */
const ARMOR = Buffer.from('-----BEGIN AGE ')
/** A recipient takes about 150 bytes of a header, one that is safe from quantum computers about 1,700. */
const MAX_HEADER_BYTES = 1024 * 1024

/** Early releases of Node 20 say so once; the library uses it where it is there, and who runs a command can do nothing about it. */
const X25519_WARNING = /\bX25519\b.* experimental/

const hushX25519 = (): void => {
  const warn = process.emitWarning
  process.emitWarning = (warning: string | Error, ...rest: unknown[]): void => {
    if (!X25519_WARNING.test(String(warning))) Reflect.apply(warn, process, [warning, ...rest])
  }
}

let library: Promise<typeof import('age-encryption')> | undefined

/** The library is read where it is needed: every other command starts without it. */
const loadAge = (): Promise<typeof import('age-encryption')> => {
  if (library === undefined) hushX25519()
  library ??= import('age-encryption')
  return library
}

/** The lines of a file that say something, as `age` reads them, each with its number. */
const linesOf = (path: string, flag: string): { readonly line: string; readonly number: number }[] =>
  readText(path, flag)
    .split(/\r?\n/)
    .map((line, index) => ({ line: line.trim(), number: index + 1 }))
    .filter(({ line }) => line !== '' && !line.startsWith('#'))

/** What was given is not repeated, nor is the library's error, which may quote it: it may be an identity, also by mistake. */
const refused = (flag: string, where: string, allowed: string): SojournError =>
  new SojournError('INVALID_OPTION', `${flag}: ${where}. Give ${allowed}`, { option: flag.slice(2) })

const RECIPIENT = 'public keys of age, such as age1…, which `age-keygen` shows'
const IDENTITY = 'a file of age identities (AGE-SECRET-KEY-1…), which `age-keygen` writes'

/** Who can open what is encrypted. */
export class AgeRecipients {
  /** How many, 1 or more. */
  readonly count: number
  readonly #encrypter: Encrypter

  private constructor(encrypter: Encrypter, count: number) {
    this.#encrypter = encrypter
    this.count = count
  }

  /**
   * @param keys public keys, `age1…`
   * @param files with such keys, one a line; lines that begin with `#` are remarks
   * @returns undefined where neither was given
   * @throws INVALID_OPTION
   */
  static async of(keys: readonly string[] = [], files: readonly string[] = []): Promise<AgeRecipients | undefined> {
    if (keys.length + files.length === 0) return undefined
    const { Encrypter } = await loadAge()
    const encrypter = new Encrypter()
    const all = keys.map((key, index) => ({ key, flag: '--age-recipient', where: `value ${index + 1}` }))
    for (const file of files) {
      const flag = '--age-recipients-file'
      const lines = linesOf(file, flag)
      if (lines.length === 0) throw refused(flag, `${file} holds no key`, RECIPIENT)
      all.push(...lines.map(({ line, number }) => ({ key: line, flag, where: `line ${number} of ${file}` })))
    }
    for (const { key, flag, where } of all)
      try {
        // A key can be well formed and no point that encrypts; the library finds that out when it uses it.
        const probe = new Encrypter()
        probe.addRecipient(key)
        await probe.encrypt(new Uint8Array())
        encrypter.addRecipient(key)
      } catch {
        throw refused(flag, `${where} is no public key of age`, RECIPIENT)
      }
    return new AgeRecipients(encrypter, all.length)
  }

  /** Encrypts as bytes come, in chunks of 64 KiB; what cannot be written yet is not read. */
  async *encrypt(stream: Bytes): AsyncGenerator<Uint8Array> {
    yield* await this.#encrypter.encrypt(ReadableStream.from(stream))
  }
}

/** What opens files that are encrypted to a recipient. */
export class AgeIdentities {
  readonly #decrypter: Decrypter

  private constructor(decrypter: Decrypter) {
    this.#decrypter = decrypter
  }

  /**
   * @param files of identities, one a line; lines that begin with `#` are remarks
   * @returns undefined where no file was given
   * @throws INVALID_OPTION, which repeats no identity
   */
  static async of(files: readonly string[] = []): Promise<AgeIdentities | undefined> {
    if (files.length === 0) return undefined
    const { Decrypter } = await loadAge()
    const decrypter = new Decrypter()
    const flag = '--age-identity'
    for (const file of files) {
      const lines = linesOf(file, flag)
      if (lines.length === 0) throw refused(flag, `${file} holds no identity`, IDENTITY)
      for (const { line, number } of lines)
        try {
          decrypter.addIdentity(line)
        } catch {
          throw refused(flag, `line ${number} of ${file} is no identity`, IDENTITY)
        }
    }
    // Asked last: no other one knew a recipient of the file.
    decrypter.addIdentity({
      unwrapFileKey: () => {
        throw keyRefused(
          `the backup is encrypted to other age recipients than the identities in ${files.join(', ')}. Give --age-identity ${IDENTITY}`,
        )
      },
    })
    return new AgeIdentities(decrypter)
  }

  /** Decrypts as bytes come; each chunk is authentic before it is given. @throws STORE_CORRUPT, ENCRYPTION_KEY, what the stream throws */
  async *decrypt(stream: Bytes): AsyncGenerator<Uint8Array> {
    let fault: unknown
    let isOpen = false
    const source = async function* (): AsyncGenerator<Uint8Array> {
      let bytes = 0
      try {
        for await (const chunk of stream) {
          bytes += chunk.length
          if (!isOpen && bytes > MAX_HEADER_BYTES)
            throw new SojournError('STORE_CORRUPT', 'the backup is damaged: its age header is too long')
          yield chunk
        }
      } catch (error) {
        fault = error
        throw error
      }
    }
    try {
      const plain = await this.#decrypter.decrypt(ReadableStream.from(source()))
      isOpen = true
      yield* plain
    } catch (error) {
      if (error === fault || error instanceof SojournError) throw error
      throw new SojournError('STORE_CORRUPT', 'the backup is damaged: its age encryption was altered or truncated', {
        cause: error,
      })
    }
  }
}

/**
 * A backup as `sojourn backup` made it, of a file that may be encrypted to recipients.
 * @param identities undefined: none were given
 * @throws ENCRYPTION_KEY where identities are missing, or others are needed; STORE_CORRUPT; INVALID_OPTION where it needs none
 */
export const openAge = async function* (
  stream: Bytes,
  identities: AgeIdentities | undefined,
): AsyncGenerator<Uint8Array> {
  const source = stream[Symbol.asyncIterator]()
  let head = Buffer.alloc(0)
  while (head.length < MAGIC.length) {
    const next = await source.next()
    if (next.done) throw new SojournError('STORE_CORRUPT', 'the backup is damaged: it is truncated')
    head = Buffer.concat([head, next.value])
  }
  const whole = async function* (): AsyncGenerator<Uint8Array> {
    yield head
    yield* { [Symbol.asyncIterator]: () => source }
  }
  const begins = (bytes: Buffer): boolean => head.subarray(0, bytes.length).equals(bytes)
  if (begins(ARMOR))
    throw new SojournError('STORE_FORMAT', 'the file is an armored age file. Decrypt it with `age --decrypt` first')
  if (!begins(MAGIC)) {
    if (identities !== undefined)
      throw refused('--age-identity', 'the backup is not encrypted with age', 'a backup that is, or leave the flag out')
    yield* whole()
  } else if (identities === undefined)
    throw keyRefused(`the backup is encrypted with age, and no identity was given. Give --age-identity ${IDENTITY}`)
  else yield* identities.decrypt(whole())
}
