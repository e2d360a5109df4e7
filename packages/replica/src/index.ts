/** The face of @sojourn/replica: `openReplica`. */
/// <reference types="node" preserve="true" />
import type { ReplicaOptions } from './options.js'
import { resolveOptions } from './options.js'
import { Replica } from './replica.js'
import { Runtime } from './runtime.js'

/**
 * Opens a region's copy: the store, then the links. Peers that are down are dialed until they are there; the replica serves meanwhile.
 * @example
 * const sessions = await openReplica({ region: 'eu', location: './data/eu' })
 * const { id } = await sessions.create({ user: 'ada' })
 * @throws INVALID_OPTION, STORE_LOCKED, STORE_FOREIGN, STORE_CORRUPT, STORE_FORMAT, STORE_FAILED, ENCRYPTION_KEY
 */
export const openReplica = async (options: ReplicaOptions): Promise<Replica> =>
  new Replica(await Runtime.open(resolveOptions(options)))

export {
  type Authenticated,
  type CreateOptions,
  type Data,
  type Duration,
  type ElevateOptions,
  type EndHandleOptions,
  type EndOptions,
  type EndReason,
  type EndReceipt,
  type EndSubjectOptions,
  ERROR_CODES,
  type ErrorCode,
  isSojournError,
  type Level,
  type Lifetimes,
  type Limits,
  PROFILES,
  type Profile,
  type ReadOptions,
  type ReplaceOptions,
  type RotateOptions,
  type Session,
  type SessionApi,
  type SessionKey,
  SojournError,
  type StoredSession,
  type SubjectSession,
  sessionKey,
  type TouchOptions,
  type Update,
  type UpdateOptions,
  type WriteOptions,
} from '@sojourn/core'
export type { CreateServer, TlsOptions } from '@sojourn/net'
export type { Encryption, EncryptionStatus, KeyProvider, KeyRing, RingKey } from '@sojourn/store'
export type { LinkFailure, LinkReason, LinkStatus, ReplicaStatus } from '@sojourn/wire'
export type { Fault, ReplicaEvents, SessionEvent } from './events.js'
export type { LinkChange } from './link-failures.js'
export type { Ports, ReplicaOptions } from './options.js'
export { Replica } from './replica.js'
export { type WebSocketOptions, webSocketTransport } from './websocket.js'
