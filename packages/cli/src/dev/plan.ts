/** Which regions a cluster on one machine has, and on which ports they listen. */
import { type AddressInfo, createServer, type Server } from 'node:net'
import { SojournError } from '@sojourn/core/internal'

const MAX_REGIONS = 9
const NAMES = ['eu', 'us', 'ap', 'sa', 'af', 'me', 'ca', 'in', 'oc']
export const HOST = '127.0.0.1'
/** Of one region: peers, clients, admin. */
const PORTS_EACH = 3
const MAX_PORT = 65_535

/** One region of the cluster. */
export interface RegionPlan {
  readonly name: string
  readonly links: number
  readonly clients: number
  readonly admin: number
}

const REGIONS_ALLOWED = `a number from 1 to ${MAX_REGIONS}, or as many names of lower-case letters, digits and dashes, such as eu,us`

/** Region names, of a number or a list. @throws INVALID_OPTION */
export const parseRegions = (text: string, flag: string): readonly string[] => {
  if (/^[1-9]$/.test(text)) return NAMES.slice(0, Number(text))
  const names = text.split(',').map((name) => name.trim())
  // They become names of files.
  const areNames = names.every((name) => /^[a-z][a-z0-9-]{0,31}$/.test(name))
  if (areNames && names.length <= MAX_REGIONS && new Set(names).size === names.length) return names
  throw new SojournError('INVALID_OPTION', `${flag} is ${JSON.stringify(text)}; give ${REGIONS_ALLOWED}`, {
    option: flag.replace('--', ''),
  })
}

/** Each region gets the next three ports. */
export const planFrom = (names: readonly string[], ports: readonly number[]): RegionPlan[] =>
  names.map((name, index) => {
    const [links, clients, admin] = ports.slice(index * PORTS_EACH)
    return { name, links: links!, clients: clients!, admin: admin! }
  })

/** Consecutive ports. @throws INVALID_OPTION where there are not so many */
export const portsFrom = (first: number, regions: number): number[] => {
  const ports = Array.from({ length: regions * PORTS_EACH }, (_, index) => first + index)
  if (ports.at(-1)! <= MAX_PORT) return ports
  throw new SojournError(
    'INVALID_OPTION',
    `--port is ${first}, and ${regions} regions need ${ports.length} ports from there on; give at most ${MAX_PORT - ports.length + 1}`,
    { option: 'port' },
  )
}

/** Ports that nobody listens on at the moment; somebody may take one before it is used. */
export const freePorts = async (regions: number): Promise<number[]> => {
  // All at one time, so that none is given twice.
  const servers = await Promise.all(Array.from({ length: regions * PORTS_EACH }, listen))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

const listen = (): Promise<Server> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, HOST, () => resolve(server))
  })
