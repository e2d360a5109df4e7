/** What the errors of sockets mean: one of a few words, and for people what the system says. */
import type { ConnectionFault } from '@sojourn/core/internal'

/** How Node's codes of TLS and certificate faults begin. */
const TLS_FAULT =
  /^(ERR_TLS|ERR_SSL|EPROTO|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|HOSTNAME_MISMATCH|INVALID_CA|ERR_OSSL)/

/** Codes of libuv, c-ares and Node's HTTP client. */
const FAULTS: { readonly [code: string]: ConnectionFault } = {
  ECONNREFUSED: 'refused',
  ENOTFOUND: 'unknown-host',
  EAI_AGAIN: 'unknown-host',
  EAI_FAIL: 'unknown-host',
  EAI_NODATA: 'unknown-host',
  EAI_NONAME: 'unknown-host',
  ECONNRESET: 'reset',
  EPIPE: 'reset',
  ETIMEDOUT: 'timeout',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  EHOSTDOWN: 'unreachable',
  ENETDOWN: 'unreachable',
  EADDRNOTAVAIL: 'unreachable',
}

/** What ws says of an answer that is none to its request (its sources: lib/websocket.js), where it has no code. */
const TEXTS: readonly (readonly [RegExp, ConnectionFault])[] = [
  [/^Unexpected server response: (101|200|426)/, 'not-websocket'],
  [/^Unexpected server response/, 'http-status'],
  [/^Opening handshake has timed out/, 'timeout'],
  [/^(Invalid Sec-WebSocket|Invalid Upgrade header|Server sent)/, 'not-websocket'],
  [/^socket hang up/, 'reset'],
]

export const faultOf = (error: Error & { readonly code?: string }): ConnectionFault => {
  const { code = '', message } = error
  if (TLS_FAULT.test(code)) return 'tls'
  // Node's HTTP parser: what answered does not speak HTTP.
  if (code.startsWith('HPE_')) return 'not-websocket'
  return FAULTS[code] ?? TEXTS.find(([text]) => text.test(message))?.[1] ?? 'other'
}

/** Where a name has several addresses, Node reports each in an error without a text of its own. OpenSSL's text is several lines of numbers. */
export const textOf = (error: Error): string => {
  const { errors, code = '' } = error as AggregateError & { readonly code?: string }
  if (code === 'EPROTO') return 'the other side does not speak TLS as this one does (EPROTO)'
  const texts = Array.isArray(errors) ? errors.map((one: Error) => one.message) : [error.message || code]
  return [...new Set(texts)].join('; ')
}
