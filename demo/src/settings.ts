import { join, resolve } from 'node:path'

const REGION_NAMES = ['eu', 'us', 'ap'] as const
export type RegionName = (typeof REGION_NAMES)[number]

export interface RegionSettings {
  readonly name: RegionName
  /** Where its shop answers. */
  readonly appPort: number
  /** Where its replica takes links from the other two. */
  readonly linkPort: number
  /** Its store. */
  readonly location: string
  /** The other two, and where they take links. */
  readonly peers: { readonly [name: string]: string }
}

export interface DemoSettings {
  readonly data: string
  /** What the replicas prove to each other that they know. */
  readonly linkSecretFile: string
  /** What cookies are signed with: one for all regions, because a cookie is good in all of them. */
  readonly cookieSecretFile: string
  readonly regions: readonly RegionSettings[]
}

/** Everything is on this address: the demo has an unguarded switch that cuts links. */
export const HOST = '127.0.0.1'

/** The cluster and each of its processes read the same environment, so they agree. @throws a sentence for who started it */
export const readSettings = (env: NodeJS.ProcessEnv): DemoSettings => {
  const appPort = firstPort(env, 'SOJOURN_DEMO_PORT', 3001)
  const linkPort = firstPort(env, 'SOJOURN_DEMO_LINK_PORT', 7101)
  if (Math.abs(appPort - linkPort) < REGION_NAMES.length)
    throw new Error('SOJOURN_DEMO_PORT and SOJOURN_DEMO_LINK_PORT: each is the first of three ports; they overlap')
  const data = resolve(env.SOJOURN_DEMO_DATA || 'data')
  const linkUrl = (name: RegionName) => `ws://${HOST}:${linkPort + REGION_NAMES.indexOf(name)}`
  return {
    data,
    linkSecretFile: join(data, 'link.secret'),
    cookieSecretFile: join(data, 'cookie.secret'),
    regions: REGION_NAMES.map((name, index) => ({
      name,
      appPort: appPort + index,
      linkPort: linkPort + index,
      location: join(data, name),
      peers: Object.fromEntries(REGION_NAMES.filter((other) => other !== name).map((other) => [other, linkUrl(other)])),
    })),
  }
}

const firstPort = (env: NodeJS.ProcessEnv, name: string, fallback: number): number => {
  const text = env[name] || String(fallback)
  const port = Number(text)
  const last = 65_535 - REGION_NAMES.length + 1
  if (!/^\d+$/.test(text) || port < 1 || port > last)
    throw new Error(`${name} is ${JSON.stringify(text)}; give the first of three ports, a number from 1 to ${last}`)
  return port
}
