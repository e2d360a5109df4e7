/** What a token says, and which tokens are refused: RFC 9068's claims, by the names that JWTs have for them. */
import { SojournError } from '@sojourn/core/internal'
import type { Audience } from './token-options.js'

/** What a verified token says. Times are in seconds since the epoch. */
export interface TokenClaims {
  readonly iss: string
  readonly aud: Audience
  /** The subject of the session. */
  readonly sub: string
  readonly client_id: string
  /** The handle of the session. */
  readonly sid: string
  readonly iat: number
  readonly exp: number
  readonly jti: string
  /** When the subject was authenticated, and how. */
  readonly auth_time?: number
  readonly acr?: string
  readonly amr?: readonly string[]
}

/** Why any JWT is refused. */
export type JwtReason =
  | 'malformed'
  | 'too-long'
  | 'header'
  | 'type'
  | 'algorithm'
  | 'key'
  | 'signature'
  | 'claims'
  | 'issuer'
  | 'audience'
  | 'not-yet-valid'
  | 'expired'

/** Why a token is refused. */
export type TokenReason = JwtReason | 'ended'

const MEANING: { readonly [reason in TokenReason]: string } = {
  malformed: 'the token is no signed JWT. Send what issue returned, as it stands',
  'too-long': 'the token is longer than limits.maxTokenBytes',
  header: 'the header has more than alg, kid and typ. Keys and their addresses are not taken from tokens',
  type: 'the typ of the token is not at+jwt. It is a token for something else',
  algorithm: 'the alg of the token is not that of its key',
  key: 'the kid of the token names none of the keys. Its key may have been taken away',
  signature: 'the signature does not fit the token',
  claims: 'a claim is missing, or is not what issue writes',
  issuer: 'the token is of another issuer',
  audience: 'the token is for another audience',
  'not-yet-valid': 'the token was issued in the future. Compare the clocks of both sides',
  expired: 'the token has expired. Ask for a new one',
  ended: 'the session of the token does not live here. It ended, or has not arrived yet',
}

/** Nothing of the token is in it: it may be a good one, for somebody else. */
export const refusal = (reason: TokenReason): SojournError =>
  new SojournError('TOKEN_INVALID', `${MEANING[reason]} (${reason})`, { reason })

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''
const isTexts = (value: unknown): value is readonly string[] => Array.isArray(value) && value.every(isText)
const isTime = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
const isOptional = (value: unknown, is: (value: unknown) => boolean): boolean => value === undefined || is(value)

/** The claims of a payload whose signature is good, frozen. @throws TOKEN_INVALID for what `issue` would not have written */
export const readClaims = (payload: { readonly [claim: string]: unknown }): TokenClaims => {
  const { iss, aud, sub, client_id, sid, iat, exp, jti, auth_time, acr, amr } = payload
  const isWhole =
    [iss, sub, client_id, jti].every(isText) &&
    (isText(aud) || (isTexts(aud) && aud.length > 0)) &&
    typeof sid === 'string' &&
    /^[0-9a-f]{32}$/.test(sid) &&
    isTime(iat) &&
    isTime(exp) &&
    isOptional(auth_time, isTime) &&
    isOptional(acr, isText) &&
    isOptional(amr, isTexts)
  if (!isWhole) throw refusal('claims')
  const claims = { iss, aud: frozen(aud), sub, client_id, sid, iat, exp, jti, auth_time, acr, amr: frozen(amr) }
  return Object.freeze(defined(claims)) as unknown as TokenClaims
}

const frozen = (value: unknown): unknown => (Array.isArray(value) ? Object.freeze([...value]) : value)

/** Without what is undefined: JSON would leave it out. */
export const defined = <T extends object>(given: T): T =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as T

/**
 * What may change between one look at a token and the next.
 * @param audiences of which the token must name one
 * @param toleranceMs how far the issuer's clock may be ahead; a token never outlives its `exp` by it
 * @throws TOKEN_INVALID
 */
export const checkClaims = (
  { aud, iat, exp }: TokenClaims,
  audiences: Audience,
  now: number,
  toleranceMs: number,
): void => {
  if (exp * 1_000 <= now) throw refusal('expired')
  if (iat * 1_000 > now + toleranceMs) throw refusal('not-yet-valid')
  if (!isFor(aud, audiences)) throw refusal('audience')
}

const isFor = (aud: Audience, audiences: Audience): boolean => {
  if (typeof audiences !== 'string') return audiences.some((each) => isFor(aud, each))
  return typeof aud === 'string' ? aud === audiences : aud.includes(audiences)
}
