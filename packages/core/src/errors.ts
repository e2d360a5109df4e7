/**
 * The one table of error codes. Every failure that leaves a Sojourn package is a {@link SojournError} with one of them.
 * The text is what the code means; the message of an error adds what was wrong, where, and what is allowed.
 */
export const ERROR_CODES = {
  SESSION_NOT_FOUND: 'No live session has this id here: it never existed, ended, expired, or has not arrived yet.',
  SESSION_EXISTS: 'The id is taken: a session lives under it, or it ended or expired and is still remembered.',
  SESSION_TOO_LARGE: 'The session would grow beyond limits.maxSessionBytes; nothing was written.',
  INVALID_DATA: 'The data holds something that a session cannot hold; nothing was written.',
  INVALID_OPTION: 'An option is missing, misspelt or out of range.',
  QUORUM_UNMET: 'Fewer regions answered in time than the level asks for. A write is durable here and will spread.',
  OVERLOADED: 'A queue reached its limit; nothing was written. Try again later.',
  TIMEOUT: 'No answer came within the time that the adapter, or the client, allows. A write may have been applied.',
  REPLICA_CLOSED: 'The replica was closed.',
  CLIENT_CLOSED: 'The client was closed.',
  UNAVAILABLE: 'No server could be reached in time; nothing was sent, so nothing was written.',
  CONNECTION_LOST: 'The connection ended before the answer came. A write may have been applied.',
  TOKEN_REFUSED: 'The server does not know the token.',
  SCOPE_REFUSED: 'The scope of the token does not allow the call; nothing was written.',
  STORE_LOCKED: 'Another process, or another replica in this one, has the directory open.',
  STORE_CORRUPT: 'Stored bytes fail their checksum or shape, and no peer could supply a good copy.',
  STORE_FAILED: 'The storage engine refused the operation (disk full, I/O error); what it says is in the cause.',
  STORE_FENCED: 'Another owner has written to the store; this one writes no more and must be opened again.',
  STORE_FORMAT: 'The directory was written by a version that this one cannot read.',
  CHANGE_INVALID: 'The bytes are no well-formed change of the flat subset, or break one of its bounds.',
  RECORD_INVALID: 'The bytes are no well-formed session record, or break one of its bounds.',
  FRAME_INVALID: 'A frame from a peer is truncated, malformed, or of an unknown type.',
  FRAME_TOO_LARGE: 'A frame from a peer exceeds limits.maxFrameBytes.',
  FRAME_UNEXPECTED: 'A frame from a peer is not allowed in the state that the link is in.',
  LINK_VERSION: 'The peer speaks another version of the link protocol.',
  LINK_SECRET: 'The peer could not prove that it knows the secret.',
  LINK_REGION: 'The peer names a region that is not a member here, or that is this region itself.',
  LINK_SKEW: 'The clocks of the two regions differ by more than maxClockSkew.',
  LINK_TLS: 'The TLS handshake failed: a certificate is not trusted, has expired, names another host, or is missing.',
  LINK_TIMEOUT: 'The peer was silent for too long.',
  LINK_DUPLICATE: 'A second connection to the same region; the other one is kept.',
  LINK_REPLACED: 'The peer opened a newer connection.',
  LINK_CLOSED: 'The connection ended.',
  LINK_OVERLOADED: 'The peer made us wait for more than limits allow; the link starts again from what is held.',
} as const

export type ErrorCode = keyof typeof ERROR_CODES

/** What an error may tell beside its message; which fields are there depends on the code. */
export interface ErrorDetails {
  /** INVALID_OPTION: the option's path, such as `session.idleTimeout`. */
  readonly option?: string
  /** INVALID_DATA: a JSON pointer to the offending value. */
  readonly path?: string
  /** QUORUM_UNMET: how many regions the level asks for, this one included. */
  readonly need?: number
  /** QUORUM_UNMET: how many regions answered, this one included. */
  readonly got?: number
  /** QUORUM_UNMET: the regions that answered. */
  readonly regions?: readonly string[]
  /**
   * Of a write that may have been applied, so that repeating it may apply it twice. QUORUM_UNMET: it is durable here and will spread;
   * CONNECTION_LOST, TIMEOUT: the server has it, or never got it. STORE_FAILED: it is in the journal, and a loss of power may take it.
   */
  readonly mayHaveApplied?: boolean
  /** SESSION_TOO_LARGE, FRAME_TOO_LARGE, OVERLOADED: the limit that was met, in its own unit. */
  readonly limit?: number
  /** SESSION_EXISTS: what is remembered under the id. */
  readonly state?: 'live' | 'ended' | 'expired'
  /**
   * QUORUM_UNMET of a write: the session as it is here now. After `create` and `rotate` nobody else knows its id. Not enumerable, so
   * that what logs an error's fields does not log the id.
   */
  readonly session?: unknown
  readonly cause?: unknown
}

export class SojournError extends Error {
  override readonly name = 'SojournError'
  readonly code: ErrorCode
  readonly option?: string
  readonly path?: string
  readonly need?: number
  readonly got?: number
  readonly regions?: readonly string[]
  readonly mayHaveApplied?: boolean
  readonly limit?: number
  readonly state?: 'live' | 'ended' | 'expired'
  declare readonly session?: unknown

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    const { cause, session, ...fields } = details
    super(`${code}: ${message}`, cause === undefined ? undefined : { cause })
    this.code = code
    Object.assign(this, fields)
    if (session !== undefined) Object.defineProperty(this, 'session', { value: session })
  }
}

export const isSojournError = (error: unknown, code?: ErrorCode): error is SojournError =>
  error instanceof SojournError && (code === undefined || error.code === code)
