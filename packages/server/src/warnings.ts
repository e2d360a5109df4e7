/** What a server says of its settings when it starts: what is allowed and better not so, and how much memory the limits allow. */
import { isLoopback } from './admin/hosts.js'
import type { Config } from './config/load.js'
import { givenMemory } from './given-memory.js'
import type { Logger } from './log.js'
import { describeMemory, memoryNeed, memoryShortages } from './memory.js'

export const warnOf = ({ settings }: Config, log: Logger): void => {
  const { links, clients, admin, identity, restoredDangerouslyServeAtOnce } = settings
  for (const [name, { host, port, tls }] of Object.entries({ links, clients, admin, identity }))
    if (port !== undefined && tls.certFile === undefined && !isLoopback(host))
      log.warn(
        { listener: name },
        'listens beyond this machine without TLS, so anyone on the network can read the traffic',
      )
  for (const [name, { dangerouslyAllowAnyone }] of Object.entries({ clients, admin }))
    if (dangerouslyAllowAnyone) log.warn({ listener: name }, 'accepts anyone without a token')
  if (restoredDangerouslyServeAtOnce) log.warn('serves a restored backup at once, so ended sessions may show again')
}

/** How much memory the limits allow, added up, and whether there is as much. */
export const reportMemory = ({ settings }: Config, log: Logger): void => {
  const { limits, clients, peers } = settings
  const served = clients.port === undefined ? undefined : clients.limits
  const need = memoryNeed({ limits, clients: served, peers: Object.keys(peers).length })
  log.info(describeMemory(need), 'memory')
  for (const shortage of memoryShortages(need, givenMemory())) log.warn({}, shortage)
}
