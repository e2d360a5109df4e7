import { EventEmitter } from 'node:events'
import type { Clock, EndReason, ErrorCode, SessionKey } from '@sojourn/core'
import type { LinkChange } from './link-failures.js'

export interface SessionEvent {
  /** See `sessionKey`; ids are secrets and are not in events. */
  readonly key: SessionKey
  /** `'local'`, or the region from which it came. */
  readonly origin: string
}

/** Something is wrong that the replica lives with; nothing acknowledged is lost by it. */
export interface Fault {
  readonly code: ErrorCode
  readonly message: string
}

/** What a replica tells; every event comes after what it tells of is on the disk. */
export interface ReplicaEvents {
  created: [SessionEvent]
  /** The data changed. Renewals are not told. */
  updated: [SessionEvent]
  ended: [SessionEvent & { readonly reason: EndReason }]
  /** A deadline passed. A renewal that is still under way can bring an idle session back; it is `updated` then. */
  expired: [SessionEvent & { readonly cause: 'idle' | 'absolute' }]
  /** Which sessions some commits were of, whatever they did: renewals are told here, too. For who keeps copies of sessions. */
  committed: [readonly SessionKey[]]
  link: [LinkChange]
  fault: [Fault]
}

/** An event that goes with a commit. */
export type CommitEvent = {
  [K in 'created' | 'updated' | 'ended']: { readonly name: K; readonly body: ReplicaEvents[K][0] }
}['created' | 'updated' | 'ended']

/** Typed events whose listeners cannot disturb the replica: what one throws is thrown again on a turn of its own. */
export class Events {
  readonly #emitter = new EventEmitter<ReplicaEvents>()
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  on<K extends keyof ReplicaEvents>(name: K, listener: (...event: ReplicaEvents[K]) => void): void {
    this.#emitter.on(name, listener as never)
  }

  off<K extends keyof ReplicaEvents>(name: K, listener: (...event: ReplicaEvents[K]) => void): void {
    this.#emitter.off(name, listener as never)
  }

  has(name: keyof ReplicaEvents): boolean {
    return this.#emitter.listenerCount(name) > 0
  }

  emit<K extends keyof ReplicaEvents>(name: K, body: ReplicaEvents[K][0]): void {
    try {
      this.#emitter.emit(name, ...([body] as never))
    } catch (error) {
      this.#clock.soon(() => {
        throw error
      })
    }
  }
}
