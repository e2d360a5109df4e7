/** How far something that lasts has come: a live line on a terminal, a plain line now and then elsewhere, always on standard error. */
import type { Clock } from '@sojourn/core/internal'

export interface Progress {
  /** Call it as often as there is something new; it shows what people can follow. */
  report(text: () => string): void
  /** Clears the live line, so that what is written next stands alone. */
  end(): void
}

/** Where progress is shown. */
export interface ProgressSink {
  readonly isLive: boolean
  /** Of the terminal. */
  readonly columns: number
  write(text: string): void
}

const LIVE_EVERY_MS = 100
const PLAIN_EVERY_MS = 5_000
const CLEAR_LINE = '\r\u001b[K'

export const NO_PROGRESS: Progress = { report() {}, end() {} }

/** What is over before the first plain line is due writes none: short runs in scripts stay quiet. */
export const openProgress = (sink: ProgressSink, clock: Pick<Clock, 'monotonic'>): Progress => {
  const everyMs = sink.isLive ? LIVE_EVERY_MS : PLAIN_EVERY_MS
  // A live line is cleared at the end, so it may come at once.
  let shownAt = sink.isLive ? Number.NEGATIVE_INFINITY : clock.monotonic()
  let isShown = false
  return {
    report(text) {
      const now = clock.monotonic()
      if (now - shownAt < everyMs) return
      shownAt = now
      isShown = true
      // A line that wraps could not be cleared.
      sink.write(sink.isLive ? `${CLEAR_LINE}${text().slice(0, sink.columns - 1)}` : `${text()}\n`)
    },
    end() {
      if (sink.isLive && isShown) sink.write(CLEAR_LINE)
      isShown = false
    },
  }
}
