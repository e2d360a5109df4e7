/// <reference types="node" preserve="true" />
export { type DirectoryLock, lockDirectory } from './directory-lock.js'
export { IN_MEMORY, levelEngine } from './engines/level.js'
export type { FeedCursor } from './index/feed-order.js'
export { type Origin, RANGE_BITS } from './index/session-index.js'
export type { VersionSum } from './index/version-sums.js'
export type { JournalTail } from './journal-tail.js'
export type { Fsync } from './journal-writer.js'
export { makePrivateDirectory } from './private-directory.js'
export type { Entry, Reading } from './record-reader.js'
export {
  type Commit,
  type Committed,
  type IndexView,
  RecordStore,
  type RecordStoreOptions,
  type TransactOptions,
} from './record-store.js'
export { type FillOptions, fillStore } from './snapshot.js'
