/** The public keys of another issuer, as it publishes them (RFC 7517). */
import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { SojournError } from '@sojourn/core/internal'
import { FITS, MAX_KEYS, type TokenAlgorithm } from './token-keys.js'

/** A JSON Web Key Set. */
export interface Jwks {
  readonly keys: readonly JsonWebKey[]
}

/**
 * The keys of an issuer, or where they come from. `fresh` is set where a token names a key that is not among the last ones: it may be
 * new. Whoever can send tokens can have that happen often, so a function must not ask the issuer each time.
 */
export type LogoutKeys = Jwks | ((asked: { readonly fresh: boolean }) => Promise<Jwks> | Jwks)

interface IssuerKey {
  readonly kid: unknown
  readonly alg: unknown
  readonly key: KeyObject
}

/** A key set that was read. */
export class IssuerKeys {
  readonly #keys: readonly IssuerKey[]

  constructor(keys: readonly IssuerKey[]) {
    this.#keys = keys
  }

  /** The one key that a header means; undefined: there is none, or it could be several. */
  find(kid: unknown, alg: TokenAlgorithm): KeyObject | undefined {
    const [fits] = FITS[alg]
    const found = this.#keys.filter(
      (each) =>
        (kid === undefined || each.kid === kid) && (each.alg === undefined || each.alg === alg) && fits(each.key),
    )
    return found.length === 1 ? found[0]!.key : undefined
  }
}

/**
 * The keys of a set that verify signatures. Others are left out: issuers publish keys for encryption, and of other kinds, beside them.
 * @example readIssuerKeys(JSON.parse(text), 'keysFile') // refuses here what logoutTokens would refuse later
 * @param option what the set came from, for the error
 * @throws INVALID_OPTION where it is none, has more than 16 keys, or tells a secret; nothing of a key is in the message
 */
export const readIssuerKeys = (given: unknown, option: string): IssuerKeys => {
  const keys = typeof given === 'object' && given !== null ? (given as { keys?: unknown }).keys : undefined
  if (!Array.isArray(keys) || keys.length > MAX_KEYS)
    return refuse(option, `is no JSON Web Key Set of at most ${MAX_KEYS} keys; give { keys: [{ kty, kid, … }] }`)
  return new IssuerKeys(keys.flatMap((key, index) => readKey(key, `${option}.keys.${index}`)))
}

const readKey = (given: unknown, option: string): IssuerKey[] => {
  if (typeof given !== 'object' || given === null) return refuse(option, 'is no key; give a JWK')
  const jwk = given as JsonWebKey
  if (jwk.d !== undefined || jwk.k !== undefined) refuse(option, 'is a private or secret key; give its public half')
  if (jwk.use !== undefined && jwk.use !== 'sig') return []
  try {
    return [{ kid: jwk.kid, alg: jwk.alg, key: createPublicKey({ key: jwk, format: 'jwk' }) }]
  } catch {
    // A kind of key that the engine does not know verifies nothing here.
    return []
  }
}

const refuse = (option: string, what: string): never => {
  throw new SojournError('INVALID_OPTION', `${option} ${what}`, { option })
}
