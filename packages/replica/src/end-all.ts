/** Ending every session that is held here: many at a time, for as long as it gets on. */
import type { Clock, SessionKey, Timer } from '@sojourn/core/internal'
import { SojournError } from '@sojourn/core/internal'

/** Ends under way at a time: as many as keep the disk and the links busy, and few beside `limits.maxPendingCommits`. */
const MAX_UNDER_WAY = 512

export interface EndAllOptions {
  readonly clock: Clock
  /** The keys of the sessions to end, slice by slice: what reads them is closed before the first of a slice is ended. */
  readonly slices: Iterable<() => Promise<readonly SessionKey[]>>
  /** Whether the session was alive. */
  readonly end: (key: SessionKey) => Promise<boolean>
  /** How long it may take until the next session is ended, milliseconds. */
  readonly stallMs: number
}

/**
 * Returns how many were alive.
 * @throws what `end` throws first; TIMEOUT where no session could be ended for `stallMs`. Those that are ended stay so
 */
export const endAll = ({ clock, slices, end, stallMs }: EndAllOptions): Promise<number> =>
  new Promise((resolve, reject) => {
    let count = 0
    let underWay = 0
    let isOver = false
    let watch: Timer | undefined
    /** Goes on with whoever waits for an end under way. */
    let freed = () => {}

    const settle = (finish: () => void) => {
      isOver = true
      watch?.cancel()
      freed()
      finish()
    }
    const progressed = () => {
      watch?.cancel()
      if (isOver) return
      watch = clock.after(stallMs, () => settle(() => reject(stalled(stallMs, count))))
      watch.hold()
    }
    const isDown = (to: number) =>
      new Promise<void>((go) => {
        freed = () => {
          if (underWay <= to || isOver) go()
        }
        freed()
      })
    const begin = (key: SessionKey) => {
      underWay++
      end(key).then(
        (wasAlive) => {
          underWay--
          if (wasAlive) count++
          progressed()
          freed()
        },
        (error: unknown) => settle(() => reject(error)),
      )
    }
    const run = async () => {
      for (const slice of slices) {
        for (const key of await slice()) {
          if (underWay >= MAX_UNDER_WAY) await isDown(MAX_UNDER_WAY / 2)
          if (isOver) return
          begin(key)
        }
        progressed()
        // Others have their turn, whatever engine is below.
        await new Promise<void>((go) => clock.soon(go))
      }
      await isDown(0)
      if (!isOver) settle(() => resolve(count))
    }
    progressed()
    run().catch((error: unknown) => settle(() => reject(error)))
  })

const stalled = (ms: number, count: number): SojournError =>
  new SojournError('TIMEOUT', `no session has ended for ${ms} ms; ${count} are ended, and stay so`, {
    mayHaveApplied: true,
  })
