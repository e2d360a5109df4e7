/** Who writes the changes of which record. */
import type { ActorId, SessionKey } from '@sojourn/core/internal'

/** Hex digits of an actor that name the incarnation; the rest number its actors. */
const INCARNATION_DIGITS = 16

/**
 * Who writes the changes of which record: an actor for each incarnation and record, half incarnation, half number. A record that
 * was purged, rotted or lost here and comes back from a peer may lack changes of ours that others hold, whose numbers are taken; so
 * what comes into a void is written to by a new actor, and a number is never given twice.
 */
export class Actors {
  readonly #incarnation: string
  #minted = 0
  /** Of records that came into a void bearing an actor of ours: that actor, which must not go on. Only of records held here. */
  readonly #burnt = new Map<SessionKey, ActorId>()

  constructor(incarnation: ActorId) {
    this.#incarnation = incarnation.slice(0, INCARNATION_DIGITS)
  }

  /** An actor that has never written. */
  mint(): ActorId {
    return this.#incarnation + (++this.#minted).toString(16).padStart(32 - INCARNATION_DIGITS, '0')
  }

  /** The actor for the next change of a record whose document has seen these. */
  for(key: SessionKey, actors: Iterable<ActorId>): ActorId {
    const latest = this.#latestIn(actors)
    return latest === undefined || latest === this.#burnt.get(key) ? this.mint() : latest
  }

  /** A record came where there was none. */
  arrived(key: SessionKey, actors: Iterable<ActorId>): void {
    const latest = this.#latestIn(actors)
    if (latest !== undefined) this.#burnt.set(key, latest)
  }

  /** A record was removed. */
  removed(key: SessionKey): void {
    this.#burnt.delete(key)
  }

  #latestIn(actors: Iterable<ActorId>): ActorId | undefined {
    let latest: ActorId | undefined
    for (const actor of actors)
      if (actor.startsWith(this.#incarnation) && (latest === undefined || actor > latest)) latest = actor
    return latest
  }
}
