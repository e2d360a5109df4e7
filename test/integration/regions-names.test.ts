/** Whose a directory is, and two processes that run as one region. */
import { rm } from 'node:fs/promises'
import { openReplica, type Replica, type ReplicaOptions } from '@sojourn/replica'
import { fillStore, levelEngine } from '@sojourn/store'
import { afterEach, describe, expect, it } from 'vitest'
import { SECRET } from '../support/region.js'
import { closeOpened, listen, open, refuses, temporary } from '../support/replica.js'
import { until } from '../support/until.js'

afterEach(closeOpened)

const FAST = { heartbeat: 50, timeout: '1s', maxReconnectDelay: 100, digestInterval: '1h' } as const
const linked = (more: Partial<ReplicaOptions>): Promise<Replica> => open({ secret: SECRET, links: FAST, ...more })
const urlOf = ({ address }: Replica): string => `ws://127.0.0.1:${address!.port}`

describe('[REGION-1] a directory says whose it is', () => {
  it('and opening it as another region is refused, with the way to do it on purpose', async () => {
    const location = await temporary()
    const eu = await open({ location })
    const { id } = await eu.create({ kept: 1 })
    await eu.close()
    await refuses(openReplica({ region: 'us', location }), 'STORE_FOREIGN')
    const text = await openReplica({ region: 'us', location }).catch((error: Error) => error.message)
    expect(text).toContain('is the store of region "eu", and was to be opened as "us"')
    expect(text).toContain('sojourn restore <file> --from-region eu')
    const again = await open({ location })
    expect((await again.get(id))?.data).toEqual({ kept: 1 })
  })

  it('and rows that are taken over on purpose continue no feed of the region that they come from', async () => {
    const places = [await temporary(), await temporary()] as const
    const ap = await linked({ region: 'ap', listen: { port: 0 }, peers: { eu: null, us: null } })
    const peers = (others: readonly string[]) =>
      Object.fromEntries([['ap', urlOf(ap)], ...others.map((name) => [name, null])]) as Record<string, string | null>
    const eu = await linked({ region: 'eu', location: places[0], peers: peers(['us']) })
    const { id } = await eu.create({ from: 'eu' })
    const rows = []
    for await (const chunk of eu.rows()) rows.push(chunk)
    const copied = (async function* () {
      yield* rows
    })()
    await rm(places[1], { recursive: true })
    await fillStore(levelEngine, places[1], copied, { region: 'us', isForeign: true })
    const us = await linked({ region: 'us', location: places[1], peers: peers(['eu']) })
    expect((await us.get(id))?.data).toEqual({ from: 'eu' })
    await until(() => ap.status().links.us?.state === 'live' && ap.status().links.eu?.state === 'live', 'the links')
    // What eu and us write is held at ap, and acknowledged.
    await eu.update(id, { n: 1 }, { write: 2, timeout: '5s' })
    await us.update(id, { m: 1 }, { write: 2, timeout: '5s' })
    await until(async () => {
      const data = (await ap.get(id))?.data
      return data?.n === 1 && data.m === 1
    }, 'both writes at ap')
  })
})

describe('[REGION-2] two processes that run as one region', () => {
  const twins = async () => {
    const us = await linked({ region: 'us', listen: { port: 0 }, peers: { eu: null } })
    const emitted = listen(us, 'link')
    const first = await linked({ region: 'eu', peers: { us: urlOf(us) } })
    await until(() => us.status().links.eu?.state === 'live', 'the first one')
    const second = await linked({ region: 'eu', peers: { us: urlOf(us) } })
    await until(() => second.status().takenAt.length > 0, 'the second one to be refused')
    return { us, first, second, emitted }
  }

  it('are noticed: the first one keeps its links, and the second one is refused and knows why', async () => {
    const { us, first, second, emitted } = await twins()
    await until(() => first.status().links.us?.state === 'live' && us.status().links.eu?.state === 'live', 'the link')
    expect(emitted).toContainEqual([
      'link',
      expect.objectContaining({ region: 'eu', state: 'refused', code: 'LINK_REGION_TAKEN' }),
    ])
    expect(second.status()).toMatchObject({ takenAt: ['us'] })
    expect(first.status().takenAt).toEqual([])
    // The peer holds and acknowledges what the first one writes, however often the second one knocks.
    const knocks = us.status().links.eu!.failures.LINK_REGION_TAKEN ?? 0
    await until(() => (us.status().links.eu!.failures.LINK_REGION_TAKEN ?? 0) > knocks + 2, 'more knocks')
    const { id } = await first.create({ by: 'the first' }, { write: 'all', timeout: '5s' })
    expect((await us.get(id))?.data).toEqual({ by: 'the first' })
    expect(us.status().vector[first.status().replica]).toBe(first.status().head)
  })

  it('and when the first one is gone, the second one is let in', async () => {
    const { us, first, second } = await twins()
    await first.close()
    await until(() => second.status().links.us?.state === 'live', 'the second one')
    const { id } = await second.create({ by: 'the second' }, { write: 'all', timeout: '5s' })
    expect((await us.get(id))?.data).toEqual({ by: 'the second' })
    await until(() => second.status().takenAt.length === 0, 'it to know')
  })

  it('are not seen in a process that starts again, however often', async () => {
    const us = await linked({ region: 'us', listen: { port: 0 }, peers: { eu: null } })
    const emitted = listen(us, 'link')
    const location = await temporary()
    for (let n = 0; n < 4; n++) {
      const eu = await linked({ region: 'eu', location, peers: { us: urlOf(us) } })
      await until(() => eu.status().links.us?.state === 'live', 'the link')
      await eu.close()
    }
    expect(emitted.filter(([, change]) => 'code' in change && change.code === 'LINK_REGION_TAKEN')).toEqual([])
  })
})
