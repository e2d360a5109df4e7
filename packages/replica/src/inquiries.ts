import type { Clock, SessionKey, Tally, Timer } from '@sojourn/core/internal'
import { answer, fail, SojournError, startTally, verdict } from '@sojourn/core/internal'
import type { Tell } from '@sojourn/wire'
import type { Link } from './link.js'

interface Inquiry {
  readonly key: SessionKey
  tally: Tally
  /** Links that have not answered. */
  readonly silent: Set<Link>
  /** Answers that came, of which what they brought is not on the disk yet. */
  taking: number
  readonly timer: Timer
  /** Whom it is made for, where that was said. */
  readonly caller: object | undefined
  readonly settle: (tally: Tally) => void
}

export interface InquiriesOptions {
  readonly clock: Clock
  readonly region: string
  readonly peers: ReadonlyMap<string, string | null>
  readonly maxPending: number
  readonly linkTo: (region: string) => Link | undefined
  /** The version of the record that is held here. */
  readonly versionOf: (key: SessionKey) => string | undefined
  /** Takes in an answer, and mends whoever is behind. Resolves when what it brought is on the disk. */
  readonly take: (link: Link, key: SessionKey, tell: Tell) => Promise<void>
}

/** Questions to the other regions about one session: for quorum reads, for healing, before an end of what is not known here. */
export class Inquiries {
  readonly #options: InquiriesOptions
  readonly #inquiries = new Map<number, Inquiry>()
  #lastRequest = 0

  constructor(options: InquiriesOptions) {
    this.#options = options
  }

  get pending(): number {
    return this.#inquiries.size
  }

  /**
   * Asks every linked region, and resolves as soon as enough regions, this one included, have answered and what they told is
   * on the disk here; or when that cannot be any more; or after `timeoutMs`. The verdict is in the tally.
   * @param level how many are enough; `linked`: all that can be asked
   * @throws OVERLOADED
   */
  consult(key: SessionKey, level: number | 'linked', timeoutMs: number, caller?: object): Promise<Tally> {
    const { clock, region, peers, linkTo, maxPending } = this.#options
    if (this.#inquiries.size >= maxPending)
      throw new SojournError('OVERLOADED', `${maxPending} reads wait for other regions (limits.maxPendingQuorums)`, {
        limit: maxPending,
      })
    const silent = new Set<Link>()
    const away: string[] = []
    for (const peer of peers.keys()) {
      const link = linkTo(peer)
      if (link) silent.add(link)
      else away.push(peer)
    }
    const need = level === 'linked' ? silent.size + 1 : level
    const tally = away.reduce(fail, startTally(need, peers.size + 1, region))
    if (verdict(tally) !== 'open') return Promise.resolve(tally)
    const request = ++this.#lastRequest
    return new Promise((resolve) => {
      const timer = clock.after(timeoutMs, () => {
        this.#inquiries.delete(request)
        resolve(inquiry.tally)
      })
      timer.hold()
      const settle = (verdictOf: Tally) => {
        timer.release()
        resolve(verdictOf)
      }
      const inquiry: Inquiry = { key, tally, silent, taking: 0, timer, caller, settle }
      this.#inquiries.set(request, inquiry)
      for (const link of silent) this.#ask(link, request, key)
    })
  }

  #ask(link: Link, request: number, key: SessionKey): void {
    link.send({ type: 'ask', request, key, version: this.#options.versionOf(key) })
  }

  /** What was asked over a connection that was replaced is asked again over the new one. */
  replaced(old: Link, link: Link): void {
    for (const [request, inquiry] of this.#inquiries)
      if (inquiry.silent.delete(old)) {
        inquiry.silent.add(link)
        this.#ask(link, request, inquiry.key)
      }
  }

  /** An answer came. Also one that comes after the verdict is taken in: it may show who is behind. */
  async told(link: Link, tell: Tell): Promise<void> {
    const inquiry = this.#inquiries.get(tell.request)
    if (!inquiry?.silent.delete(link)) return
    const { region } = link.peer
    if (tell.what === 'corrupt') this.#count(tell.request, inquiry, fail(inquiry.tally, region))
    else {
      let count = fail
      inquiry.taking++
      try {
        await this.#options.take(link, inquiry.key, tell)
        count = answer
      } finally {
        inquiry.taking--
        this.#count(tell.request, inquiry, count(inquiry.tally, region))
      }
    }
  }

  /** A link went down: it will not answer. */
  lost(region: string): void {
    for (const [request, inquiry] of this.#inquiries)
      for (const link of inquiry.silent)
        if (link.peer.region === region) {
          inquiry.silent.delete(link)
          this.#count(request, inquiry, fail(inquiry.tally, region))
        }
  }

  /** A caller is gone for good: what it waits for is answered now, with what has come. */
  abandon(caller: object): void {
    for (const [request, inquiry] of [...this.#inquiries]) {
      if (inquiry.caller !== caller) continue
      inquiry.timer.cancel()
      this.#inquiries.delete(request)
      inquiry.settle(inquiry.tally)
    }
  }

  #count(request: number, inquiry: Inquiry, tally: Tally): void {
    inquiry.tally = tally
    if (verdict(tally) !== 'open') inquiry.settle(tally)
    if (inquiry.silent.size + inquiry.taking > 0) return
    inquiry.timer.cancel()
    this.#inquiries.delete(request)
    inquiry.settle(tally)
  }

  close(): void {
    for (const inquiry of this.#inquiries.values()) {
      inquiry.timer.cancel()
      inquiry.settle(inquiry.tally)
    }
    this.#inquiries.clear()
  }
}
