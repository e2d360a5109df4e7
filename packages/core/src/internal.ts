/** What the packages of this repository see of @sojourn/core, beside what apps see: no promise holds for it from one version to the next. */

export { ByteReader, ByteWriter } from './bytes.js'
export { checkCall, pointersRule } from './call-options.js'
export { CALLER, type CalledFor, callerOf } from './caller.js'
export {
  changeSession,
  createSession,
  type Decided,
  type Decision,
  endSession,
  type Refusal,
  rotateSession,
  type Transition,
  takeItem,
  takeRecord,
  touchSession,
} from './decide.js'
export { decodeChange, type EncodedChange, encodeChange } from './document/change.js'
export { assignedIn, type DiffOptions, diff, type Edit, editsFor } from './document/diff.js'
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
export { checkPointer, childOf, type Pointer, pointerFault } from './document/pointer.js'
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
export { deriveView, materialize, type View } from './document/view.js'
export { DURATION_ALLOWED, durationMs, optionalDuration, parseDuration } from './duration.js'
export * from './index.js'
export { decodeItem, encodeItem, type Item, keyOfItem } from './item.js'
export { checkId, KEY_BYTES, newSessionId } from './key.js'
export { largestFields } from './largest-fields.js'
export { LazySession } from './lazy-session.js'
export {
  END_REASONS,
  type End,
  isFarAhead,
  joinEnds,
  joinLeases,
  joinLimits,
  type Lease,
  type Limit,
  openLease,
  type Renewal,
  renewLease,
  TOUCH_GRANULARITY,
} from './lifetime.js'
export { type Merge, type MergeContext, mergeItem, mergeRecord } from './merge.js'
export {
  checkOption,
  checkOptions,
  choiceRule,
  DURATION_OR_ZERO_RULE,
  DURATION_RULE,
  FLAG_RULE,
  FUNCTION_RULE,
  groupRule,
  isLevel,
  LEVEL_RULE,
  limitsRule,
  listRule,
  type OptionRule,
  type OptionTable,
  optionTable,
  portRule,
  type RulesOf,
  requiredOption,
  secretOption,
  textRule,
  wholeRule,
} from './options.js'
export { answer, fail, quorumUnmet, regionsNeeded, startTally, type Tally, type Verdict, verdict } from './quorum.js'
export {
  dueAt,
  type EndedRecord,
  expiresAt,
  isVisible,
  joinRecords,
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
  type RecordLimits,
  readEnd,
  readLease,
  writeEnd,
  writeLease,
} from './record-codec.js'
export { RestingRecord, resting, sharesDocument } from './resting-record.js'
export { compareStamps, nextStamp, type Stamp } from './stamp.js'
export { systemPause } from './system.js'
export { type Ancestor, type FeedId, type Held, heldThrough, raise, resumeFrom, type Vector } from './vector.js'
export { versionHash } from './version-hash.js'
export { nearestName, quoted, quotedList, shownValue } from './wording.js'
