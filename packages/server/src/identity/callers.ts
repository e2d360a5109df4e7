/** Who asks the identity listener: a token of the server's list, as a bearer token or as the password of HTTP Basic. */
import type { IncomingHttpHeaders } from 'node:http'
import { SojournError } from '@sojourn/core/internal'
import { allows, type Bearer, type Scope, type TokenBook } from '../tokens.js'

/**
 * The caller, if its token allows what it asks. Libraries for OAuth 2.0 authenticate by HTTP Basic: the client id is the token's name,
 * the client secret is the token.
 * @throws TOKEN_REFUSED, SCOPE_REFUSED
 */
export const callerOf = ({ authorization = '' }: IncomingHttpHeaders, tokens: TokenBook, needed: Scope): Bearer => {
  const bearer = presented(authorization, tokens)
  if (bearer === undefined)
    throw new SojournError('TOKEN_REFUSED', 'send a token of this server, by Authorization: Bearer or Basic')
  if (allows(bearer.scope, needed)) return bearer
  throw new SojournError('SCOPE_REFUSED', `the scope of the token is ${bearer.scope}. This request needs ${needed}`)
}

const presented = (authorization: string, tokens: TokenBook): Bearer | undefined => {
  const token = /^Bearer +(\S+)$/i.exec(authorization)?.[1]
  if (token !== undefined) return tokens.check(token)
  const credentials = /^Basic +([\w+/=-]+)$/i.exec(authorization)?.[1]
  if (credentials === undefined) return undefined
  const [, name, password] = /^([^:]*):(.*)$/s.exec(Buffer.from(credentials, 'base64').toString('utf8')) ?? []
  if (name === undefined || password === undefined) return undefined
  // RFC 6749, 2.3.1, has both encoded as in a form; many clients do not.
  return [password, decoded(password)]
    .map((each) => tokens.check(each))
    .find((bearer) => bearer !== undefined && (bearer.name === name || bearer.name === decoded(name)))
}

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return text
  }
}
