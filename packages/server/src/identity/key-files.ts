/** Keys that the settings name: files with a JSON Web Key Set. */
import { isSojournError, quoted, SojournError } from '@sojourn/core/internal'
import type { Jwks, TokenKey, TokenKeys } from '@sojourn/identity'
import { readUpTo } from '../files.js'

/** Of a JWK, what its public half lacks (RFC 7518). */
const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'] as const

/**
 * A key set in a file. One that holds a private key must be for its owner alone.
 * @throws INVALID_OPTION, which shows nothing that is in the file
 */
export const readKeyFile = (path: string, option: string, maxBytes: number): Jwks => {
  const { text, isShared } = read(path, option, maxBytes)
  const jwks = parse(text)
  const keys = typeof jwks === 'object' && jwks !== null ? (jwks as { keys?: unknown }).keys : undefined
  if (!Array.isArray(keys) || keys.length === 0 || keys.some((key) => typeof key !== 'object' || key === null))
    return refuse(option, path, 'is no JSON Web Key Set; give { "keys": [{ "kty", "kid", "alg", … }] }')
  const isPrivate = keys.some((key) => PRIVATE.some((member) => Object.hasOwn(key, member)))
  if (isPrivate && isShared)
    refuse(option, path, 'holds a private key, and others may read it; run chmod 600, or give the public halves')
  return { keys }
}

/**
 * The keys of a set, as they verify tokens. A server signs nothing, so it keeps the public halves.
 * @throws INVALID_OPTION
 */
export const verifyingKeys = ({ keys }: Jwks, option: string): TokenKeys => ({
  active: null,
  keys: keys.map((jwk, index): TokenKey => {
    const { kid, alg } = jwk
    if (typeof kid !== 'string' || typeof alg !== 'string')
      throw new SojournError('INVALID_OPTION', `${option}: key ${index + 1} has no kid, or no alg; give it both`, {
        option,
      })
    const publicKey = Object.fromEntries(Object.entries(jwk).filter(([name]) => !PRIVATE.includes(name as 'd')))
    return { kid, alg: alg as NonNullable<TokenKey['alg']>, publicKey }
  }),
})

const read = (path: string, option: string, maxBytes: number) => {
  try {
    const file = readUpTo(path, maxBytes)
    return file ?? refuse(option, path, `holds more than ${maxBytes} bytes (identity.limits.maxKeysBytes)`)
  } catch (error) {
    if (isSojournError(error)) throw error
    return refuse(option, path, `cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    // What the parser says of it shows some of it.
    return undefined
  }
}

const refuse = (option: string, path: string, what: string): never => {
  throw new SojournError('INVALID_OPTION', `${option} is ${quoted(path)}, which ${what}`, { option })
}
