/** How to reach the regions of a cluster on one machine: for people, to be pasted, and for programs. */
import type { Paint } from '../colour.js'
import { table } from '../table.js'
import type { ClusterDirectory } from './files.js'
import { HOST, type RegionPlan } from './plan.js'

/** Apart from the name, so that nothing takes it for an import of this file. */
const IMPORT = 'import { connect } from'

const urlsOf = ({ links, clients, admin }: RegionPlan) => ({
  clients: `ws://${HOST}:${clients}`,
  admin: `http://${HOST}:${admin}`,
  links: `ws://${HOST}:${links}`,
})

/** One line of JSON when all regions are ready. */
export const guideJson = (
  plan: readonly RegionPlan[],
  { path, isTemporary, tokens }: ClusterDirectory,
  pids: ReadonlyMap<string, number | undefined>,
): object => ({
  directory: path,
  isTemporary,
  tokens,
  regions: Object.fromEntries(plan.map((region) => [region.name, { ...urlsOf(region), pid: pids.get(region.name) }])),
})

/** What can be pasted into an app that runs in a region; it asks the others when that one is away. */
const snippet = (plan: readonly RegionPlan[], own: RegionPlan, token: string): string => {
  const urls = [own, ...plan.filter((each) => each !== own)].map((each) => `'${urlsOf(each).clients}'`)
  const address = urls.length === 1 ? `url: ${urls[0]}` : `urls: [${urls.join(', ')}]`
  return `  const sessions = await connect({ ${address}, token: '${token}' }) // in ${own.name}`
}

export const guideText = (
  plan: readonly RegionPlan[],
  { path, isTemporary, tokens }: ClusterDirectory,
  paint: Paint,
): string => {
  const rows = plan.map((region) => {
    const { clients, admin, links } = urlsOf(region)
    return [region.name, clients, admin, links]
  })
  const [first] = plan
  return `${table(['REGION', 'CLIENTS', 'ADMIN', 'PEERS'], rows, paint)}

${paint('bold', 'An app connects to its own region first, with one of these lines:')}
  ${IMPORT} 'sojourn'
${plan.map((own) => snippet(plan, own, tokens.app)).join('\n')}

${paint('bold', 'You look at the cluster from another terminal:')}
  export SOJOURN_ADMIN_URL=${urlsOf(first!).admin} SOJOURN_TOKEN=${tokens.ops}
  sojourn status --watch

${isTemporary ? `Ctrl-C ends all regions and removes ${path}, which has their data.` : `Ctrl-C ends all regions. ${path} keeps their data, ports and tokens.`}`
}
