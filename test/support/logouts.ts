/** An OpenID provider of the tests: its keys, and the logout tokens that it signs. */
import { createPublicKey } from 'node:crypto'
import type { Jwks } from '@sojourn/identity'
import { forge, type KeyPair } from './tokens.js'

export const PROVIDER = 'https://login.example'
export const CLIENT_ID = 'shop'
const EVENT = 'http://schemas.openid.net/event/backchannel-logout'

/** The public half of a key, as a provider publishes it. */
export const publicJwk = ({ kid, alg, privateKey }: KeyPair, more: object = {}) => ({
  ...createPublicKey(privateKey).export({ format: 'jwk' }),
  kid,
  alg,
  use: 'sig',
  ...more,
})

export const jwksOf = (...keys: readonly KeyPair[]): Jwks => ({ keys: keys.map((key) => publicJwk(key)) })

type Part = { readonly [name: string]: unknown }

let made = 0

/** The claims of a good logout token, which are good at `now`, in milliseconds; `more` replaces some. */
export const logoutClaims = (now: number, more: Part = {}): Part => {
  const iat = Math.floor(now / 1_000)
  return {
    iss: PROVIDER,
    aud: CLIENT_ID,
    sub: 'ada',
    iat,
    exp: iat + 120,
    jti: `logout-${++made}`,
    events: { [EVENT]: {} },
    ...more,
  }
}

/** A logout token as the provider signs it. A claim that is undefined is left out. */
export const logoutToken = (key: KeyPair, claims: Part, header: Part = {}): Promise<string> =>
  forge(key, { kid: key.kid, typ: 'logout+jwt', ...header }, JSON.parse(JSON.stringify(claims)))
