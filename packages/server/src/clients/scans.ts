/** The scans of one connection: over all sessions, and over those of a subject. */
import type { SessionApi } from '@sojourn/core/internal'
import { SojournError } from '@sojourn/core/internal'
import { type ClientRequest, encodeData, type PageAnswer, type SubjectPageAnswer } from '@sojourn/wire'
import { shownAuth } from './answers.js'
import type { Holdings } from './holdings.js'

const MAX_PAGE_SESSIONS = 256
const TARGET_PAGE_BYTES = 64 * 1024
/** A session of a subject, with a device and methods of usual length. */
const SUBJECT_ROW_BYTES = 256

export type ScanRequest = Extract<ClientRequest, { type: 'scan' | 'step' | 'sessionsOf' | 'stepOf' }>

type Row = PageAnswer['sessions'][number]
type SubjectRow = SubjectPageAnswer['sessions'][number]

interface Scan {
  /** Whose pages it has: a token that may read those of a subject is not for that let into the other one. */
  readonly step: 'step' | 'stepOf'
  readonly iterator: AsyncIterator<Row | SubjectRow>
  /** A page of it is being made. */
  isBusy: boolean
  /** To be ended as soon as it is not busy. */
  isLeft: boolean
}

async function* allOf(sessions: SessionApi): AsyncGenerator<Row> {
  for await (const { key, data, createdAt, expiresAt } of sessions.sessions())
    yield { key, createdAt, expiresAt, data: encodeData(data) }
}

async function* ofSubject(sessions: SessionApi, subject: string): AsyncGenerator<SubjectRow> {
  for await (const { handle, createdAt, lastUsedAt, expiresAt, device, auth, region } of sessions.sessionsOf(subject))
    yield { handle, createdAt, lastUsedAt, expiresAt, more: { device, auth: auth && shownAuth(auth), region } }
}

/** The scans of one connection: each goes on when its client asks for the next page, so it is as fast as that one reads. */
export class Scans {
  readonly #sessions: SessionApi
  readonly #holdings: Pick<Holdings, 'scan' | 'scanned'>
  readonly #scans = new Map<number, Scan>()

  constructor(sessions: SessionApi, holdings: Pick<Holdings, 'scan' | 'scanned'>) {
    this.#sessions = sessions
    this.#holdings = holdings
  }

  /** What a request for a page is answered. @throws OVERLOADED, FRAME_UNEXPECTED, and what the session API throws */
  answer(request: ScanRequest): Promise<PageAnswer | SubjectPageAnswer> {
    const { type, number } = request
    switch (type) {
      case 'scan':
        return this.#begin(number, 'step', allOf(this.#sessions))
      case 'sessionsOf':
        return this.#begin(number, 'stepOf', ofSubject(this.#sessions, request.subject))
      default:
        return this.#page(request.scan, type, number)
    }
  }

  async #begin(number: number, step: Scan['step'], iterator: Scan['iterator']) {
    this.#holdings.scan()
    this.#scans.set(number, { step, iterator, isBusy: false, isLeft: false })
    return this.#page(number, step, number)
  }

  async #page(number: number, step: Scan['step'], asked: number): Promise<PageAnswer | SubjectPageAnswer> {
    const scan = this.#scans.get(number)
    if (scan === undefined || scan.isBusy || scan.step !== step)
      throw new SojournError(
        'FRAME_UNEXPECTED',
        scan?.isBusy ? 'the server is still reading a page of this scan' : 'the connection has no such scan',
      )
    scan.isBusy = true
    const page: (Row | SubjectRow)[] = []
    try {
      let bytes = 0
      while (page.length < MAX_PAGE_SESSIONS && bytes < TARGET_PAGE_BYTES && !scan.isLeft) {
        const next = await scan.iterator.next()
        if (next.done) {
          scan.isLeft = true
          break
        }
        bytes += 'data' in next.value ? next.value.data.length : SUBJECT_ROW_BYTES
        page.push(next.value)
      }
      const answer = { number: asked, sessions: page, isLast: scan.isLeft }
      return step === 'step'
        ? ({ type: 'page', ...answer } as PageAnswer)
        : ({ type: 'pageOf', ...answer } as SubjectPageAnswer)
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
