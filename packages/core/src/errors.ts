/** Every error that leaves a Sojourn package: one table of codes, one class. */
/**
 * The one table of error codes. Every failure that leaves a Sojourn package is a {@link SojournError} with one of them.
 * The text is what the code means; the message of an error adds what was wrong, where, and what is allowed.
 */
export const ERROR_CODES = {
  SESSION_NOT_FOUND: 'No live session has this id here. It never existed, ended, expired, or has not arrived yet.',
  SESSION_EXISTS: 'The id is taken. A session lives under it, or the region still remembers one that ended or expired.',
  SUBJECT_LIMIT:
    'The subject has session.maxPerSubject sessions, and session.atLimit refuses one more. Nothing was written.',
  SESSION_TOO_LARGE: 'The session would grow beyond limits.maxSessionBytes. Nothing was written.',
  INVALID_DATA: 'The data holds something that a session cannot hold. Nothing was written.',
  INVALID_OPTION: 'An option is missing, misspelt or out of range.',
  QUORUM_UNMET: 'Fewer regions answered in time than the level asks for. A write is durable here and will spread.',
  OVERLOADED: 'A queue reached its limit. Nothing was written. Try again later.',
  TIMEOUT: 'No answer came within the time that the adapter or the client allows. A write may have been applied.',
  REPLICA_CLOSED: 'The replica was closed.',
  CLIENT_CLOSED: 'The client was closed.',
  UNAVAILABLE: 'The client reaches no server. Nothing was written. The message says what each address answered.',
  CONNECTION_LOST: 'The connection ended before the answer came. A write may have been applied.',
  TOKEN_REFUSED: 'The server does not know the token.',
  SCOPE_REFUSED: 'The scope of the token does not allow the call. Nothing was written.',
  TOKEN_INVALID: 'A JWT is not good here, or its session has ended. The reason says which.',
  CSRF_REFUSED: 'The request was not made by a page that may write, or lacks a token of the session. Nothing was done.',
  STORE_LOCKED: 'Another process, or another replica in this process, has the directory open.',
  STORE_FOREIGN: 'The directory is the store of another region. Nothing in it was read or changed.',
  STORE_CORRUPT: 'Stored bytes fail their checksum or shape, and no peer could supply a good copy.',
  STORE_FAILED:
    'The storage engine refused the operation, for example because the disk is full. The cause has its error.',
  STORE_FENCED: 'Another owner has written to the store. This one stops writing and must be opened again.',
  STORE_FORMAT: 'A version of Sojourn that this one cannot read wrote the directory.',
  ENCRYPTION_KEY:
    'A key of the key ring is missing or wrong, or the store is in the clear although a key ring was given. Nothing was read or changed.',
  CLOCK_UNTRUSTED:
    'The wall clock jumped, or most regions disagree with it. Until they agree, the replica purges nothing and follows their time.',
  ITEM_REFUSED: 'A peer sent an invalid item, such as a lease stamped far ahead. The replica left out this item only.',
  CHANGE_INVALID: 'The bytes are not a well-formed change of the subset, or exceed one of its bounds.',
  RECORD_INVALID: 'The bytes are not a well-formed session record, or exceed one of its bounds.',
  FRAME_INVALID: 'A frame from a peer is truncated, malformed, or of an unknown type.',
  FRAME_TOO_LARGE: 'A frame from a peer exceeds limits.maxFrameBytes.',
  FRAME_UNEXPECTED: 'The state of the link does not allow this frame from a peer.',
  LINK_UNREACHABLE:
    'The replica cannot connect to the peer. The address is wrong or unreachable, or no Sojourn replica answers there.',
  LINK_VERSION: 'The peer speaks another version of the link protocol.',
  LINK_SECRET: 'The peer could not prove that it knows the secret.',
  LINK_REGION: 'The peer names a region that is not a member here, or that is this region itself.',
  LINK_REGION_TAKEN: 'Another process runs as this region, and the peer is linked with that process.',
  LINK_SKEW: 'The clocks of the two regions differ by more than maxClockSkew.',
  LINK_TLS: 'The TLS handshake failed. A certificate is untrusted, has expired, names another host, or is missing.',
  LINK_CERTIFICATE: "The certificate of the peer is not for its region's name, or it showed none.",
  LINK_TIMEOUT: 'The peer was silent for too long.',
  LINK_DUPLICATE: 'The two regions have a second connection, and keep the other one.',
  LINK_REPLACED: 'The peer opened a newer connection.',
  LINK_CLOSED: 'The connection ended.',
  LINK_OVERLOADED:
    'More waits for the peer than the limits allow. The link starts again from the last acknowledged commit.',
} as const

export type ErrorCode = keyof typeof ERROR_CODES

/** What an error may carry beside its message; which fields are there depends on the code. */
export interface ErrorDetails {
  /** INVALID_OPTION: the option's path, such as `session.idleTimeout`. */
  readonly option?: string
  /** INVALID_DATA: a JSON pointer to the offending value. SESSION_TOO_LARGE: to the largest field. */
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
  /** SESSION_TOO_LARGE, FRAME_TOO_LARGE, OVERLOADED, INVALID_DATA of a counter: the limit that was met, in its own unit. */
  readonly limit?: number
  /** SESSION_EXISTS: what is remembered under the id. */
  readonly state?: 'live' | 'ended' | 'expired'
  /**
   * QUORUM_UNMET of a write: the session as it is here now. After `create` and `rotate` nobody else knows its id. Not enumerable, so
   * that what logs an error's fields does not log the id.
   */
  readonly session?: unknown
  /** CSRF_REFUSED, TOKEN_INVALID: what is wrong, in a word or two: @sojourn/identity lists them. */
  readonly reason?: string
  readonly cause?: unknown
}

/**
 * What a failed call is refused with. Only the fields that its code has are there; {@link ErrorDetails} says which.
 *
 * @example
 * try { await sessions.update(id, { seen: true }, { write: 'all' }) }
 * catch (error) { if (!isSojournError(error, 'QUORUM_UNMET')) throw error }
 */
export class SojournError extends Error {
  declare readonly option?: string
  declare readonly path?: string
  declare readonly need?: number
  declare readonly got?: number
  declare readonly regions?: readonly string[]
  declare readonly mayHaveApplied?: boolean
  declare readonly limit?: number
  declare readonly state?: 'live' | 'ended' | 'expired'
  declare readonly reason?: string
  declare readonly session?: unknown
  readonly #code: ErrorCode

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    const { cause, session, ...fields } = details
    super(`${code}: ${message}`, cause === undefined ? undefined : { cause })
    this.#code = code
    for (const [name, value] of Object.entries(fields)) if (value !== undefined) Object.assign(this, { [name]: value })
    if (session !== undefined) Object.defineProperty(this, 'session', { value: session })
  }

  get code(): ErrorCode {
    return this.#code
  }

  /** As loggers that write JSON want it: with the code and the message, and without what is not enumerable. */
  toJSON(): object {
    return Object.assign({ name: this.name, code: this.code, message: this.message }, this)
  }

  static {
    // Not fields of each error: whoever prints one sees its own fields, and has name and code in its first line already.
    // Loops over an error (`for … in`), as loggers make them, meet the code here.
    Object.defineProperty(SojournError.prototype, 'name', { value: 'SojournError', configurable: true, writable: true })
    Object.defineProperty(SojournError.prototype, 'code', { enumerable: true })
  }
}

/**
 * Whether an error is ours, and, where a code is given, that one.
 * @example
 * try {
 *   await sessions.update(id, { theme: 'dark' })
 * } catch (error) {
 *   if (!isSojournError(error, 'SESSION_NOT_FOUND')) throw error
 * }
 */
export const isSojournError = (error: unknown, code?: ErrorCode): error is SojournError =>
  error instanceof SojournError && (code === undefined || error.code === code)
