/** What the demo answers. */
import type { Response } from 'express'

const MAX_LINE = 120

/** JSON for a person at a terminal: each object and array on one line where that is not too long. */
export const say = (res: Response, body: object): void => {
  res.type('json').send(`${laidOut(JSON.parse(JSON.stringify(body)), '')}\n`)
}

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** @param prefix what stands before the value on its line: the indentation, and a key */
const laidOut = (value: Json, prefix: string): string => {
  // A newline inside a string is escaped, so these are all from the indentation.
  const line = prefix + JSON.stringify(value, undefined, 2).replace(/\n */g, ' ')
  if (line.length <= MAX_LINE || typeof value !== 'object' || value === null) return line
  const indent = /^ */.exec(prefix)![0]
  const [open, close] = Array.isArray(value) ? '[]' : '{}'
  const lines = Object.entries(value).map(([key, member]) =>
    laidOut(member, `${indent}  ${Array.isArray(value) ? '' : `${JSON.stringify(key)}: `}`),
  )
  return `${prefix}${open}\n${lines.join(',\n')}\n${indent}${close}`
}
