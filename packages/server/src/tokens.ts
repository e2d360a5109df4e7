/** Who presents a token, and what it allows. */
import { hash, timingSafeEqual } from 'node:crypto'
import { SojournError } from '@sojourn/core/internal'

/** What a token allows. Each contains the one before. */
export type Scope = 'read' | 'write' | 'admin'

const SCOPES: readonly Scope[] = ['read', 'write', 'admin']

/** Who presented a token. */
export interface Bearer {
  readonly name: string
  readonly scope: Scope
}

export interface TokenBook {
  /** In constant time. */
  check(presented: string): Bearer | undefined
}

/**
 * Whether a scope is enough for what needs another one.
 * @example
 * allows('admin', 'write') // true: each scope contains those before it
 */
export const allows = (scope: Scope, needed: Scope): boolean => SCOPES.indexOf(scope) >= SCOPES.indexOf(needed)

interface TokenEntry extends Bearer {
  readonly digest: Buffer
}

export const MIN_TOKEN_CHARS = 16
const NAME = /^[A-Za-z0-9._-]{1,64}$/
const DIGEST = /^sha256:([0-9a-f]{64})$/

const digestOf = (token: string): Buffer => hash('sha256', token, 'buffer')

/**
 * `name:scope:token` entries, separated by white space or commas; a `#` begins a comment that runs to the end of the line. What is
 * wrong is reported by its place: the text is secret.
 * @example
 * parseTokens('shop:write:a-long-random-text, ops:admin:another-long-text')
 * @throws INVALID_OPTION
 */
export const parseTokens = (text: string, option = 'tokens'): TokenEntry[] => {
  const fail = (index: number, why: string): never => {
    throw new SojournError('INVALID_OPTION', `${option}: entry ${index + 1} ${why}`, { option })
  }
  const entries = text
    .replace(/#.*$/gm, '')
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .map((entry, index): TokenEntry => {
      const [, name = '', scope = '', token = ''] =
        /^([^:]*):([^:]*):(.*)$/.exec(entry) ?? fail(index, 'is not name:scope:token')
      if (!NAME.test(name)) fail(index, 'has a name that is not 1 to 64 letters, digits, dots, dashes or underscores')
      if (!SCOPES.includes(scope as Scope)) fail(index, `has a scope that is not ${SCOPES.join(', ')}`)
      const hashed = DIGEST.exec(token)
      if (!hashed && token.startsWith('sha256:')) fail(index, 'has a hash that is not sha256: and 64 hex digits')
      if (!hashed && token.length < MIN_TOKEN_CHARS)
        fail(index, `has a token of fewer than ${MIN_TOKEN_CHARS} characters`)
      return { name, scope: scope as Scope, digest: hashed ? Buffer.from(hashed[1]!, 'hex') : digestOf(token) }
    })
  entries.forEach(({ name }, index) => {
    if (entries.findIndex((entry) => entry.name === name) !== index) fail(index, 'has the name of another entry')
  })
  return entries
}

export const isTokenList = (text: string): boolean => {
  try {
    return parseTokens(text).length > 0
  } catch {
    return false
  }
}

/**
 * The tokens that are good now. Only their hashes are kept.
 * @example
 * const tokens = new Tokens(parseTokens('shop:write:a-long-random-text'))
 * tokens.check('a-long-random-text') // { name: 'shop', scope: 'write' }
 */
export class Tokens implements TokenBook {
  #entries: readonly TokenEntry[]

  constructor(entries: readonly TokenEntry[]) {
    this.#entries = entries
  }

  get size(): number {
    return this.#entries.length
  }

  replace(entries: readonly TokenEntry[]): void {
    this.#entries = entries
  }

  check(presented: string): Bearer | undefined {
    const digest = digestOf(presented)
    let found: Bearer | undefined
    // All are compared, so that the time shows nothing of which it was.
    for (const { name, scope, digest: good } of this.#entries)
      if (timingSafeEqual(digest, good)) found = { name, scope }
    return found
  }
}
