/** Ending every session: for as long as it gets on, and not by the time that a single call may take. */
import { systemClock } from '@sojourn/core'
import { SojournStore } from '@sojourn/express'
import type { Replica } from '@sojourn/replica'
import { afterEach, describe, expect, it } from 'vitest'
import { endAll } from '../../packages/replica/src/end-all.js'
import { codeOf } from '../support/refusal.js'
import { openRegions } from '../support/region.js'
import { Opened } from '../support/serve.js'

const opened = new Opened()
afterEach(() => opened.close())

const MANY = 30_000
/** Far less than that many ends take. */
const SHORT_MS = 100

const fill = async (replica: Replica): Promise<void> => {
  for (let made = 0; made < MANY; made += 1_000)
    await Promise.all(Array.from({ length: 1_000 }, (_, n) => replica.create({ n: made + n })))
}

describe('endAll', () => {
  it('[ALL-1] of 30,000 sessions, embedded and by an adapter whose calls may take far less', async () => {
    await using regions = await openRegions(['eu', 'us'], { disk: true })
    const { eu } = regions
    await fill(eu)
    const store = new SojournStore({ sessions: eu, timeout: 4 * SHORT_MS })
    const startedAt = performance.now()
    await store.clear()
    expect(performance.now() - startedAt).toBeGreaterThan(4 * SHORT_MS)
    expect(eu.status()).toMatchObject({ sessions: 0, tombstones: MANY })
    await regions.settled()
    expect(await eu.endAll()).toBe(0)
  })

  it('[ALL-1] of 30,000 sessions, over the network, by a client whose calls may take far less; others are answered meanwhile', async () => {
    const { url, replica } = await opened.serve()
    await fill(replica)
    const client = await opened.connect({ url, timeout: SHORT_MS })
    const other = await opened.connect({ url })
    let isOver = false
    const ending = client.endAll({ reason: 'revoked' }).finally(() => {
      isOver = true
    })
    let answered = 0
    while (!isOver) {
      await other.get('unknown')
      answered++
    }
    expect(await ending).toBe(MANY)
    expect(answered).toBeGreaterThan(50)
    expect(replica.status()).toMatchObject({ sessions: 0, tombstones: MANY })
  })

  it('[ALL-1] over a connection that ends meanwhile is asked again, and answered with what the server ended', async () => {
    const { url, proxy, replica } = await opened.serve()
    await fill(replica)
    const client = await opened.connect({ url, timeout: '10s' })
    const ending = client.endAll()
    while (replica.status().tombstones === 0) await new Promise((resolve) => setImmediate(resolve))
    proxy.cut()
    proxy.heal()
    expect(await ending).toBe(MANY)
  })

  it('[ALL-1] is refused as soon as it does not get on, and with what refuses a single end', async () => {
    const keys = Array.from({ length: 2_000 }, (_, n) => n.toString(16).padStart(32, '0'))
    const slices = [async () => keys]
    const with_ = (end: (key: string) => Promise<boolean>) => endAll({ clock: systemClock, slices, end, stallMs: 50 })
    let underWay = 0
    let most = 0
    const all = await with_(async () => {
      most = Math.max(most, ++underWay)
      await new Promise((resolve) => setImmediate(resolve))
      underWay--
      return true
    })
    expect(all).toBe(2_000)
    expect(most).toBe(512)
    const hung = await codeOf(with_((key) => (key === keys[900] ? new Promise(() => {}) : Promise.resolve(true))))
    expect(hung).toMatchObject({ code: 'TIMEOUT', mayHaveApplied: true })
    expect((hung as Error).message).toContain('1999 are ended')
    const refused = with_((key) => (key === keys[900] ? Promise.reject(new Error('no')) : Promise.resolve(true)))
    await expect(refused).rejects.toThrow('no')
  })
})
