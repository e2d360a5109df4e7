import type { AdminStatus } from '../admin/routes.js'
import type { AdminClient } from './admin-client.js'

export interface Asked {
  readonly region: string
  readonly client: AdminClient | undefined
  readonly status: AdminStatus | undefined
  /** Why there is no status. */
  readonly why: string | undefined
}

const whyOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/**
 * Asks the regions that were given, and those that the first one to answer knows the admin address of, for their status.
 * @throws what the first one gave for an error, where none answered
 */
export const askRegions = async (clients: readonly AdminClient[]): Promise<Asked[]> => {
  const given = await Promise.allSettled(clients.map((client) => client.status()))
  const asked = new Map<string, Asked>()
  given.forEach((result, index) => {
    const client = clients[index]!
    if (result.status === 'fulfilled')
      asked.set(result.value.region, { region: result.value.region, client, status: result.value, why: undefined })
  })
  const [first] = asked.values()
  if (first === undefined) throw (given[0] as PromiseRejectedResult).reason
  const others = first.status!.members.filter(({ region }) => !asked.has(region))
  const told = await Promise.all(
    others.map(async ({ region, admin }): Promise<Asked> => {
      if (admin === undefined)
        return {
          region,
          client: undefined,
          status: undefined,
          why: 'its admin address is not known here (--admin, admin.peers)',
        }
      const client = first.client!.at(admin)
      try {
        return { region, client, status: await client.status(), why: undefined }
      } catch (error) {
        return { region, client, status: undefined, why: whyOf(error) }
      }
    }),
  )
  // One that was given and did not answer has no name but its address; most likely it is among the others.
  given.forEach((result, index) => {
    if (result.status === 'rejected' && !told.some(({ status }) => status === undefined))
      asked.set(clients[index]!.url.origin, {
        region: clients[index]!.url.origin,
        client: clients[index],
        status: undefined,
        why: whyOf(result.reason),
      })
  })
  return [...asked.values(), ...told].sort((a, b) => (a.region < b.region ? -1 : 1))
}
