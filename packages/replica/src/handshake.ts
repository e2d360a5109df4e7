/** The first words of a connection: who is there, and whether both know the secret. */
import type { Connection, ErrorCode, Random } from '@sojourn/core/internal'
import { ERROR_CODES, isSojournError, quoted, SojournError } from '@sojourn/core/internal'
import {
  type Agreement,
  checkAgreement,
  decodeMessage,
  encodeMessage,
  type Hello,
  LINK_MAGIC,
  type Message,
  meet,
  NONCE_BYTES,
  prove,
  type Speech,
  sameProof,
  type Transcript,
} from '@sojourn/wire'

/** Who is not known yet is not listened to for longer than this many bytes. */
const MAX_GREETING_BYTES = 1_024

export interface HandshakeOptions {
  readonly connection: Connection
  readonly region: string
  readonly secret: string
  readonly random: Random
  /** Who a dialer expects to find; undefined for a listener. */
  readonly dials: string | undefined
  /** What this side speaks. */
  readonly speech: Speech
  readonly isMember: (region: string) => boolean
  /** What to say of ourselves once both sides are known. */
  readonly hello: () => Hello
  readonly maxFrameBytes: number
  /** The other side has proven that it knows the secret. */
  readonly authenticated: () => void
  readonly ready: (peer: Met) => void
}

/** A peer that has proven who it is. */
export interface Met {
  readonly region: string
  readonly hello: Hello
  readonly dialed: boolean
  readonly agreement: Agreement
}

type Step = 'greet' | 'prove' | 'accept' | 'hello' | 'done'

/**
 * Both sides prove that they know the secret (an HMAC challenge and response each way), then say what they hold.
 *
 *     dialer                       listener
 *     greet   versions, nonce ──▶
 *                             ◀──   prove   version, nonce, proof
 *     accept  proof           ──▶
 *     hello                   ◀─▶   hello
 */
export class Handshake {
  readonly #options: HandshakeOptions
  readonly #nonce: string
  #expects: Step
  #peer = ''
  #transcript: Transcript | undefined

  constructor(options: HandshakeOptions) {
    this.#options = options
    this.#nonce = Buffer.from(options.random.bytes(NONCE_BYTES)).toString('hex')
    this.#expects = options.dials === undefined ? 'greet' : 'prove'
  }

  /** The region that the other side claims, once it has said so. */
  get peer(): string {
    return this.#peer
  }

  opened(): void {
    const { region, dials, speech } = this.#options
    if (dials !== undefined) this.#send({ type: 'greet', magic: LINK_MAGIC, ...speech, region, nonce: this.#nonce })
  }

  /** @throws a LINK_ or FRAME_ error for which the connection must be closed */
  received(frame: Uint8Array): void {
    const message = this.#decode(frame)
    if (message.type !== this.#expects)
      throw new SojournError('FRAME_UNEXPECTED', `a ${message.type} frame while waiting for ${this.#expects}`)
    if (message.type === 'greet') this.#greeted(message)
    else if (message.type === 'prove') this.#proven(message)
    else if (message.type === 'accept') this.#accepted(message)
    else if (message.type === 'hello') {
      this.#expects = 'done'
      const { version, capabilities } = this.#transcript!.listener
      this.#options.ready({
        region: this.#peer,
        hello: message,
        dialed: this.#options.dials !== undefined,
        agreement: { version, capabilities },
      })
    }
  }

  #decode(frame: Uint8Array): Message {
    const known = this.#expects === 'hello'
    try {
      return decodeMessage(frame, known ? this.#options.maxFrameBytes : MAX_GREETING_BYTES)
    } catch (error) {
      // The first frame of another version, or of a caller that is no peer, need not have our shape.
      if (this.#expects === 'greet' && isSojournError(error, 'FRAME_INVALID'))
        throw new SojournError('LINK_VERSION', 'the first frame is not a greeting of this protocol', { cause: error })
      throw error
    }
  }

  #greeted(message: Message & { type: 'greet' }): void {
    const { region, secret, speech } = this.#options
    if (message.magic !== LINK_MAGIC)
      throw new SojournError('LINK_VERSION', 'the first frame is not a greeting of this protocol')
    const agreement = meet(speech, message)
    this.#admit(message.region)
    this.#transcript = { dialer: message, listener: { ...agreement, region, nonce: this.#nonce } }
    const proof = prove(secret, 'listener', this.#transcript)
    this.#send({ type: 'prove', ...this.#transcript.listener, proof })
    this.#expects = 'accept'
  }

  #proven(message: Message & { type: 'prove' }): void {
    const { region, secret, dials, hello, speech } = this.#options
    this.#admit(message.region)
    if (message.region !== dials)
      throw new SojournError('LINK_REGION', `the address of ${quoted(dials!)} is that of ${quoted(message.region)}`)
    checkAgreement(speech, message)
    this.#transcript = { dialer: { ...speech, region, nonce: this.#nonce }, listener: message }
    this.#check(message.proof, 'listener')
    this.#send({ type: 'accept', proof: prove(secret, 'dialer', this.#transcript) })
    this.#send(hello())
    this.#expects = 'hello'
  }

  #accepted(message: Message & { type: 'accept' }): void {
    this.#check(message.proof, 'dialer')
    this.#send(this.#options.hello())
    this.#expects = 'hello'
  }

  #check(proof: string, role: keyof Transcript): void {
    if (!sameProof(proof, prove(this.#options.secret, role, this.#transcript!)))
      throw new SojournError('LINK_SECRET', `the region ${quoted(this.#peer)} does not know the secret`)
    this.#options.authenticated()
  }

  #admit(region: string): void {
    this.#peer = region
    if (region === this.#options.region || !this.#options.isMember(region))
      throw new SojournError('LINK_REGION', `${quoted(region)} is not a peer of ${quoted(this.#options.region)}`)
    // The secret is the same in all regions, so it does not say which of them this is.
    const refusal = this.#options.connection.refusalOf?.(region)
    if (refusal !== undefined) throw new SojournError('LINK_CERTIFICATE', refusal)
  }

  #send(message: Message): void {
    this.#options.connection.send(encodeMessage(message))
  }
}

/** The code of ours with which a peer's reason begins, if it does. */
export const codeOfReason = (why: string): ErrorCode | undefined => {
  const code = /^[A-Z_]+/.exec(why)?.[0]
  return code !== undefined && Object.hasOwn(ERROR_CODES, code) ? (code as ErrorCode) : undefined
}
