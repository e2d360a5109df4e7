/** Which regions a command that looks at all of them asks, and what it says of those that do not answer. */
import { SojournError } from '@sojourn/core/internal'
import type { AdminStatus } from '@sojourn/wire'
import type { AdminClient } from './admin-client.js'

export interface Asked {
  /** Its name; of one that was given and did not answer, the address, for its name is not known. */
  readonly region: string
  /** Undefined where nobody knows its address, so that it was not asked. */
  readonly client: AdminClient | undefined
  readonly status: AdminStatus | undefined
  /** Why there is no status. */
  readonly why: string | undefined
}

const whyOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

interface Answered extends Asked {
  readonly error?: unknown
}

const ask = async (client: AdminClient): Promise<Answered> => {
  try {
    const status = await client.ask('status', {})
    return { region: status.region, client, status, why: undefined }
  } catch (error) {
    return { region: client.url.origin, client, status: undefined, why: whyOf(error), error }
  }
}

/**
 * Asks the regions that were given, and those that the first one to answer knows the admin address of, for their status.
 * @throws UNAVAILABLE, or what the only one gave for an error, where none answered
 */
export const askRegions = async (clients: readonly AdminClient[]): Promise<Asked[]> => {
  const given = await Promise.all(clients.map(ask))
  const answered = new Map(given.flatMap((each) => (each.status ? [[each.region, each] as const] : [])))
  const silent = given.filter(({ status }) => status === undefined)
  const [first] = answered.values()
  if (first === undefined) throw silent.length === 1 ? silent[0]!.error : noneOf(silent)
  const others = first.status!.members.filter(({ region }) => !answered.has(region))
  const named = await Promise.all(
    others.map(async ({ region, admin }): Promise<Asked> => {
      if (admin === undefined) return { region, client: undefined, status: undefined, why: unknownAddress(silent) }
      const client = first.client!.at(admin)
      const before = silent.find((each) => each.client?.url.href === client.url.href)
      return { ...(before ?? (await ask(client))), region }
    }),
  )
  const isNamed = (each: Asked) => named.some(({ client }) => client?.url.href === each.client?.url.href)
  const nameless = silent.filter((each) => !isNamed(each))
  return [...answered.values(), ...named, ...nameless].sort((a, b) => (a.region < b.region ? -1 : 1))
}

/** One that was given and is silent has not said which region it is. */
const unknownAddress = (silent: readonly Asked[]): string => {
  const addresses = silent.map(({ region }) => region).join(', ')
  const maybe = silent.length > 0 ? `, unless it has the address ${addresses}, which did not answer` : ''
  return `its admin address is not known here (--admin, admin.peers)${maybe}`
}

const noneOf = (silent: readonly Asked[]): SojournError =>
  new SojournError('UNAVAILABLE', `no region answered: ${silent.map(({ why }) => why).join('; ')}`)
