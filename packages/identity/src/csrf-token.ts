/** Tokens that only a page of the app knows: a form or a script sends one back, and so shows that the request comes from there. */
import { checkHandle, SojournError, settingsReader, systemRandom } from '@sojourn/core/internal'
import { MAC_BYTES, sign, verifies } from './hmac.js'
import type { CheckCsrfOptions, CsrfTokenOptions } from './options.generated.js'
import { CHECK_CSRF_OPTIONS, CSRF_TOKEN_OPTIONS } from './options.js'

/** What a token is bound to: a session, by its handle, which stays when its secret is rotated. */
export interface CsrfSession {
  readonly handle: string
}

/** Why a token is refused. */
export type CsrfReason = 'missing' | 'malformed' | 'mismatch'

const PURPOSE = 'sojourn csrf'
/**
 * Each token has random bytes of its own, which its code covers: two tokens of a session share a character by chance only. So
 * what compresses the page gives none away (BREACH).
 */
const NONCE_BYTES = 16
/** In Base64, 48 bytes have one way to be written, in 64 characters. */
const TOKEN = /^[\w-]{64}$/

const readMake = settingsReader(CSRF_TOKEN_OPTIONS, 'csrfToken')
const readCheck = settingsReader(CHECK_CSRF_OPTIONS, 'checkCsrf')

/**
 * A token for the forms and scripts of a page: another one each time, for as long as the session lives. It needs no storage.
 *
 * @example
 * const token = csrfToken(session, { keys: [process.env.CSRF_KEY] })
 * response.end(`<form method="post"><input type="hidden" name="csrf" value="${token}">…</form>`)
 * @throws INVALID_OPTION
 */
export const csrfToken = (session: CsrfSession, options: CsrfTokenOptions): string => {
  const { keys, random = systemRandom } = readMake(options)
  const handle = checkHandle(session?.handle)
  const nonce = Buffer.from(random.bytes(NONCE_BYTES))
  return Buffer.concat([nonce, sign(keys, PURPOSE, handle, nonce.toString('base64url'))]).toString('base64url')
}

/**
 * Refuses a request whose token is not one of this session. Of tokens of the right form, all take the same time.
 *
 * @example
 * checkCsrf(request.headers['x-csrf-token'], session, { keys: [process.env.CSRF_KEY] })
 * @throws CSRF_REFUSED, with `reason`: missing, malformed or mismatch; INVALID_OPTION
 */
export const checkCsrf = (token: unknown, session: CsrfSession, options: CheckCsrfOptions): void => {
  const { keys } = readCheck(options)
  const handle = checkHandle(session?.handle)
  if (token === undefined || token === null || token === '')
    throw refusal('missing', 'the request has no token. Send the one of the page, made by csrfToken, with each write')
  if (typeof token !== 'string' || !TOKEN.test(token))
    throw refusal('malformed', 'the token is none that csrfToken makes. Send that of the page as it stands')
  const bytes = Buffer.from(token, 'base64url')
  const nonce = bytes.subarray(0, bytes.length - MAC_BYTES).toString('base64url')
  if (!verifies(keys, bytes.subarray(-MAC_BYTES), PURPOSE, handle, nonce))
    throw refusal('mismatch', 'the token is of another session, or of a key that is gone. Load the page again')
}

const refusal = (reason: CsrfReason, what: string): SojournError => new SojournError('CSRF_REFUSED', what, { reason })
