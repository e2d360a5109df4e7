/** What the packages of this repository see of @sojourn/core, beside what apps see: no promise holds for it from one version to the next. */

export type { AtOnce, Soon } from './at-once.js'
export { ByteReader, ByteWriter } from './bytes.js'
export { CALL_OPTIONS, checkCall, DEFAULT_END_REASON, SUBJECT_RULE } from './call-options.js'
export { CALLER, type CalledFor, callerOf } from './caller.js'
export { joinCredentials, newCredentials, type Opening, opening, opensUntil, supersede } from './credentials.js'
export {
  type Cutoff,
  type CutoffEntry,
  cutBy,
  cutoffKey,
  type Exception,
  joinCutoffs,
  MAX_EXCEPT,
  withCutoff,
} from './cutoff.js'
export {
  changeSession,
  createSession,
  type Decided,
  type Decision,
  endSession,
  GONE,
  notFound,
  type Refusal,
  type Transition,
  takeItem,
  takeRecord,
  touchSession,
} from './decide.js'
export { cutOff, cutSession, elevateSession, rotateSecret, succeedSession } from './decide-identity.js'
export { decodeChange, type EncodedChange, encodeChange } from './document/change.js'
export {
  assignedAt,
  assignedIn,
  type DiffOptions,
  diff,
  type Edit,
  editsFor,
  type IsAssigned,
} from './document/diff.js'
export { runDraft } from './document/draft.js'
export {
  applyChange,
  type Context,
  changeFault,
  EMPTY_FOLD,
  type Fold,
  type Head,
  joinFolds,
  MAX_MAP_DEPTH,
  type Readiness,
  readiness,
  type Seen,
} from './document/fold.js'
export {
  NO_TOKEN,
  objectsIn,
  READ_OBJECTS,
  type ReadObjects,
  readObjectsOf,
  TOKEN_BYTES,
  tokensIn,
  tokensOf,
} from './document/identity.js'
export { checkIncrement, incrementEdits } from './document/increment.js'
export {
  isMap,
  type LiveMap,
  type LiveOp,
  liveValue,
  MapNode,
  type Register,
  type Registers,
  winner,
} from './document/live.js'
export { type ChangeDelta, type Mutation, mutate } from './document/mutate.js'
export {
  type ActorId,
  type Change,
  type ChangeHash,
  type ChangeLimits,
  compareOpIds,
  isInteger,
  type Op,
  type OpId,
  type Scalar,
} from './document/op.js'
export { checkPointer, childOf, MAX_POINTER_BYTES, type Pointer, pointerFault } from './document/pointer.js'
export {
  type Copied,
  checkTop,
  isBytes,
  isDate,
  isPlainObject,
  sameValue,
  scalarFault,
  thaw,
} from './document/value.js'
export { deriveView, type FieldSet, materialize, setInView, type View } from './document/view.js'
export { spliceChange, spliceEdits } from './document-splice.js'
export { optionalDuration, parseDuration } from './duration.js'
export {
  type Authentication,
  type Details,
  decodeDetails,
  encodeDetails,
  type Identity,
  MAX_ACR_BYTES,
  MAX_AMR,
  MAX_AMR_BYTES,
  MAX_DEVICE_BYTES,
  MAX_SUBJECT_CHARS,
  type NewIdentity,
  type SubjectHash,
} from './identity.js'
export * from './index.js'
export { decodeItem, encodeItem, fitsReceiver, type Item, keyOfItem } from './item.js'
export {
  checkHandle,
  checkId,
  HANDLE_RULE,
  KEY_BYTES,
  MAX_ID_CHARS,
  newSessionId,
  type ResolvedId,
  resolveId,
  type SecretHash,
  withNewSecret,
} from './key.js'
export { largestFields } from './largest-fields.js'
export { LazySession, type SessionSource, type ShownIdentity } from './lazy-session.js'
export {
  END_REASONS,
  type End,
  isFarAhead,
  joinEnds,
  joinLeases,
  joinLimits,
  type Lease,
  type Limit,
  longestLifeMs,
  openLease,
  type Renewal,
  renewLease,
  TOUCH_GRANULARITY,
} from './lifetime.js'
export { LIMITS, limitsFault } from './limits.js'
export { isTaken, type Merge, type MergeContext, mergeItem, mergeRecord } from './merge.js'
export {
  choiceRule,
  DURATION_OR_ZERO_RULE,
  DURATION_RULE,
  FLAG_RULE,
  FUNCTION_RULE,
  isAddress,
  LEVEL_RULE,
  listRule,
  pointersRule,
  portRule,
  secretOption,
  tableRule,
  textRule,
  typedOption,
  wholeRule,
} from './option-rules.js'
export {
  defaultsOf,
  type GivenOf,
  group,
  insideOf,
  limit,
  type Option,
  type Options,
  option,
  optional,
  optionalGroup,
  readOptions,
  required,
  type SettingsOf,
  settingsReader,
} from './option-table.js'
export {
  checkOption,
  checkOptions,
  type OptionRule,
  type OptionTable,
  optionTable,
  refuseOption,
  type TextKind,
} from './options.js'
export { answer, fail, quorumUnmet, regionsNeeded, startTally, type Tally, type Verdict, verdict } from './quorum.js'
export {
  dueAt,
  type EndedRecord,
  expiresAt,
  frontierOf,
  isVisible,
  type LiveRecord,
  type OtherParts,
  recordVersion,
  type SessionRecord,
  sameHeads,
  sameRecord,
} from './record.js'
export {
  decodeRecord,
  encodeRecord,
  isEndedRecord,
  OWN_LIMITS,
  type RecordLimits,
  readEnd,
  readLease,
  writeEnd,
  writeLease,
} from './record-codec.js'
export { joinRecords } from './record-join.js'
export { RestingRecord, resting, sharesDocument } from './resting-record.js'
export { compareStamps, nextStamp, type Stamp } from './stamp.js'
export { systemPause } from './system.js'
export { type Ancestor, type FeedId, type Held, heldThrough, raise, resumeFrom, type Vector } from './vector.js'
export { versionHash } from './version-hash.js'
export { nearestName, quoted, quotedList, shownValue } from './wording.js'
export { hasWrite, parseWritten, type Written, writtenToken } from './written.js'
