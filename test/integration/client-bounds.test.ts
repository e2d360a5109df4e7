import { encodeData, type FromClient } from '@sojourn/wire'
import { afterEach, describe, expect, it } from 'vitest'
import { Caller, direct, join, joined, NOTHING } from '../support/hostile-client.js'
import { hex } from '../support/hostile-peer.js'
import { codeOf } from '../support/refusal.js'
import { Gate, Opened } from '../support/serve.js'
import { until } from '../support/until.js'

const opened = new Opened()
afterEach(() => opened.close())

describe('bounds', () => {
  it('[NET-8] calls in flight: one more is refused with OVERLOADED by the client, and by the server', async () => {
    const gate = new Gate()
    const served = await opened.serve({ around: gate.around, limits: { maxInFlight: 5 } })
    const client = await opened.connect({ url: served.url, limits: { maxInFlight: 3 } })
    const other = await opened.connect({ url: served.url })
    gate.shut()
    for (const [asker, limit] of [
      [client, 3],
      [other, 5],
    ] as const) {
      const calls = Array.from({ length: limit }, () => asker.create({}))
      expect(await codeOf(asker.create({}))).toMatchObject({ code: 'OVERLOADED', limit })
      await until(() => gate.held === limit, 'the calls to be under way')
      gate.open()
      await Promise.all(calls)
      gate.shut()
    }
    const caller = await joined(direct(served))
    caller.say(
      ...Array.from(
        { length: 8 },
        (_, n): FromClient => ({ type: 'create', number: n + 1, data: NOTHING, choices: {} }),
      ),
    )
    await until(() => caller.heard.length === 4, 'three refusals')
    for (const answer of caller.heard.slice(1)) expect(answer).toMatchObject({ type: 'failed', code: 'OVERLOADED' })
    gate.open()
    await until(() => caller.heard.length === 9, 'the answers')
    expect(await served.replica.count()).toBe(13)
  })

  it('[NET-8] a request that fits into no frame is refused, and the connection stands', async () => {
    const { url } = await opened.serve({ limits: { maxFrameBytes: 200_000 } })
    const client = await opened.connect({ url })
    expect(await codeOf(client.create({ text: 'x'.repeat(200_000) }))).toMatchObject({ code: 'SESSION_TOO_LARGE' })
    expect(await codeOf(client.create({ text: 'é'.repeat(90_000) }))).toMatchObject({ code: 'SESSION_TOO_LARGE' })
    await client.create({ text: 'x'.repeat(50_000) })
    expect(client.status().totals.connections).toBe(1)
  })

  it('[NET-8] connections, and those of which nobody knows who it is', async () => {
    const served = await opened.serve({ limits: { maxConnections: 3, maxHandshakes: 2, maxSilenceMs: 300 } })
    const silent = await Promise.all([new Caller(direct(served)).open(), new Caller(direct(served)).open()])
    const third = await new Caller(direct(served)).open()
    // Who came first has had the time to say who it is.
    await silent[0]!.isRefused('OVERLOADED')
    expect(served.listener.status()).toMatchObject({ connections: 0, unauthenticated: { evicted: 1 } })
    for (const caller of [silent[1]!, third]) await caller.isRefused('LINK_TIMEOUT')
    const known = [await joined(direct(served)), await joined(direct(served)), await joined(direct(served))]
    expect(served.listener.status().connections).toBe(3)
    const fourth = await new Caller(direct(served)).open()
    fourth.say(join())
    await fourth.isRefused('OVERLOADED')
    // Nor is a client that was let in waited for for ever.
    for (const caller of known) await caller.isRefused('LINK_TIMEOUT')
  })

  it('[NET-8] answers that are remembered, by count and by bytes; a write that is forgotten is not done again', async () => {
    const served = await opened.serve({ limits: { maxRemembered: 10, maxRememberedBytes: 8_000 } })
    const client = hex(16)
    const caller = await joined(direct(served), { client })
    const create = (number: number, text = ''): FromClient => ({
      type: 'create',
      number,
      data: encodeData({ text }),
      choices: {},
    })
    for (let number = 1; number <= 50; number++) caller.say(create(number))
    await until(() => caller.heard.length === 51, 'the answers')
    expect(served.listener.status().remembered).toBe(10)
    caller.say(create(51, 'x'.repeat(3_500)), create(52, 'x'.repeat(3_500)))
    await until(() => caller.heard.length === 53, 'the answers')
    expect(served.listener.status().remembered).toBe(1)
    const again = await joined(direct(served), { client })
    expect(await again.hears('welcome')).toMatchObject({ resumes: 52 })
    again.say(create(52), create(7))
    await until(() => again.heard.length === 3, 'the answers')
    expect(again.heard[1]).toEqual(caller.heard.at(-1))
    expect(again.heard[2]).toMatchObject({ type: 'failed', code: 'CONNECTION_LOST', details: { mayHaveApplied: true } })
    expect(await served.replica.count()).toBe(52)
  })

  it('[NET-8] clients that are away, of which answers are remembered', async () => {
    const served = await opened.serve({ limits: { maxAwayClients: 4 } })
    for (let n = 0; n < 12; n++) {
      const caller = await joined(direct(served))
      caller.say({ type: 'create', number: 1, data: NOTHING, choices: {} })
      await caller.hears('madeWho')
      caller.socket.terminate()
      await until(() => served.listener.status().connections === 0, 'the end')
    }
    expect(served.listener.status().remembered).toBe(4)
  })

  it('[NET-8] scans over all sessions', async () => {
    const served = await opened.serve({ limits: { maxScans: 2 } })
    for (let n = 0; n < 300; n++) await served.replica.create({ n })
    const client = await opened.connect({ url: served.url })
    const [one, two, three] = [client.sessions(), client.sessions(), client.sessions()].map((all) =>
      all[Symbol.asyncIterator](),
    )
    await one!.next()
    await two!.next()
    expect(await codeOf(three!.next())).toMatchObject({ code: 'OVERLOADED', limit: 2 })
    // Who leaves one makes room for another.
    await one!.return!()
    let count = 0
    for await (const _ of client.sessions()) count++
    expect(count).toBe(300)
  })

  it.each([
    ['all at once', 3_000],
    ['little by little', 50],
  ])(
    '[NET-8] answers that a client does not read, asked for %s: its requests wait, unread, and the memory of the server does not grow',
    async (_how, atOnce) => {
      const served = await opened.serve({ limits: { maxBufferedBytes: 100_000 } })
      await served.replica.create({ text: 'x'.repeat(50_000) }, { id: 'a' })
      const other = await opened.connect({ url: served.url })
      const caller = await joined(direct(served))
      caller.socket.pause()
      const wanted = 3_000
      for (let number = 1; number <= wanted; number++) {
        caller.say({ type: 'get', number, id: 'a', watch: false, choices: {} })
        if (number % atOnce === 0) await other.get('unknown')
      }
      const sent = () => served.listener.status().totals.bytesOut
      let before = -1
      await until(async () => {
        // Others are served meanwhile.
        for (let n = 0; n < 50; n++) await other.get('unknown')
        const isStill = sent() - before < 10_000 && sent() > 100_000
        before = sent()
        return isStill
      }, 'the server to pause')
      // All answers would be 150 MB; the buffers of the system take some of them, by default up to 36 MB.
      expect(sent()).toBeLessThan(75_000_000)
      caller.socket.resume()
      await until(() => caller.heard.length === wanted + 1, 'the answers')
    },
  )
})
