import type { SessionApi, StoredSession } from '@sojourn/core/internal'
import { SojournError } from '@sojourn/core/internal'
import { encodeData, type PageAnswer } from '@sojourn/wire'
import type { Holdings } from './holdings.js'

const MAX_PAGE_SESSIONS = 256
const TARGET_PAGE_BYTES = 64 * 1024

interface Walk {
  readonly iterator: AsyncIterator<StoredSession>
  /** A page of it is being made. */
  isBusy: boolean
  /** To be ended as soon as it is not busy. */
  isLeft: boolean
}

/** The walks of one connection over all sessions: each goes on when its client asks for the next page, so it is as fast as that one reads. */
export class Walks {
  readonly #sessions: SessionApi
  readonly #holdings: Pick<Holdings, 'scan' | 'scanned'>
  readonly #walks = new Map<number, Walk>()

  constructor(sessions: SessionApi, holdings: Pick<Holdings, 'scan' | 'scanned'>) {
    this.#sessions = sessions
    this.#holdings = holdings
  }

  /** @throws OVERLOADED */
  async begin(number: number): Promise<PageAnswer> {
    this.#holdings.scan()
    const iterator = this.#sessions.sessions()[Symbol.asyncIterator]()
    this.#walks.set(number, { iterator, isBusy: false, isLeft: false })
    return this.step(number, number)
  }

  /** @throws FRAME_UNEXPECTED */
  async step(number: number, asked: number): Promise<PageAnswer> {
    const walk = this.#walks.get(number)
    if (walk === undefined || walk.isBusy)
      throw new SojournError(
        'FRAME_UNEXPECTED',
        walk ? 'a page of this walk is being made' : 'no such walk is under way',
      )
    walk.isBusy = true
    const page: PageAnswer['sessions'][number][] = []
    try {
      let bytes = 0
      while (page.length < MAX_PAGE_SESSIONS && bytes < TARGET_PAGE_BYTES && !walk.isLeft) {
        const next = await walk.iterator.next()
        if (next.done) {
          walk.isLeft = true
          break
        }
        const { key, createdAt, expiresAt } = next.value
        const data = encodeData(next.value.data)
        bytes += data.length
        page.push({ key, createdAt, expiresAt, data })
      }
      return { type: 'page', number: asked, sessions: page, isLast: walk.isLeft }
    } catch (error) {
      walk.isLeft = true
      throw error
    } finally {
      walk.isBusy = false
      if (walk.isLeft) this.leave(number)
    }
  }

  leave(number: number): void {
    const walk = this.#walks.get(number)
    if (walk === undefined) return
    walk.isLeft = true
    if (walk.isBusy) return
    this.#walks.delete(number)
    this.#holdings.scanned()
    walk.iterator.return?.()?.catch(() => {})
  }

  leaveAll(): void {
    for (const number of [...this.#walks.keys()]) this.leave(number)
  }
}
