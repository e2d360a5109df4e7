/** How both sides of a handshake prove that they know the secret. */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { ByteWriter } from '@sojourn/core/internal'
import type { Agreement, Speech } from './meeting.js'

/** What both sides of a handshake have said, from the dialer's point of view. */
export interface Transcript {
  readonly dialer: Speech & { readonly region: string; readonly nonce: string }
  readonly listener: Agreement & { readonly region: string; readonly nonce: string }
}

/**
 * The proof that somebody knows the secret: HMAC-SHA-256 (RFC 2104) over who proves, and all that both sides have said, as 64 hex digits. The role
 * keeps a proof from being reflected, the nonces keep it from being replayed; and nobody between the two can have them speak an older version.
 */
export const prove = (secret: string, role: keyof Transcript, { dialer, listener }: Transcript): string => {
  const said = new ByteWriter()
    .text(`sojourn link ${role}`)
    .text(dialer.region)
    .hex(dialer.nonce)
    .uint(dialer.min)
    .uint(dialer.max)
  writeAll(said, dialer.capabilities)
  said.text(listener.region).hex(listener.nonce).uint(listener.version)
  writeAll(said, listener.capabilities)
  return createHmac('sha256', secret).update(said.finish()).digest('hex')
}

const writeAll = (out: ByteWriter, names: readonly string[]): void => {
  out.uint(names.length)
  for (const name of names) out.text(name)
}

/** In constant time. */
export const sameProof = (a: string, b: string): boolean =>
  a.length === b.length && timingSafeEqual(Buffer.from(a, 'hex'), Buffer.from(b, 'hex'))
