/** Keys for tokens, and tokens that somebody else made. */
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import type { TokenKey } from '@sojourn/identity'
import { SignJWT } from 'jose'

export const ISSUER = 'https://shop.example'
export const AUDIENCE = 'https://api.shop.example'

export type KeyPair = Required<Pick<TokenKey, 'kid' | 'alg'>> & { readonly privateKey: KeyObject }

/** A new pair for an algorithm. */
export const newKey = (kid: string, alg: KeyPair['alg'] = 'EdDSA'): KeyPair => {
  if (alg === 'EdDSA') return { kid, alg, privateKey: generateKeyPairSync('ed25519').privateKey }
  if (alg === 'ES256') return { kid, alg, privateKey: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey }
  return { kid, alg, privateKey: generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey }
}

/** Of a key that only verifies any more. */
export const retired = ({ kid, alg, privateKey }: KeyPair): TokenKey => ({
  kid,
  alg,
  publicKey: createPublicKey(privateKey),
})

type Part = { readonly [name: string]: unknown }

/** Header and payload of a token, whoever signed it. */
export const partsOf = (token: string): [header: Part, payload: Part] =>
  token
    .split('.')
    .slice(0, 2)
    .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Part) as [Part, Part]

/** A token with any header and payload, signed by this key as `alg` says, or by `key` instead. */
export const forge = (
  { alg, privateKey }: Pick<KeyPair, 'alg' | 'privateKey'>,
  header: Part,
  payload: Part,
  key: KeyObject | Uint8Array = privateKey,
): Promise<string> => new SignJWT(payload).setProtectedHeader({ alg, ...header } as { alg: string }).sign(key)

/** One that nobody signed, or that has this signature. */
export const unsigned = (header: Part, payload: Part, signature = ''): string =>
  [...[header, payload].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')), signature].join('.')
