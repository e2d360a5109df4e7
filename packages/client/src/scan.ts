/** A scan that a server is asked for page by page, as fast as its caller reads. */
import { SojournError } from '@sojourn/core/internal'
import type { ClientRequest } from '@sojourn/wire'
import { type Answered, UNNUMBERED } from './calls.js'
import type { Channel } from './channel.js'
import type { Uplink } from './uplink.js'

interface Page<S> {
  readonly number: number
  readonly sessions: readonly S[]
  readonly isLast: boolean
}

export interface ScanOptions<S> {
  /** The call, for errors. */
  readonly name: string
  /** Asks for the first page. */
  readonly begin: ClientRequest
  /** Asks for each further one. */
  readonly step: 'step' | 'stepOf'
  /** @throws FRAME_UNEXPECTED */
  readonly pageIn: (answer: Answered) => Page<S>
}

/** @throws CONNECTION_LOST where the connection ends: the scan is at that server */
export async function* scan<S>(uplink: Uplink, { name, begin, step, pageIn }: ScanOptions<S>): AsyncGenerator<S> {
  let on: Channel | undefined
  let page = await uplink.call(begin, 'never', uplink.deadline(), (answer, from) => {
    on = from
    return pageIn(answer)
  })
  const { number: begun } = page
  try {
    for (;;) {
      yield* page.sessions
      if (page.isLast) return
      if (uplink.channel !== on)
        throw new SojournError(
          'CONNECTION_LOST',
          `${name}: the connection of this scan has ended. Start the scan again`,
        )
      const next = { type: step, number: UNNUMBERED, scan: begun } as const
      page = await uplink.call(next, 'never', uplink.deadline(), pageIn)
    }
  } finally {
    if (!page.isLast) on?.send({ type: 'leave', scan: begun })
  }
}
