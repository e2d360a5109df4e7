/** The keys of tokens: one signs, all of them verify, and what is public of them is published (RFC 7517). */
import { createPrivateKey, createPublicKey, type JsonWebKey, KeyObject } from 'node:crypto'
import { SojournError } from '@sojourn/core/internal'

/** What may sign a token. Whoever can verify one of these cannot make one. */
export type TokenAlgorithm = 'EdDSA' | 'ES256' | 'RS256' | 'PS256'

/** A key: its private half, or, of one that only verifies any more, its public half. */
export interface TokenKey {
  /** Its name in the headers of tokens: 1 to 64 letters, digits, and . _ - */
  readonly kid: string
  /** Default: EdDSA. */
  readonly alg?: TokenAlgorithm
  /** A JWK or a KeyObject. */
  readonly privateKey?: JsonWebKey | KeyObject
  readonly publicKey?: JsonWebKey | KeyObject
}

export interface TokenKeys {
  /** The `kid` of the key that signs. `null`: none does, and the process only verifies. */
  readonly active: string | null
  /** All that verify: the active one, those before it whose tokens have not expired, and the one that comes next. */
  readonly keys: readonly TokenKey[]
}

/** A key as JWKS publish it. */
export interface PublicJwk {
  readonly kid: string
  readonly alg: TokenAlgorithm
  readonly use: 'sig'
  readonly kty: string
  readonly [parameter: string]: unknown
}

interface Verifying {
  readonly kid: string
  readonly alg: TokenAlgorithm
  readonly publicKey: KeyObject
}
type Signing = Verifying & { readonly privateKey: KeyObject }

/** Of a list, whoever gives it. */
export const MAX_KEYS = 16
const MIN_RSA_BITS = 2_048
const KID = /^[\w.-]{1,64}$/

/** Which keys an algorithm takes (RFC 7518, RFC 8037). */
export const FITS: { readonly [alg in TokenAlgorithm]: readonly [fits: (key: KeyObject) => boolean, what: string] } = {
  EdDSA: [({ asymmetricKeyType }) => asymmetricKeyType === 'ed25519', 'an Ed25519 key'],
  ES256: [
    ({ asymmetricKeyType, asymmetricKeyDetails }) =>
      asymmetricKeyType === 'ec' && asymmetricKeyDetails?.namedCurve === 'prime256v1',
    'a P-256 key',
  ],
  RS256: [(key) => isRsa(key), `an RSA key of ${MIN_RSA_BITS} bits or more`],
  PS256: [(key) => isRsa(key), `an RSA key of ${MIN_RSA_BITS} bits or more`],
}

const isRsa = ({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): boolean =>
  asymmetricKeyType === 'rsa' && (asymmetricKeyDetails?.modulusLength ?? 0) >= MIN_RSA_BITS

/** Keys that were checked. @throws INVALID_OPTION, which shows nothing of a key */
export class TokenRing {
  readonly #keys = new Map<string, Verifying>()
  readonly #active: Signing | undefined

  constructor(given: TokenKeys) {
    const keys = readKeys(given)
    for (const [index, key] of keys.entries()) {
      if (this.#keys.has(key.kid)) refuse(`keys.keys.${index}.kid`, 'is that of another key; give each its own')
      this.#keys.set(key.kid, key)
    }
    if (given.active === null) return
    const active = keys.find((key): key is Signing => key.kid === given.active && 'privateKey' in key)
    this.#active = active ?? refuse('keys.active', 'names no key with a privateKey; give the kid of one')
  }

  /** @throws INVALID_OPTION where none signs */
  get active(): Signing {
    return this.#active ?? refuse('keys.active', 'is null, so nothing is signed here; give the kid of a private key')
  }

  /** By its name. Where a token says that its key is to be found elsewhere, nobody looks. */
  find(kid: string): Verifying | undefined {
    return this.#keys.get(kid)
  }

  jwks(): { readonly keys: readonly PublicJwk[] } {
    const keys = [...this.#keys.values()].map(({ kid, alg, publicKey }) => {
      const { kty, ...parameters } = publicKey.export({ format: 'jwk' })
      return { ...parameters, kty: kty!, kid, alg, use: 'sig' as const }
    })
    return { keys }
  }
}

const readKeys = (given: TokenKeys): (Verifying | Signing)[] => {
  if (typeof given !== 'object' || given === null) return refuse('keys', 'are none; give { active, keys }')
  const { active: _, keys, ...others } = given
  const [other] = Object.keys(others)
  if (other !== undefined) return refuse(`keys.${other}`, 'is no option; give active and keys')
  return Array.isArray(keys) && keys.length > 0 && keys.length <= MAX_KEYS
    ? keys.map((key, index) => readKey(key, `keys.keys.${index}`))
    : refuse('keys.keys', `is no list of 1 to ${MAX_KEYS} keys; give [{ kid, alg, privateKey }]`)
}

const readKey = (given: TokenKey, path: string): Verifying | Signing => {
  if (typeof given !== 'object' || given === null) return refuse(path, 'is no key; give { kid, alg, privateKey }')
  const { kid, alg = 'EdDSA', privateKey, publicKey, ...others } = given
  const [other] = Object.keys(others)
  if (other !== undefined) refuse(path, 'has an unknown option; give kid, alg, and privateKey or publicKey')
  if (typeof kid !== 'string' || !KID.test(kid))
    refuse(`${path}.kid`, 'is no name; give 1 to 64 letters, digits, . _ -')
  if (!Object.hasOwn(FITS, alg))
    refuse(`${path}.alg`, `is no algorithm for tokens; give ${Object.keys(FITS).join(', ')}`)
  if ((privateKey === undefined) === (publicKey === undefined))
    refuse(path, 'has both halves, or none; give privateKey, or publicKey for a key that only verifies')
  const name = privateKey === undefined ? 'publicKey' : 'privateKey'
  const key = keyObject((privateKey ?? publicKey)!, name, { kid, alg, path: `${path}.${name}` })
  const [fits, what] = FITS[alg]
  if (!fits(key)) refuse(`${path}.${name}`, `does not fit ${alg}; give ${what}`)
  return name === 'privateKey'
    ? { kid, alg, privateKey: key, publicKey: createPublicKey(key) }
    : { kid, alg, publicKey: key }
}

interface Expected {
  readonly kid: string
  readonly alg: string
  readonly path: string
}

const keyObject = (given: JsonWebKey | KeyObject, name: 'privateKey' | 'publicKey', expected: Expected): KeyObject => {
  const half = name === 'privateKey' ? 'private' : 'public'
  const allowed = `a ${half} key, as a JWK or a KeyObject`
  if (given instanceof KeyObject)
    return given.type === half ? given : refuse(expected.path, `is a ${given.type} KeyObject; give ${allowed}`)
  if (typeof given !== 'object' || given === null) return refuse(expected.path, `is no key; give ${allowed}`)
  const isPrivate = given.d !== undefined
  if (isPrivate !== (half === 'private')) refuse(expected.path, `is the other half of a key; give ${allowed}`)
  for (const member of ['kid', 'alg'] as const)
    if (given[member] !== undefined && given[member] !== expected[member])
      refuse(expected.path, `has another ${member} in its JWK; give the same one, or leave it out there`)
  if (given.use !== undefined && given.use !== 'sig')
    refuse(expected.path, 'is for encryption; give one for signatures')
  try {
    return isPrivate ? createPrivateKey({ key: given, format: 'jwk' }) : createPublicKey({ key: given, format: 'jwk' })
  } catch {
    // What the engine says of it could show what is in it.
    return refuse(expected.path, `cannot be read; give ${allowed}`)
  }
}

const refuse = (option: string, what: string): never => {
  throw new SojournError('INVALID_OPTION', `${option} ${what}`, { option })
}
