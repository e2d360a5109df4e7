/** What apps see of @sojourn/core: the types of the session API, errors and their codes, limits, ports. */
export type { Data, Value } from './document/value.js'
export type { Duration } from './duration.js'
export { ERROR_CODES, type ErrorCode, type ErrorDetails, isSojournError, SojournError } from './errors.js'
export { type SessionKey, sessionKey } from './key.js'
export type { EndReason } from './lifetime.js'
export { DEFAULT_LIMITS, type Limits } from './limits.js'
export type {
  CreateOptions,
  DataOptions,
  ElevateOptions,
  EndHandleOptions,
  EndOptions,
  EndSubjectOptions,
  ReadOptions,
  ReplaceOptions,
  RotateOptions,
  TouchOptions,
  UpdateOptions,
  WriteOptions,
} from './options.generated.js'
export type {
  Clock,
  Connection,
  ConnectionFault,
  ConnectionHandler,
  Journal,
  JournalEntry,
  Listener,
  Random,
  Row,
  Rows,
  RowWrite,
  Storage,
  StorageEngine,
  Timer,
  Transport,
  TransportOptions,
} from './ports.js'
export { PROFILES, type Profile } from './profiles.js'
export type { Level } from './quorum.js'
export type {
  AnyData,
  Authenticated,
  EndReceipt,
  Lifetimes,
  Session,
  SessionApi,
  StoredSession,
  SubjectSession,
  Update,
} from './session.js'
export { systemClock, systemRandom } from './system.js'
