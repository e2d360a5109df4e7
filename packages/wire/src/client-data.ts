import { type Data, isBytes, isDate, isPlainObject, SojournError, type Value } from '@sojourn/core'

/**
 * Data as a text: its JSON (RFC 8259) where it holds nothing else, which most sessions do not. Where it does, `$` and JSON in which
 * `{"$date": ms}`, `{"$bytes": base64}` and `{"$number": "-0"}` stand for what JSON lacks, and other keys that begin with `$` get one more.
 * JSON, because no codec written in JavaScript comes near the one that is built in.
 */
const ESCAPED = '$'

/** Deeper than any session: a text may come from anybody. */
const MAX_DEPTH = 256

/** @param data what a session can hold; anything else must have been refused before */
export const encodeData = (data: object): string =>
  isJson(data) ? JSON.stringify(data) : ESCAPED + JSON.stringify(escapeValue(data))

const isJson = (value: unknown): boolean => {
  if (typeof value === 'string') return true
  if (typeof value === 'number') return value !== 0 || 1 / value > 0
  if (typeof value !== 'object' || value === null) return true
  if (Array.isArray(value)) return value.every(isJson)
  if (isDate(value) || isBytes(value)) return false
  for (const key in value) if (!isJson((value as Record<string, unknown>)[key])) return false
  return true
}

const escapeValue = (value: unknown): unknown => {
  if (Object.is(value, -0)) return { $number: '-0' }
  if (isDate(value)) return { $date: value.getTime() }
  if (isBytes(value)) return { $bytes: Buffer.from(value.buffer, value.byteOffset, value.length).toString('base64') }
  if (Array.isArray(value)) return value.map(escapeValue)
  if (!isPlainObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key.startsWith('$') ? `$${key}` : key, escapeValue(item)]),
  )
}

/**
 * What {@link encodeData} was given, made anew. Whether a session can hold it is for who takes it to say: reserved keys are kept, as own ones.
 * @throws FRAME_INVALID
 */
export const decodeData = (text: string): Data => {
  const escaped = text.startsWith(ESCAPED)
  const json = parse(escaped ? text.slice(1) : text)
  if (!isPlainObject(json)) throw malformed('it is no object')
  return (escaped ? revive(json, 0) : json) as Data
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    // What the engine says quotes the text.
    throw malformed('it is no JSON')
  }
}

const malformed = (what: string) => new SojournError('FRAME_INVALID', `the data of a session is malformed: ${what}`)

const revive = (json: unknown, depth: number): Value => {
  if (depth > MAX_DEPTH) throw malformed('it is nested too deep')
  if (Array.isArray(json)) return json.map((item) => revive(item, depth + 1))
  if (typeof json !== 'object' || json === null) return json as Value
  const entries = Object.entries(json)
  const [[only, body] = ['', undefined]] = entries
  if (entries.length === 1 && /^\$[^$]/.test(only)) return special(only, body)
  return Object.fromEntries(
    entries.map(([key, item]) => {
      if (/^\$(?!\$)/.test(key)) throw malformed('it has an unknown special')
      return [key.startsWith('$') ? key.slice(1) : key, revive(item, depth + 1)]
    }),
  )
}

const special = (kind: string, body: unknown): Value => {
  if (kind === '$date' && typeof body === 'number' && Math.abs(body) <= 8.64e15) return new Date(body)
  if (kind === '$bytes' && typeof body === 'string') return new Uint8Array(Buffer.from(body, 'base64'))
  if (kind === '$number' && body === '-0') return -0
  throw malformed('it has an unknown special')
}
