/** Peers that hang, noticed before their links time out. */
import type { Clock, Timer } from '@sojourn/core/internal'
import type { Link } from './link.js'

/**
 * How long claims may stand still for what another peer has yet to deliver. Longer than one way to a region can sensibly be slower than
 * another, and short against the time that a quorum is given.
 */
const STALL_MS = 250

export interface StallsOptions {
  readonly clock: Clock
  /** How long a peer counts as stalled at the least. */
  readonly minStallMs: number
  readonly links: () => Iterable<Link>
}

/** Claims of one link wait for what another has yet to deliver. */
interface Wait {
  readonly link: Link
  readonly next: unknown
  readonly owing: Link
  readonly position: number
}

const isSame = (before: Wait, now: Wait | undefined): boolean =>
  now !== undefined && before.next === now.next && before.owing === now.owing && before.position === now.position

/**
 * Notices peers that hang, before their links time out. What one peer leaves out, because another delivers it, holds up what can be claimed
 * of the first: a region that hangs would so hold up quorums that do not need it. It is treated as one that has no link for as
 * long: the others get that news, and send what it owes themselves.
 */
export class Stalls {
  readonly #options: StallsOptions
  /** Links whose feeds are not waited for, and since when, on the monotonic clock. */
  readonly #stalled = new Map<Link, number>()
  #timer: Timer | undefined

  constructor(options: StallsOptions) {
    this.#options = options
  }

  isStalled(link: Link): boolean {
    return this.#stalled.has(link)
  }

  /** Called when all that could be claimed was claimed: sees to it that what still waits does not wait for long. */
  watch(): void {
    if (this.#timer) return
    const waits = [...this.#options.links()].flatMap((link) => this.#waitOf(link) ?? [])
    if (waits.length === 0) return
    this.#timer = this.#options.clock.after(STALL_MS, () => {
      this.#timer = undefined
      this.#giveUp(waits.filter((wait) => isSame(wait, this.#waitOf(wait.link))))
      this.watch()
    })
  }

  /** What the claims of a link wait for; undefined where they wait for nothing, or for nothing that a peer must send. */
  #waitOf(link: Link): Wait | undefined {
    const feed = link.isClosed ? undefined : link.inbound.awaited
    if (feed === undefined) return undefined
    const owing = [...this.#options.links()].find((other) => other.peer.feed === feed)
    // What is not on the disk here, or itself waits for another, is not its fault.
    if (owing === undefined || owing.inbound.isWriting || owing.inbound.awaited !== undefined) return undefined
    return { link, next: link.inbound.next, owing, position: owing.inbound.position }
  }

  /** These stood still: whom they wait for is not waited for. */
  #giveUp(waits: readonly Wait[]): void {
    const { clock, links } = this.#options
    if (waits.length === 0) return
    for (const { owing } of waits) this.#stalled.set(owing, clock.monotonic())
    const stuck = new Set(waits.map(({ link }) => link))
    for (const link of links()) link.linksChanged(stuck.has(link))
  }

  /** All that the peer has sent is held here. */
  delivered(link: Link): void {
    const since = this.#stalled.get(link)
    const { clock, minStallMs, links } = this.#options
    if (since === undefined || clock.monotonic() - since < minStallMs) return
    this.#stalled.delete(link)
    for (const other of links()) if (other !== link) other.linksChanged(false)
  }

  /** A link is gone. */
  forget(link: Link): void {
    this.#stalled.delete(link)
  }

  close(): void {
    this.#timer?.cancel()
  }
}
