/** What one connection holds of the budgets, from its first byte to the answer of its last request. */
import type { Level } from '@sojourn/core/internal'
import { SojournError } from '@sojourn/core/internal'
import { type ClientRequest, dataBytes } from '@sojourn/wire'
import type { Budget } from './budget.js'
import type { Budgets, Kept } from './budgets.js'
import { WEIGHTS } from './limits.js'

/** A request that was let in. */
export interface Admitted {
  readonly bytes: number
  /** Whether it may wait for other regions. */
  readonly isQuorum: boolean
}

/** The levels of calls that say none. */
export interface DefaultLevels {
  readonly read: Level
  readonly write: Level
}

export class Holdings {
  readonly #budgets: Budgets
  readonly #giveWay: (error: SojournError) => void
  #frames: Budget
  #answers: Budget
  #requests: Budget | undefined
  #quorums: Budget | undefined
  #watches: Budget | undefined
  #scans: Budget | undefined
  #underWay = 0
  #isClosed = false

  /** @param giveWay ends the connection: it has most of what there is no room for */
  constructor(budgets: Budgets, giveWay: (error: SojournError) => void) {
    this.#budgets = budgets
    this.#giveWay = giveWay
    this.#frames = this.#open('frames', undefined)
    this.#answers = this.#open('answers', undefined)
  }

  #open(kind: 'frames' | 'answers', token: string | undefined): Budget {
    return this.#budgets.open(kind, token, (over) => {
      this.#budgets.exceeds(kind)
      const what = kind === 'frames' ? 'frames are incomplete or unread' : 'answers are unread'
      this.#giveWay(
        new SojournError('OVERLOADED', `${over.max} bytes of ${what}, and most are of this client (${over.limit})`, {
          limit: over.max,
        }),
      )
    })
  }

  /** It is known now who this is. */
  join(token: string): void {
    const { used } = this.#frames
    this.#frames.close()
    this.#answers.close()
    this.#frames = this.#open('frames', token)
    this.#answers = this.#open('answers', token)
    this.#requests = this.#budgets.open('requests', token)
    this.#quorums = this.#budgets.open('quorums', token)
    this.#watches = this.#budgets.open('watches', token)
    this.#scans = this.#budgets.open('scans', token)
    this.#frames.set(used)
  }

  /** @param bytes of frames that have come in part, or wait to be read. The connection may have ended on return */
  receiving(bytes: number): void {
    if (!this.#isClosed) this.#frames.set(bytes)
  }

  /** @param bytes of answers that the client has not taken. The connection may have ended on return */
  unread(bytes: number): void {
    if (!this.#isClosed) this.#answers.set(bytes)
  }

  /** @throws OVERLOADED */
  admit(request: ClientRequest, levels: DefaultLevels): Admitted {
    const admitted = { bytes: WEIGHTS.request + 2 * dataBytes(request), isQuorum: waitsForOthers(request, levels) }
    if (admitted.isQuorum) this.#take('quorums', this.#quorums!, 1, 'requests wait for other regions')
    try {
      this.#take('requests', this.#requests!, admitted.bytes, 'bytes of requests are unanswered')
    } catch (error) {
      if (admitted.isQuorum) this.#quorums!.give(1)
      throw error
    }
    this.#underWay++
    return admitted
  }

  #take(kind: Kept, budget: Budget, amount: number, what: string): void {
    const full = budget.take(amount)
    if (full === undefined) return
    this.#budgets.exceeds(kind)
    const max = Math.floor(full.max)
    throw new SojournError('OVERLOADED', `${max} ${what} (clients.limits: ${full.limit}); try again later`, {
      limit: max,
    })
  }

  answered({ bytes, isQuorum }: Admitted): void {
    this.#requests!.give(bytes)
    if (isQuorum) this.#quorums!.give(1)
    this.#underWay--
    if (this.#isClosed) this.#closeRequests()
  }

  /** Whether one more session can be watched. */
  watch(): boolean {
    const full = this.#watches!.take(WEIGHTS.watch)
    if (full) this.#budgets.exceeds('watches')
    return full === undefined
  }

  unwatch(): void {
    this.#watches!.give(WEIGHTS.watch)
  }

  /** @throws OVERLOADED */
  scan(): void {
    const full = this.#scans!.take(WEIGHTS.scan)
    if (full === undefined) return
    this.#budgets.exceeds('scans')
    const max = Math.floor(full.max / WEIGHTS.scan)
    throw new SojournError('OVERLOADED', `${max} scans are running (clients.limits: ${full.limit})`, {
      limit: max,
    })
  }

  scanned(): void {
    this.#scans!.give(WEIGHTS.scan)
  }

  /** The connection has ended; what it asked is still being answered. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const budget of [this.#frames, this.#answers, this.#watches, this.#scans]) budget?.close()
    this.#closeRequests()
  }

  #closeRequests(): void {
    if (this.#underWay > 0) return
    this.#requests?.close()
    this.#quorums?.close()
  }
}

/** An end asks the others where the session is not known here, and a receipt says which of them hold it. */
const waitsForOthers = (request: ClientRequest, levels: DefaultLevels): boolean => {
  switch (request.type) {
    case 'count':
    case 'scan':
    case 'step':
    case 'isLive':
    case 'sessionsOf':
    case 'stepOf':
      return false
    case 'end':
    case 'endHandle':
    case 'endOthers':
    case 'endSubject':
      return true
    case 'get':
      return request.choices.after !== undefined || isAbove(request.choices.read ?? levels.read)
    default:
      return isAbove(request.choices.write ?? levels.write)
  }
}

const isAbove = (level: Level): boolean => level !== 'local' && level !== 1
