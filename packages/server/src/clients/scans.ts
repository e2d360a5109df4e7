/** The scans of one connection over all sessions. */
import type { SessionApi, StoredSession } from '@sojourn/core/internal'
import { SojournError } from '@sojourn/core/internal'
import { encodeData, type PageAnswer } from '@sojourn/wire'
import type { Holdings } from './holdings.js'

const MAX_PAGE_SESSIONS = 256
const TARGET_PAGE_BYTES = 64 * 1024

interface Scan {
  readonly iterator: AsyncIterator<StoredSession>
  /** A page of it is being made. */
  isBusy: boolean
  /** To be ended as soon as it is not busy. */
  isLeft: boolean
}

/** The scans of one connection over all sessions: each goes on when its client asks for the next page, so it is as fast as that one reads. */
export class Scans {
  readonly #sessions: SessionApi
  readonly #holdings: Pick<Holdings, 'scan' | 'scanned'>
  readonly #scans = new Map<number, Scan>()

  constructor(sessions: SessionApi, holdings: Pick<Holdings, 'scan' | 'scanned'>) {
    this.#sessions = sessions
    this.#holdings = holdings
  }

  /** @throws OVERLOADED */
  async begin(number: number): Promise<PageAnswer> {
    this.#holdings.scan()
    const iterator = this.#sessions.sessions()[Symbol.asyncIterator]()
    this.#scans.set(number, { iterator, isBusy: false, isLeft: false })
    return this.step(number, number)
  }

  /** @throws FRAME_UNEXPECTED */
  async step(number: number, asked: number): Promise<PageAnswer> {
    const scan = this.#scans.get(number)
    if (scan === undefined || scan.isBusy)
      throw new SojournError(
        'FRAME_UNEXPECTED',
        scan ? 'the server is still reading a page of this scan' : 'the connection has no such scan',
      )
    scan.isBusy = true
    const page: PageAnswer['sessions'][number][] = []
    try {
      let bytes = 0
      while (page.length < MAX_PAGE_SESSIONS && bytes < TARGET_PAGE_BYTES && !scan.isLeft) {
        const next = await scan.iterator.next()
        if (next.done) {
          scan.isLeft = true
          break
        }
        const { key, createdAt, expiresAt } = next.value
        const data = encodeData(next.value.data)
        bytes += data.length
        page.push({ key, createdAt, expiresAt, data })
      }
      return { type: 'page', number: asked, sessions: page, isLast: scan.isLeft }
    } catch (error) {
      scan.isLeft = true
      throw error
    } finally {
      scan.isBusy = false
      if (scan.isLeft) this.leave(number)
    }
  }

  leave(number: number): void {
    const scan = this.#scans.get(number)
    if (scan === undefined) return
    scan.isLeft = true
    if (scan.isBusy) return
    this.#scans.delete(number)
    this.#holdings.scanned()
    scan.iterator.return?.()?.catch(() => {})
  }

  leaveAll(): void {
    for (const number of [...this.#scans.keys()]) this.leave(number)
  }
}
