/** Servers whose identity listener is asked: its keys and tokens, and what services say to it. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from '@sojourn/client'
import { sessionTokens } from '@sojourn/identity'
import { jwksOf } from './logouts.js'
import { type Flags, type Server, type StartOptions, startServer, TOKENS } from './servers.js'
import { AUDIENCE, ISSUER, type KeyPair, newKey } from './tokens.js'
import { until } from './until.js'

/** What a service sends. */
export interface Asked {
  /** A bearer token; `null`: none. Default: the one with the scope `write`. */
  readonly token?: string | null
  readonly headers?: { readonly [name: string]: string }
  readonly method?: string
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: unknown
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** Asks the identity listener of a server. @param form fields, or a body as it stands */
export const ask = async (
  server: Server,
  path: string,
  form: { readonly [name: string]: string } | string | undefined,
  { token = TOKENS.write, headers = {}, method = form === undefined ? 'GET' : 'POST' }: Asked = {},
): Promise<Answer> => {
  const response = await fetch(`${server.url('identity')}${path}`, {
    method,
    headers: { ...(token !== null && { authorization: `Bearer ${token}` }), ...headers },
    ...(form !== undefined && { body: typeof form === 'string' ? form : new URLSearchParams(form) }),
  })
  return { status: response.status, headers: response.headers, body: parsed(await response.text()) }
}

/** A directory for key files. */
export const keyDirectory = () => {
  const directory = mkdtempSync(join(tmpdir(), 'sojourn-keys-'))
  return {
    write(name: string, content: unknown, mode = 0o600): string {
      const path = join(directory, name)
      rmSync(path, { force: true })
      writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
      chmodSync(path, mode)
      return path
    },
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  }
}

export const OWN_KEY: KeyPair = newKey('2026-11')

/** The settings of a server that knows the JWTs of {@link OWN_KEY}. */
export const identityFlags = (keysFile: string): Flags => ({
  'identity.port': '0',
  'identity.issuer': ISSUER,
  'identity.audience': AUDIENCE,
  'identity.keysFile': keysFile,
})

export interface IdentityServer extends Server {
  readonly keys: ReturnType<typeof keyDirectory>
  [Symbol.asyncDispose](): Promise<void>
}

/** One server with clients and an identity listener. */
export const startIdentity = async (
  flags: Flags | ((keys: IdentityServer['keys']) => Flags) = {},
  options: StartOptions = {},
): Promise<IdentityServer> => {
  const keys = keyDirectory()
  const more = typeof flags === 'function' ? flags(keys) : flags
  const own = identityFlags(keys.write('own.json', jwksOf(OWN_KEY)))
  const server = await startServer('eu', ':memory:', { ...options, flags: { 'clients.port': '0', ...own, ...more } })
  await until(() => server.status().listeners.clients, 'clients to be let in')
  return Object.assign(server, {
    keys,
    async [Symbol.asyncDispose]() {
      await server.stop()
      keys[Symbol.dispose]()
    },
  })
}

/** An app that holds no replica: it keeps sessions at a server, and issues tokens for them. */
export const openApp = async (server: Server, key: KeyPair = OWN_KEY) => {
  const client = await connect({ url: server.url('clients'), token: TOKENS.write })
  const keys = { active: key.kid, keys: [key] }
  const tokens = sessionTokens({ sessions: client, issuer: ISSUER, audience: AUDIENCE, keys })
  return {
    client,
    tokens,
    async login(subject = 'ada') {
      const session = await client.create({}, { subject, auth: { acr: 'silver', amr: ['pwd', 'otp'] } })
      return { session, jwt: await tokens.issue(session.id) }
    },
    [Symbol.asyncDispose]: () => client.close(),
  }
}
