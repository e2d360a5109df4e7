/** What a logout token says, and which ones are refused: OpenID Connect Back-Channel Logout 1.0, section 2.6. */
import { SojournError } from '@sojourn/core/internal'
import type { JwtReason } from './token-claims.js'

/** Whom a verified logout token logs out: `sid`, `sub` or both are there. Times are in seconds since the epoch. */
export interface LogoutClaims {
  readonly iss: string
  readonly jti: string
  readonly iat: number
  readonly exp: number
  /** One session, as the issuer calls it. */
  readonly sid?: string
  /** All sessions of a subject. */
  readonly sub?: string
}

/** Why a logout token is refused. */
export type LogoutReason = JwtReason | 'events' | 'nonce' | 'replayed'

const MEANING: { readonly [reason in LogoutReason]: string } = {
  malformed: 'the logout token is no signed JWT. Send it as the issuer made it',
  'too-long': 'the logout token is longer than limits.maxTokenBytes',
  header: 'the header brings keys or extensions. Neither is taken from tokens',
  type: 'the typ of the token is not logout+jwt. It is a token for something else',
  algorithm: 'the alg of the token is none of those that are allowed',
  key: 'no single key of the issuer is the one that the token names',
  signature: 'the signature does not fit the token',
  claims: 'iat, exp or jti is missing, or neither sub nor sid is there, or one of them is no text or time',
  issuer: 'the token is of another issuer',
  audience: 'the token is for another audience',
  'not-yet-valid': 'the token was issued in the future. Compare the clocks of both sides',
  expired: 'the token has expired, or is older than maxAge',
  events: 'events has no back-channel logout. It is a token for something else',
  nonce: 'the token has a nonce, so it may be an ID token',
  replayed: 'a token with this jti has come before',
}

const EVENT = 'http://schemas.openid.net/event/backchannel-logout'
const MAX_TEXT_CHARS = 512

/** Nothing of the token is in it. */
export const logoutRefusal = (reason: LogoutReason): SojournError =>
  new SojournError('TOKEN_INVALID', `${MEANING[reason]} (${reason})`, { reason })

const isText = (value: unknown): value is string =>
  typeof value === 'string' && value !== '' && value.length <= MAX_TEXT_CHARS
const isTime = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value) && value >= 0
const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The claims of a payload whose signature, issuer, audience and times are good. @throws TOKEN_INVALID */
export const readLogoutClaims = (payload: { readonly [claim: string]: unknown }): LogoutClaims => {
  const { iss, jti, iat, exp, sid, sub, events, nonce } = payload
  if (nonce !== undefined) throw logoutRefusal('nonce')
  if (!isObject(events) || !Object.hasOwn(events, EVENT) || !isObject((events as Record<string, unknown>)[EVENT]))
    throw logoutRefusal('events')
  const isWhole =
    isText(iss) &&
    isText(jti) &&
    isTime(iat) &&
    isTime(exp) &&
    (sid === undefined || isText(sid)) &&
    (sub === undefined || isText(sub)) &&
    (sid !== undefined || sub !== undefined)
  if (!isWhole) throw logoutRefusal('claims')
  return Object.freeze({ iss, jti, iat, exp, ...(sid !== undefined && { sid }), ...(sub !== undefined && { sub }) })
}
