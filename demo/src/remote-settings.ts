import { readSecret } from './secret.js'

/** What the shop of a cluster reads from its environment. */
export interface RemoteSettings {
  readonly region: string
  readonly host: string
  readonly port: number
  /** Client listeners of servers, the nearest first. */
  readonly urls: readonly string[]
  readonly token: string
  /** What cookies are signed with: one for all regions, because a cookie is good in all of them. */
  readonly cookieSecret: string
}

/** @throws a sentence for who started it, which names the variable */
export const readRemoteSettings = (env: NodeJS.ProcessEnv): RemoteSettings => {
  const needed = (name: string, what: string): string => {
    const value = env[name]
    if (!value) throw new Error(`${name} is not set; give ${what}`)
    return value
  }
  const secret = (name: string, what: string): string => {
    const file = needed(name, `a file with ${what}`)
    try {
      return readSecret(file)
    } catch (error) {
      throw new Error(`${name} is ${file}, which cannot be read (${(error as NodeJS.ErrnoException).code})`)
    }
  }
  const port = Number(env.SHOP_PORT || 3000)
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new Error(`SHOP_PORT is ${JSON.stringify(env.SHOP_PORT)}; give a port, a number from 0 to 65535`)
  return {
    region: needed('SHOP_REGION', 'the name of the region that the shop stands in, such as eu'),
    host: env.SHOP_HOST || '127.0.0.1',
    port,
    urls: needed('SHOP_SESSIONS', 'the addresses of client listeners, the nearest first, separated by commas').split(
      ',',
    ),
    token: secret('SHOP_TOKEN_FILE', 'a token whose scope is write'),
    cookieSecret: secret('SHOP_COOKIE_SECRET_FILE', 'what cookies are signed with, the same in all regions'),
  }
}
