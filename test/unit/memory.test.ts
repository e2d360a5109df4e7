/** What the limits allow in memory, added up, and what a server says of it. */
import { DEFAULT_LIMITS } from '@sojourn/core/internal'
import { DEFAULT_CLIENT_LIMITS } from '@sojourn/server'
import { afterEach, describe, expect, it } from 'vitest'
import { describeMemory, memoryNeed, memoryShortages } from '../../packages/server/src/memory.js'
import { Opened } from '../support/serve.js'
import { startServer } from '../support/servers.js'
import { until } from '../support/until.js'

const MB = 1024 * 1024
const opened = new Opened()
afterEach(() => opened.close())

describe('the memory that the limits allow', () => {
  const need = (limits = {}, clients = {}, peers = 2) =>
    memoryNeed({
      limits: { ...DEFAULT_LIMITS, ...limits },
      clients: { ...DEFAULT_CLIENT_LIMITS, ...clients },
      peers,
    })

  it('[BUDGET-2] is the sum of its parts, and grows with each limit by what that allows', () => {
    const { total, parts } = need()
    expect(total).toBe(Object.values(parts).reduce((sum, bytes) => sum + bytes, 0))
    const more = (limits: object, clients = {}) => need(limits, clients).total - total
    expect(more({}, { maxWatchedBytesInAll: DEFAULT_CLIENT_LIMITS.maxWatchedBytesInAll + 8 * MB })).toBe(10 * MB)
    expect(more({}, { maxRememberedBytesInAll: DEFAULT_CLIENT_LIMITS.maxRememberedBytesInAll + MB })).toBe(MB)
    expect(more({ maxCacheBytes: DEFAULT_LIMITS.maxCacheBytes + 4 * MB })).toBe(45 * MB)
    expect(more({ maxPendingQuorums: DEFAULT_LIMITS.maxPendingQuorums + 1_024 })).toBe(1.25 * MB)
    for (const name of [
      'maxConnections',
      'maxInFlightBytesInAll',
      'maxFrameBytesInAll',
      'maxBufferedBytesInAll',
    ] as const)
      expect(more({}, { [name]: DEFAULT_CLIENT_LIMITS[name] * 2 }), name).toBeGreaterThan(0)
    expect(need({}, {}, 3).parts.links).toBeGreaterThan(need({}, {}, 2).parts.links)
    const alone = memoryNeed({ limits: DEFAULT_LIMITS, clients: undefined, peers: 0 })
    expect(alone.parts).toMatchObject({ links: 0, watches: 0, replies: 0, connections: 0 })
  })

  it('[BUDGET-2] is compared with what there is', () => {
    const { total, heap } = need()
    expect(memoryShortages(need(), { memory: total, heap })).toEqual([])
    const [memory, ofHeap] = memoryShortages(need(), { memory: total - 1, heap: heap - 1 })
    expect(memory).toContain(`${describeMemory(need()).needMb} MB`)
    expect(ofHeap).toContain(`--max-old-space-size=${describeMemory(need()).heapMb}`)
  })

  it('[BUDGET-2] is logged when a server starts; its metrics report what is kept', async () => {
    const limits = { 'clients.port': '0', 'limits.maxCacheBytes': '100000000000' }
    const server = await startServer('eu', ':memory:', { flags: limits })
    opened.add({ close: () => server.stop() })
    const lines = server.log.map((line) => JSON.parse(line) as Record<string, unknown>)
    const said = lines.find(({ msg }) => msg === 'memory') as { needMb: number; partsMb: Record<string, number> }
    expect(said.partsMb.cache).toBe(Math.ceil((50_000 * 1_600 + 9 * 100_000_000_000) / MB))
    expect(said.needMb).toBeGreaterThan(said.partsMb.cache!)
    expect(lines.some(({ msg, level }) => level === 'warn' && String(msg).startsWith('the limits allow'))).toBe(true)
    await until(() => server.status().clients, 'clients to be let in')
    const text = await (await server.ask('/metrics')).text()
    for (const what of ['frames', 'requests', 'answers', 'replies', 'watches', 'scans'])
      expect(text).toContain(`sojourn_client_kept_bytes{what="${what}",region="eu"} 0`)
    expect(text).toContain('sojourn_client_quorums{region="eu"} 0')
    expect(text).toContain('sojourn_client_exceeded_total{what="watches",region="eu"} 0')
  })
})
