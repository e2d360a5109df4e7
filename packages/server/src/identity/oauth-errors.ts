/** Errors as OAuth 2.0 has them (RFC 6749, 5.2): a word, and a sentence for people. */
import { type ErrorCode, isSojournError } from '@sojourn/core/internal'
import type { HttpAnswer } from '@sojourn/net'

type Word = 'invalid_request' | 'invalid_client' | 'insufficient_scope' | 'temporarily_unavailable'

const ANSWERS: { readonly [code in ErrorCode]?: readonly [status: number, error: Word] } = {
  INVALID_OPTION: [400, 'invalid_request'],
  FRAME_INVALID: [400, 'invalid_request'],
  TOKEN_INVALID: [400, 'invalid_request'],
  TOKEN_REFUSED: [401, 'invalid_client'],
  SCOPE_REFUSED: [403, 'insufficient_scope'],
  FRAME_TOO_LARGE: [413, 'invalid_request'],
  QUORUM_UNMET: [503, 'temporarily_unavailable'],
  OVERLOADED: [503, 'temporarily_unavailable'],
  REPLICA_CLOSED: [503, 'temporarily_unavailable'],
  UNAVAILABLE: [503, 'temporarily_unavailable'],
}

const RETRY_AFTER_SECONDS = '1'

const headersFor = (status: number): { readonly [name: string]: string } => {
  if (status === 401) return { 'www-authenticate': 'Basic realm="sojourn", Bearer realm="sojourn"' }
  if (status === 403) return { 'www-authenticate': 'Bearer realm="sojourn", error="insufficient_scope"' }
  if (status === 503) return { 'retry-after': RETRY_AFTER_SECONDS }
  // What is left of the body is not read.
  return status === 413 ? { connection: 'close' } : {}
}

/** The characters that a description may have. */
const described = (text: string): string => text.replaceAll('"', "'").replaceAll(/[^\x20-\x5b\x5d-\x7e]/g, '?')

/** An answer that refuses. @param message for people, without a value that anybody sent */
export const refuse = (status: number, error: Word | 'server_error', message: string): HttpAnswer => ({
  status,
  headers: headersFor(status),
  json: { error, error_description: described(message) },
})

/** What an error is answered with. @param failed hears of what ought not to have been thrown */
export const refusalOf = (thrown: unknown, failed: (error: unknown) => void): HttpAnswer => {
  const known = isSojournError(thrown) ? ANSWERS[thrown.code] : undefined
  if (known && isSojournError(thrown)) return refuse(...known, thrown.message.slice(`${thrown.code}: `.length))
  failed(thrown)
  return refuse(500, 'server_error', 'the server failed. Its log has the error')
}
