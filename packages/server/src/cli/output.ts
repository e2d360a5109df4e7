/** Where commands write: text for people, or JSON where `--json` was given. */
export interface Output {
  /** A line, or lines. */
  text(text: string): void
  json(value: unknown): void
  /** What is beside the answer: goes to standard error. */
  aside(text: string): void
}

export const processOutput: Output = {
  text: (text) => void process.stdout.write(`${text}\n`),
  json: (value) => void process.stdout.write(`${JSON.stringify(value)}\n`),
  aside: (text) => void process.stderr.write(`${text}\n`),
}
