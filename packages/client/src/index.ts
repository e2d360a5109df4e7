/** The face of @sojourn/client: `connect`. */
/// <reference types="node" preserve="true" />
import { Client } from './client.js'
import type { ClientOptions } from './options.generated.js'
import { resolveOptions } from './options.js'

/**
 * Connects to a server, the nearest that can be reached, and offers the session API over the connection; where it ends, another takes its
 * place by itself.
 * @example
 * const sessions = await connect({ urls: ['wss://eu.example.net:7401'], token: process.env.SOJOURN_TOKEN })
 * const session = await sessions.get(id)
 * @throws INVALID_OPTION, TOKEN_REFUSED, LINK_VERSION, UNAVAILABLE (no server let the client in within `connectTimeout`)
 */
export const connect = async (options: ClientOptions): Promise<Client> => {
  const client = new Client(resolveOptions(options))
  try {
    await client.ready()
    return client
  } catch (error) {
    await client.close()
    throw error
  }
}

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
export { Client } from './client.js'
export type { ClientLimits, ClientOptions, NearCacheOptions } from './options.generated.js'
export { CLIENT_OPTIONS, type LinkChange } from './options.js'
export type { ClientStatus } from './uplink.js'
export type { Dial, DialOptions, TlsOptions } from './websocket.js'
