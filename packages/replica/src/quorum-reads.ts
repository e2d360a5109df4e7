/** Questions to the other regions about one session: for quorum reads, for healing, before an end of what is not known here. */
import type { Clock, SessionKey, Tally, Timer } from '@sojourn/core/internal'
import { answer, fail, SojournError, startTally, verdict } from '@sojourn/core/internal'
import type { Ask, Records, Tell } from '@sojourn/wire'
import type { Peer } from './peer.js'
import type { RecordRepair } from './record-repair.js'

interface Question {
  readonly key: SessionKey
  tally: Tally
  /** Peers that have not answered. */
  readonly silent: Set<Peer>
  /** Answers that came, of which what they brought is not on the disk yet. */
  taking: number
  readonly timer: Timer
  /** Whom it is made for, where that was said. */
  readonly caller: object | undefined
  readonly settle: (tally: Tally) => void
}

export interface QuorumReadsOptions {
  readonly clock: Clock
  readonly region: string
  readonly peers: ReadonlyMap<string, string | null>
  readonly maxPending: number
  /** The other side of the link with a region, where there is one. */
  readonly linkTo: (region: string) => Peer | undefined
  readonly ask: (peer: Peer, ask: Ask) => void
  /** Takes in answers: what they bring is in the journal when that resolves. */
  readonly repair: Pick<RecordRepair, 'versionOf' | 'isCorrupt' | 'isTooLarge' | 'take'>
}

export class QuorumReads {
  readonly #options: QuorumReadsOptions
  readonly #asked = new Map<number, Question>()
  #lastRequest = 0

  constructor(options: QuorumReadsOptions) {
    this.#options = options
  }

  get pending(): number {
    return this.#asked.size
  }

  /**
   * Asks every linked region. Resolves as soon as enough regions, this one included, have answered and what they answered is
   * on the disk here. Also resolves when that cannot be any more, or after `timeoutMs`. The verdict is in the tally.
   * @param level how many are enough; `linked`: all that can be asked
   * @throws OVERLOADED
   */
  consult(key: SessionKey, level: number | 'linked', timeoutMs: number, caller?: object): Promise<Tally> {
    const { clock, region, peers, linkTo, maxPending } = this.#options
    if (this.#asked.size >= maxPending)
      throw new SojournError('OVERLOADED', `${maxPending} reads wait for other regions (limits.maxPendingQuorums)`, {
        limit: maxPending,
      })
    const silent = new Set<Peer>()
    const away: string[] = []
    for (const peer of peers.keys()) {
      const linked = linkTo(peer)
      if (linked) silent.add(linked)
      else away.push(peer)
    }
    const isCorrupt = this.#options.repair.isCorrupt(key)
    const need = level === 'linked' ? silent.size + (isCorrupt ? 0 : 1) : level
    const tally = away.reduce(fail, startTally(need, peers.size + 1, region, isCorrupt))
    if (verdict(tally) !== 'open') return Promise.resolve(tally)
    const request = ++this.#lastRequest
    return new Promise((resolve) => {
      const timer = clock.after(timeoutMs, () => {
        this.#asked.delete(request)
        resolve(question.tally)
      })
      timer.hold()
      const settle = (verdictOf: Tally) => {
        timer.release()
        resolve(verdictOf)
      }
      const question: Question = { key, tally, silent, taking: 0, timer, caller, settle }
      this.#asked.set(request, question)
      for (const asked of silent) this.#ask(asked, request, key)
    })
  }

  #ask(peer: Peer, request: number, key: SessionKey): void {
    const { ask, repair } = this.#options
    ask(peer, { type: 'ask', request, key, version: repair.versionOf(key) })
  }

  /** What was asked over a connection that was replaced is asked again over the new one. */
  replaced(old: Peer, peer: Peer): void {
    for (const [request, question] of this.#asked)
      if (question.silent.delete(old)) {
        question.silent.add(peer)
        this.#ask(peer, request, question.key)
      }
  }

  /**
   * An answer came. Also one that comes after the verdict is taken in: it may show who lags. Resolves with what the peer lacks, when what it
   * brought is in the journal.
   */
  async answered(peer: Peer, reply: Tell): Promise<Records | undefined> {
    const question = this.#asked.get(reply.request)
    if (!question?.silent.delete(peer)) return undefined
    const { region } = peer
    if (reply.what === 'corrupt' || this.#options.repair.isTooLarge(reply)) {
      this.#count(reply.request, question, fail(question.tally, region))
      return undefined
    }
    let count = fail
    question.taking++
    try {
      const lacking = await this.#options.repair.take(region, question.key, reply)
      count = answer
      return lacking
    } finally {
      question.taking--
      this.#count(reply.request, question, count(question.tally, region))
    }
  }

  /** A link went down: it will not answer. */
  lost(region: string): void {
    for (const [request, question] of this.#asked)
      for (const peer of question.silent)
        if (peer.region === region) {
          question.silent.delete(peer)
          this.#count(request, question, fail(question.tally, region))
        }
  }

  /** A caller is gone for good: what it waits for is answered now, with what has come. */
  abandon(caller: object): void {
    for (const [request, question] of [...this.#asked]) {
      if (question.caller !== caller) continue
      question.timer.cancel()
      this.#asked.delete(request)
      question.settle(question.tally)
    }
  }

  #count(request: number, question: Question, tally: Tally): void {
    question.tally = tally
    if (verdict(tally) !== 'open') question.settle(tally)
    if (question.silent.size + question.taking > 0) return
    question.timer.cancel()
    this.#asked.delete(request)
    question.settle(tally)
  }

  close(): void {
    for (const question of this.#asked.values()) {
      question.timer.cancel()
      question.settle(question.tally)
    }
    this.#asked.clear()
  }
}
