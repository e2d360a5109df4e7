/** Where commands write, and what becomes of that when nobody reads on. */
import { SojournError, systemClock } from '@sojourn/core/internal'
import { isLive, type Paint, paintFor } from './colour.js'
import { NO_PROGRESS, openProgress, type Progress } from './progress.js'

/** Where commands write: text for people, or JSON where `--json` was given. */
export interface Output {
  /** A line, or lines. */
  text(text: string): void
  json(value: unknown): void
  /** What is beside the answer: goes to standard error. */
  aside(text: string): void
  /** Whether a person looks at it as it comes; then it may be drawn over. */
  readonly isLive: boolean
  /** Colours text for {@link text}, where colours are wanted. */
  readonly paint: Paint
  /** Colours text for {@link aside}. */
  readonly paintAside: Paint
  /** What becomes of the command when nobody reads its output any more; by default it ends, and nothing is wrong. */
  whenUnread(then: () => void): void
  /** For what lasts. */
  progress(isQuiet: boolean): Progress
}

const DEFAULT_COLUMNS = 80
let unread = (): void => process.exit()

export const processOutput = (env: NodeJS.ProcessEnv): Output => {
  const { stdout, stderr } = process
  return {
    text: (text) => void stdout.write(`${text}\n`),
    json: (value) => void stdout.write(`${JSON.stringify(value)}\n`),
    aside: (text) => void stderr.write(`${text}\n`),
    isLive: isLive(stdout, env),
    paint: paintFor(stdout, env),
    paintAside: paintFor(stderr, env),
    whenUnread: (then) => {
      unread = then
    },
    progress: (isQuiet) =>
      isQuiet
        ? NO_PROGRESS
        : openProgress(
            {
              isLive: isLive(stderr, env),
              columns: stderr.columns || DEFAULT_COLUMNS,
              write: (text) => void stderr.write(text),
            },
            systemClock,
          ),
  }
}

/**
 * Who reads from a pipe may stop when they have seen enough (`sojourn top | head`): then the command is over, and nothing is wrong. A disk that is
 * full is no such reader.
 */
export const endWithReader = (): void => {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE')
      throw new SojournError('STORE_FAILED', `standard output cannot be written: ${error.message}`, { cause: error })
    unread()
  })
  process.stderr.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
}
