/** What was sent over a link and is not acknowledged: it bounds how far a sender is ahead of its peer. */

interface Sent {
  readonly through: number
  readonly bytes: number
}

/** The oldest first. */
export class Inflight {
  #sent: Sent[] = []
  #bytes = 0

  /** What the peer has to keep for it until it is on its disk. */
  get bytes(): number {
    return this.#bytes
  }

  add(through: number, bytes: number): void {
    this.#sent.push({ through, bytes })
    this.#bytes += bytes
  }

  /** The peer has all through a sequence. */
  acked(through: number): void {
    let count = 0
    for (const sent of this.#sent) {
      if (sent.through > through) break
      this.#bytes -= sent.bytes
      count++
    }
    if (count > 0) this.#sent.splice(0, count)
  }

  clear(): void {
    this.#sent = []
    this.#bytes = 0
  }
}
