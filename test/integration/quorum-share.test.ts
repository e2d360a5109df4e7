/** That no caller's waiting for regions keeps others from theirs. */
import type { Client } from '@sojourn/client'
import type { Bearer, TokenBook } from '@sojourn/server'
import { afterEach, describe, expect, it } from 'vitest'
import { direct, joined, NOTHING } from '../support/hostile-client.js'
import { codeOf } from '../support/refusal.js'
import { openRegions, type Regions } from '../support/region.js'
import { Opened, type Served } from '../support/serve.js'
import { until } from '../support/until.js'

const opened = new Opened()
afterEach(() => opened.close())

const tokens: TokenBook = { check: (name): Bearer => ({ name, scope: 'write' }) }
const THREE = ['eu', 'us', 'ap'] as const
/** Of the replica: half of them for a token, a few for a connection. */
const MAX_QUORUMS = 40
const OWN = 8

/** Three regions of which one is down, and a server in another one. */
const withoutOne = async (): Promise<Served & { readonly regions: Regions<(typeof THREE)[number]> }> => {
  const regions = opened.add(await openRegions(THREE, { each: { eu: { limits: { maxPendingQuorums: MAX_QUORUMS } } } }))
  await regions.cutOff('ap')
  const served = await opened.serve({ on: regions.eu, tokens, limits: { maxQuorums: OWN, maxAwayMs: 1 } })
  return { ...served, listener: served.listener, regions }
}

const pending = ({ replica }: Served) => replica.status().pending

const flood = (client: Client, count: number) =>
  Array.from({ length: count }, (_, n) => client.create({ n }, { write: 'all', timeout: '60s' }).catch(() => {}))

describe('how long a call may wait for regions', () => {
  it('[QUO-7] no longer than limits.maxTimeoutMs, which a message names; nothing is written', async () => {
    const { regions, url } = await withoutOne()
    const client = await opened.connect({ url, token: 'one' })
    for (const sessions of [regions.eu, client]) {
      const calls = [
        sessions.create({}, { write: 'majority', timeout: '61s' }),
        sessions.create({}, { timeout: '24d' }),
        sessions.get('x', { read: 'majority', timeout: 60_001 }),
        sessions.end('x', { write: 'all', timeout: '1h' }),
      ]
      for (const call of calls) {
        const error = await codeOf(call)
        expect(error).toMatchObject({ code: 'INVALID_OPTION', option: 'timeout' })
        expect((error as Error).message).toContain('limits.maxTimeoutMs is 60000 ms')
      }
      await sessions.create({}, { write: 'majority', timeout: '60s' })
    }
    expect(await regions.eu.count()).toBe(2)
    const settings = { consistency: { timeout: '2m' } } as const
    expect(await codeOf(openRegions(['eu'], settings))).toMatchObject({ option: 'consistency.timeout' })
    await using longer = await openRegions(['eu'], { ...settings, limits: { maxTimeoutMs: 120_000 } })
    await longer.eu.create({}, { write: 'all', timeout: '2m' })
  })
})

describe('writes at `all` while a region is down', () => {
  it('[QUO-7] of one client, and of all clients of its token, leave room for the majority writes of others', async () => {
    const served = await withoutOne()
    const hog = await opened.connect({ url: served.url, token: 'hog', timeout: '60s' })
    void flood(hog, 200)
    await until(() => pending(served).writes === OWN, 'its share to wait')
    expect(await codeOf(hog.create({}, { write: 'majority' }))).toMatchObject({ code: 'OVERLOADED', limit: OWN })
    // What waits for nobody is not its share.
    await hog.create({})
    const sibling = await opened.connect({ url: served.url, token: 'hog' })
    await sibling.create({}, { write: 'majority' })
    // With many connections it has what its token has.
    for (let n = 0; n < 5; n++) void flood(await opened.connect({ url: served.url, token: 'hog', timeout: '60s' }), 200)
    await until(() => pending(served).writes === MAX_QUORUMS / 2, 'the share of its token to wait')
    expect(await codeOf(sibling.create({}, { write: 'majority' }))).toMatchObject({ code: 'OVERLOADED' })
    const other = await opened.connect({ url: served.url, token: 'other' })
    await Promise.all(Array.from({ length: OWN }, () => other.create({}, { write: 'majority' })))
    await served.replica.create({}, { write: 'majority' })
    expect(served.listener.status().kept.quorums).toBe(MAX_QUORUMS / 2)
  })

  it('[QUO-7] are given up when their client closes, and when it does not come back', async () => {
    const served = await withoutOne()
    const client = await opened.connect({ url: served.url, token: 'one' })
    void flood(client, OWN)
    await until(() => pending(served).writes === OWN, 'them to wait')
    await client.close()
    await until(() => pending(served).writes === 0, 'them to be given up')
    expect(served.listener.status()).toMatchObject({ remembered: 0, kept: { quorums: 0, requests: 0, replies: 0 } })
    // They are durable here, and will spread.
    expect(await served.replica.count()).toBe(OWN)
  })

  it('[QUO-7] one that vanishes is waited for as long as its answers are remembered; its reads are given up at once', async () => {
    const regions = opened.add(await openRegions(THREE))
    const limits = { maxAwayMs: 100, maxSilenceMs: 400 }
    const served = await opened.serve({ on: regions.eu, tokens, limits })
    const gone = await joined(direct(served), { token: 'one' })
    await regions.cutOff('ap')
    regions.stall('eu', 'us')
    const choices = { timeoutMs: 60_000 }
    gone.say(
      { type: 'create', number: 1, data: NOTHING, choices: { ...choices, write: 'all' } },
      { type: 'get', number: 2, id: 'x', watch: false, choices: { ...choices, read: 'majority' } },
      { type: 'end', number: 3, id: 'y', choices },
    )
    await until(() => pending(served).writes === 1 && pending(served).reads === 2, 'all to wait')
    gone.socket.terminate()
    await until(() => pending(served).reads === 1, 'the read to be given up')
    expect(pending(served).writes).toBe(1)
    await until(() => pending(served).writes + pending(served).reads === 0, 'the writes to be given up')
    regions.flow('eu', 'us')
  })
})
