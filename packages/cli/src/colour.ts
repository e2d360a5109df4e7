/** When colours are written, and how. */
import { styleText } from 'node:util'

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan' | 'magenta'
export type Paint = (style: Style, text: string) => string

/** What is known of the stream that is written to. */
interface Stream {
  readonly isTTY?: boolean
}

/** A terminal that can be drawn over. */
export const isLive = ({ isTTY }: Stream, env: NodeJS.ProcessEnv): boolean => isTTY === true && env.TERM !== 'dumb'

/** `NO_COLOR` wins over `FORCE_COLOR`, as in the help, which commander paints; without either, terminals get colours. */
export const hasColours = (stream: Stream, env: NodeJS.ProcessEnv): boolean => {
  if (env.NO_COLOR || env.FORCE_COLOR === '0' || env.FORCE_COLOR === 'false') return false
  return env.FORCE_COLOR !== undefined || isLive(stream, env)
}

export const paintFor = (stream: Stream, env: NodeJS.ProcessEnv): Paint =>
  hasColours(stream, env) ? (style, text) => styleText(style, text, { validateStream: false }) : (_, text) => text
