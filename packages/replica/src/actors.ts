import type { ActorId, Fold, SessionKey } from '@sojourn/core/internal'

/** Hex digits of an actor that name the opening; the rest number its actors. */
const OPENING_DIGITS = 16

/**
 * Who writes the changes of which record: an actor for each opening and record, half opening, half number. A record that
 * was purged, rotted or lost here and comes back from a peer may lack changes of ours that others hold, whose numbers are taken; so
 * what comes into a void is written to by a new actor, and a number is never given twice.
 */
export class Actors {
  readonly #opening: string
  #minted = 0
  /** Of records that came into a void bearing an actor of ours: that actor, which must not go on. Only of records held here. */
  readonly #burnt = new Map<SessionKey, ActorId>()

  constructor(opening: ActorId) {
    this.#opening = opening.slice(0, OPENING_DIGITS)
  }

  /** An actor that has never written. */
  mint(): ActorId {
    return this.#opening + (++this.#minted).toString(16).padStart(32 - OPENING_DIGITS, '0')
  }

  /** The actor for a record's next change. */
  for(key: SessionKey, document: Fold): ActorId {
    const latest = this.#latestIn(document)
    return latest === undefined || latest === this.#burnt.get(key) ? this.mint() : latest
  }

  /** A record came where there was none. */
  arrived(key: SessionKey, document: Fold): void {
    const latest = this.#latestIn(document)
    if (latest !== undefined) this.#burnt.set(key, latest)
  }

  /** A record was removed. */
  removed(key: SessionKey): void {
    this.#burnt.delete(key)
  }

  #latestIn(document: Fold): ActorId | undefined {
    let latest: ActorId | undefined
    for (const actor of document.seen.keys())
      if (actor.startsWith(this.#opening) && (latest === undefined || actor > latest)) latest = actor
    return latest
  }
}
