/** What the listener does with the connection of a client, and what such a connection needs of the listener. */
import type { Clock, SessionApi, SojournError } from '@sojourn/core/internal'
import type { Speech } from '@sojourn/wire'
import type { TokenBook } from '../tokens.js'
import type { Budgets } from './budgets.js'
import type { DefaultLevels } from './holdings.js'
import type { ClientLimits } from './limits.js'
import type { ReplyCache } from './reply-cache.js'
import type { ClientTotals } from './totals.js'
import type { Watches } from './watches.js'

export interface Connected {
  /** When the client was heard last, monotonic. */
  readonly heardAt: number
  /** Requests that wait for their answers. */
  readonly inFlight: number
  /** The server is about to end. */
  drain(): void
  /** Whether the token that let the client in still does, with the same scope or another. */
  recheck(): void
  /** Ends the connection, and sends why. */
  refuse(error: SojournError): void
  destroy(): void
}

export interface ConnectionHost {
  readonly sessions: SessionApi
  readonly clock: Clock
  readonly limits: ClientLimits
  readonly tokens: TokenBook
  readonly budgets: Budgets
  readonly replyCache: ReplyCache
  readonly watches: Watches
  readonly totals: ClientTotals
  /** Made anew with each listener. */
  readonly server: string
  readonly region: string
  /** What this side speaks. */
  readonly speech: Speech
  readonly levels: DefaultLevels
  readonly isDraining: () => boolean
  /** A client was recognised. @throws OVERLOADED where there are too many */
  readonly admit: (connection: Connected) => void
  readonly ended: (connection: Connected) => void
  /** Nobody waits any more for what calls for this caller wait for. */
  readonly abandon: (caller: object) => void
  /** Something that ought not to be thrown was. */
  readonly failed: (error: unknown) => void
}
