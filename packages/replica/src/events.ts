/** What a replica emits, and to whom. */
import { EventEmitter } from 'node:events'
import {
  type Clock,
  checkOption,
  choiceRule,
  type EndReason,
  type ErrorCode,
  FUNCTION_RULE,
  type SessionKey,
} from '@sojourn/core/internal'
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

/** What a replica emits; every event of a session but `refused` comes after what it reports is on the disk. */
export interface ReplicaEvents {
  created: [SessionEvent]
  /** A subject logged in, or logged in anew. */
  elevated: [SessionEvent]
  /** The session has another secret, or one more for a grace. */
  rotated: [SessionEvent]
  /** A secret was shown whose grace is over: who shows it has an old id, or has stolen one. */
  reused: [SessionEvent]
  /** The data changed. Renewals are not emitted. */
  updated: [SessionEvent]
  ended: [SessionEvent & { readonly reason: EndReason }]
  /** A deadline passed. A renewal that is still under way can bring an idle session back; it is `updated` then. */
  expired: [SessionEvent & { readonly cause: 'idle' | 'absolute' }]
  /** Which sessions some commits were of, whatever they did: renewals are emitted here, too. For who keeps copies of sessions. */
  committed: [readonly SessionKey[]]
  /**
   * Which sessions some commits were of that the disk refused: who read one meanwhile may have been shown what was never written. For who
   * keeps copies of sessions.
   */
  refused: [readonly SessionKey[]]
  link: [LinkChange]
  fault: [Fault]
}

/** All of them: the compiler finds the one that was forgotten. */
const NAMES: { readonly [name in keyof ReplicaEvents]: true } = {
  created: true,
  elevated: true,
  rotated: true,
  reused: true,
  updated: true,
  ended: true,
  expired: true,
  committed: true,
  refused: true,
  link: true,
  fault: true,
}
export const EVENT_NAMES: readonly string[] = Object.keys(NAMES)
const NAME_RULE = choiceRule(EVENT_NAMES)

/** @throws INVALID_OPTION for a name that no event has, and for what is no listener */
const checkListener = (name: unknown, listener: unknown): void => {
  checkOption(name, 'event', NAME_RULE)
  checkOption(listener, 'listener', FUNCTION_RULE)
}

/** Typed events whose listeners cannot disturb the replica: what one throws is thrown again on a turn of its own. */
export class Events {
  readonly #emitter = new EventEmitter<ReplicaEvents>()
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  on<K extends keyof ReplicaEvents>(name: K, listener: (...event: ReplicaEvents[K]) => void): void {
    checkListener(name, listener)
    this.#emitter.on(name, listener as never)
  }

  off<K extends keyof ReplicaEvents>(name: K, listener: (...event: ReplicaEvents[K]) => void): void {
    checkListener(name, listener)
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
