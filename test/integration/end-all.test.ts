/** Ending every session: for as long as it gets on, and not by the time that a single call may take. */
import { type Clock, type SessionApi, systemClock } from '@sojourn/core/internal'
import { SojournStore } from '@sojourn/express'
import type { Replica } from '@sojourn/replica'
import { afterEach, describe, expect, it } from 'vitest'
import { endAll } from '../../packages/replica/src/end-all.js'
import { WorldTime } from '../../packages/sim/src/time.js'
import { codeOf } from '../support/refusal.js'
import { openRegions } from '../support/region.js'
import { Opened } from '../support/serve.js'

const opened = new Opened()
afterEach(() => opened.close())

const MANY = 30_000
/** Far less than that many ends take. */
const SHORT_MS = 100

/** Time that passes when a test says so. */
const manualClock = (): Clock & { advance(ms: number): Promise<void> } => {
  const time = new WorldTime()
  return {
    now: () => time.wall,
    monotonic: () => time.now,
    after: (delayMs, callback) => time.schedule(delayMs, callback),
    soon: (callback) => void time.schedule(0, callback),
    endOfTurn: (callback) => void time.schedule(0, callback),
    advance: (ms) => time.advance(ms),
  }
}

const fill = async (replica: Replica): Promise<void> => {
  for (let made = 0; made < MANY; made += 1_000)
    await Promise.all(Array.from({ length: 1_000 }, (_, n) => replica.create({ n: made + n })))
}

describe('endAll', () => {
  it('[ALL-1] of 30,000 sessions, embedded, by an adapter', async () => {
    await using regions = await openRegions(['eu', 'us'], { disk: true })
    const { eu } = regions
    await fill(eu)
    await new SojournStore({ sessions: eu }).clear()
    expect(eu.status()).toMatchObject({ sessions: 0, tombstones: MANY })
    await regions.settled()
    expect(await eu.endAll()).toBe(0)
  })

  it('[ALL-1] by an adapter goes on while sessions become fewer, and is given up when they do not', async () => {
    const { replica } = await opened.serve()
    const ids = await Promise.all(Array.from({ length: 100 }, async () => (await replica.create({})).id))
    const clock = manualClock()
    let isHung = false
    const sessions: SessionApi = new Proxy(replica, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target)
        if (name === 'endAll') return slowly
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    // Half of the adapter's timeout for each, so a hundred timeouts' worth in all.
    const slowly = async () => {
      for (const id of ids) {
        if (isHung) await new Promise(() => {})
        await replica.end(id)
        await clock.advance(SHORT_MS / 2)
      }
      return ids.length
    }
    const store = new SojournStore({ sessions, timeout: SHORT_MS, clock })
    await store.clear()
    expect(await replica.count()).toBe(0)
    isHung = true
    const given = codeOf(store.clear())
    for (let n = 0; n < 4; n++) await clock.advance(SHORT_MS / 2)
    expect(await given).toMatchObject({ code: 'TIMEOUT' })
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
