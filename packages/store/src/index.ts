export { fillStore } from './copy.js'
export type { ExpiryRow, FeedRow, Origin } from './keyspace.js'
export { IN_MEMORY, levelEngine } from './level.js'
export { type Commit, type Entry, type Fsync, RecordStore, type RecordStoreOptions } from './record-store.js'
