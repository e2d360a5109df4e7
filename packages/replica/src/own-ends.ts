/** Ends that nobody asks for: of a session whose superseded secret is shown, and of one that is too many. */
import type { EndReason, SessionKey } from '@sojourn/core/internal'
import { endSession, GONE } from '@sojourn/core/internal'
import type { RecordStore } from '@sojourn/store'
import type { Events } from './events.js'
import type { Settings } from './options.js'

export interface OwnEndsOptions {
  readonly store: RecordStore
  readonly settings: Pick<Settings, 'reuse' | 'maxLifetimeMs' | 'ports'>
  readonly events: Events
  readonly failed: (error: unknown) => void
}

export class OwnEnds {
  readonly #options: OwnEndsOptions
  #reused = 0

  constructor(options: OwnEndsOptions) {
    this.#options = options
  }

  /** How often a superseded secret was shown. */
  get reused(): number {
    return this.#reused
  }

  /** A superseded secret was shown after its grace. */
  reuse(key: SessionKey): void {
    const { settings, events, failed } = this.#options
    this.#reused++
    events.emit('reused', { key, origin: 'local' })
    if (settings.reuse === 'end') settings.ports.clock.soon(() => this.end(key, 'reused').catch(failed))
  }

  /** Ends a session that is held here. Resolves when that is in the journal. */
  async end(key: SessionKey, reason: EndReason): Promise<void> {
    const { store, settings } = this.#options
    const { maxLifetimeMs, ports } = settings
    const made = await store.transact(key, (reading) => {
      const isLive = reading.state === 'held' && reading.record.kind === 'live'
      if (!isLive) return GONE
      return endSession(reading.record, ports.clock.now(), { key, reason, stamps: store.actor, maxLifetimeMs })
    })
    await made.done
  }
}
