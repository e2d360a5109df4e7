import { createHmac, timingSafeEqual } from 'node:crypto'
import { ByteWriter } from '@sojourn/core'
import { LINK_VERSION } from './message.js'

/** What both sides of a handshake have said, from the dialler's point of view. */
export interface Transcript {
  readonly dialler: { readonly region: string; readonly nonce: string }
  readonly listener: { readonly region: string; readonly nonce: string }
}

/**
 * The proof that somebody knows the secret: HMAC-SHA-256 (RFC 2104) over who proves, the version, and both names and
 * nonces, as 64 hex digits. The role keeps a proof from being reflected, the nonces keep it from being replayed.
 */
export const prove = (secret: string, role: keyof Transcript, { dialler, listener }: Transcript): string => {
  const said = new ByteWriter()
    .text(`sojourn link ${role}`)
    .uint(LINK_VERSION)
    .text(dialler.region)
    .hex(dialler.nonce)
    .text(listener.region)
    .hex(listener.nonce)
    .finish()
  return createHmac('sha256', secret).update(said).digest('hex')
}

/** In constant time. */
export const sameProof = (a: string, b: string): boolean =>
  a.length === b.length && timingSafeEqual(Buffer.from(a, 'hex'), Buffer.from(b, 'hex'))
