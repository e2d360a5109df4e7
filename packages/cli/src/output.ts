/** Where commands write, and what becomes of that when nobody reads on. */

/** Where commands write: text for people, or JSON where `--json` was given. */
export interface Output {
  /** A line, or lines. */
  text(text: string): void
  json(value: unknown): void
  /** What is beside the answer: goes to standard error. */
  aside(text: string): void
  /** Whether a person looks at it as it comes; then it may be drawn over. */
  readonly isTerminal: boolean
}

export const processOutput: Output = {
  text: (text) => void process.stdout.write(`${text}\n`),
  json: (value) => void process.stdout.write(`${JSON.stringify(value)}\n`),
  aside: (text) => void process.stderr.write(`${text}\n`),
  isTerminal: process.stdout.isTTY === true,
}

/** Who reads from a pipe may stop when they have seen enough (`sojourn top | head`): then the command is over, and nothing is wrong. */
export const endWithReader = (): void => {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit()
  })
  process.stderr.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
}
