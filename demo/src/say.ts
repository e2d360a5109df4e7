import type { Response } from 'express'

const MAX_LINE = 120

/** JSON for a person at a terminal: on one line where that is not too long. */
export const say = (res: Response, body: object): void => {
  const indented = JSON.stringify(body, undefined, 2)
  // A newline inside a string is escaped, so these are all from the indentation.
  const line = indented.replace(/\n */g, ' ')
  res.type('json').send(`${line.length > MAX_LINE ? indented : line}\n`)
}
