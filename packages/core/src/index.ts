export { ByteReader, ByteWriter } from './bytes.js'
export { CALLER, type CalledFor, callerOf } from './caller.js'
export { decodeChange, type EncodedChange, encodeChange } from './document/change.js'
export { type DiffOptions, diff, type Edit, editsFor } from './document/diff.js'
export { runDraft } from './document/draft.js'
export {
  applyChange,
  type Context,
  changeFault,
  EMPTY_FOLD,
  type Fold,
  type Head,
  joinFolds,
  type LiveOp,
  liveValue,
  type Readiness,
  type Register,
  readiness,
  type Seen,
  winner,
} from './document/fold.js'
export { type ChangeDelta, type Mutation, mutate } from './document/mutate.js'
export type { ActorId, Change, ChangeHash, ChangeLimits, Op, OpId, Scalar } from './document/op.js'
export { checkIncrement, compareOpIds, isInteger } from './document/op.js'
export { checkPointer, type Pointer, pointerFault } from './document/pointer.js'
export { checkTop, type Data, isPlainObject, sameValue, scalarFault, thaw, type Value } from './document/value.js'
export { materialize, type View } from './document/view.js'
export { type Duration, optionalDuration, parseDuration } from './duration.js'
export { ERROR_CODES, type ErrorCode, type ErrorDetails, isSojournError, SojournError } from './errors.js'
export { checkId, KEY_BYTES, newSessionId, type SessionKey, sessionKey } from './key.js'
export { LazySession } from './lazy-session.js'
export {
  checkReason,
  END_REASONS,
  type End,
  type EndReason,
  joinEnds,
  joinLeases,
  joinLimits,
  type Lease,
  type Limit,
  openLease,
  renewLease,
  TOUCH_GRANULARITY,
} from './lifetime.js'
export { DEFAULT_LIMITS, type Limits } from './limits.js'
export type {
  Clock,
  Connection,
  ConnectionHandler,
  Listener,
  Random,
  Storage,
  StorageEngine,
  StorageRange,
  StorageRow,
  StorageWrite,
  Timer,
  Transport,
  TransportOptions,
} from './ports.js'
export {
  answer,
  fail,
  type Level,
  quorumUnmet,
  regionsNeeded,
  startTally,
  type Tally,
  type Verdict,
  verdict,
} from './quorum.js'
export {
  dueAt,
  type EndedRecord,
  expiresAt,
  isVisible,
  joinRecords,
  type LiveRecord,
  recordVersion,
  type SessionRecord,
  sameHeads,
  sameRecord,
} from './record.js'
export {
  decodeRecord,
  encodeRecord,
  isEndedRecord,
  type RecordLimits,
  readEnd,
  readLease,
  writeEnd,
  writeLease,
} from './record-codec.js'
export type {
  AnyData,
  CreateOptions,
  EndOptions,
  ReadOptions,
  ReplaceOptions,
  Session,
  SessionApi,
  StoredSession,
  TouchOptions,
  Update,
  UpdateOptions,
  WriteOptions,
} from './session.js'
export { compareStamps, nextStamp, type Stamp } from './stamp.js'
export { systemClock, systemPause, systemRandom } from './system.js'
export { type Ancestor, type FeedId, type Held, heldThrough, raise, resumeFrom, type Vector } from './vector.js'
