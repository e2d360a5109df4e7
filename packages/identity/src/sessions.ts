/** What tokens need of a session store: an open replica has it, and so has a client. */
import type { Duration } from '@sojourn/core'

/** Of a session, what a token says of it. */
export interface TokenSession {
  /** The secret that opens the session. */
  readonly id: string
  /** 32 hex digits, which never change and are no secret. */
  readonly handle: string
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
  /** Who logged in. */
  readonly subject?: string | undefined
  /** When, and how, that was proven. */
  readonly auth?: SessionProof | undefined
}

interface SessionProof {
  /** Milliseconds since the epoch. */
  readonly time: number
  readonly acr?: string | undefined
  readonly amr?: readonly string[] | undefined
}

export interface TokenSessions<S extends TokenSession = TokenSession> {
  get(id: string): Promise<S | undefined>
  rotate(id: string, options: { readonly grace?: Duration }): Promise<S>
  /** Whether a session of this handle lives here. No network is asked. */
  isLive(handle: string): Promise<boolean>
  /** The same, without a promise where memory has the answer. */
  isLiveNow?(handle: string): boolean | Promise<boolean>
}
