/** What clients can make a server keep: bytes, of a connection, of a token, and in all. */
import type { Socket } from 'node:net'
import type { Bearer, TokenBook } from '@sojourn/server'
import type { FromClient } from '@sojourn/wire'
import { afterEach, describe, expect, it } from 'vitest'
import { WEIGHTS } from '../../packages/server/src/clients/limits.js'
import { heldBytes } from '../support/heap.js'
import { type Caller, direct, joined, NOTHING } from '../support/hostile-client.js'
import { hex } from '../support/hostile-peer.js'
import { codeOf } from '../support/refusal.js'
import { Gate, Opened, type Served } from '../support/serve.js'
import { until } from '../support/until.js'

const opened = new Opened()
afterEach(() => opened.close())

const MB = 1024 * 1024
/** Each token is its own bearer. */
const tokens: TokenBook = { check: (name): Bearer => ({ name, scope: 'admin' }) }

const status = ({ listener }: Served) => listener.status()

/** Says so many messages, a few thousand at a time, and hears all that is answered. Returns the answers of the last of them. */
const say = async (caller: Caller, count: number, message: (n: number) => FromClient, atOnce = 4_000) => {
  for (let from = 0; from < count; from += atOnce) {
    caller.heard.length = 0
    const many = Math.min(atOnce, count - from)
    caller.say(...Array.from({ length: many }, (_, n) => message(from + n)), { type: 'ping', number: from + 1 })
    const answers = () => caller.heard.filter(({ type }) => type !== 'changed').length
    await until(() => answers() === many + 1, 'the answers')
  }
  return caller.heard
}

const watch = (number: number, id: string): FromClient => ({ type: 'get', number, id, watch: true, choices: {} })

describe('watches', () => {
  it('[BUDGET-1] of ids that do not exist cost nothing: 200,000 of them', async () => {
    const served = await opened.serve({ tokens })
    const caller = await joined(direct(served), { token: 'read' })
    await say(caller, 4_000, (n) => watch(n + 1, `warm ${n}`))
    const before = await heldBytes()
    await say(caller, 200_000, (n) => watch(4_001 + n, `unknown ${n}`))
    caller.heard.length = 0
    expect(await heldBytes()).toBeLessThan(before + 4 * MB)
    expect(status(served)).toMatchObject({ watched: 0, kept: { watches: 0, requests: 0 } })
  })

  it('[BUDGET-1] weigh no more than what they are counted as', async () => {
    const limits = { maxWatched: 100_000 }
    const served = await opened.serve({ tokens, limits, region: { limits: { maxCacheEntries: 1 } } })
    const count = 30_000
    for (let n = 0; n < count; n += 1_000)
      await Promise.all(Array.from({ length: 1_000 }, (_, m) => served.replica.create({}, { id: `id ${n + m}` })))
    const caller = await joined(direct(served), { token: 'read' })
    await say(caller, 10, (n) => watch(n + 1, `id ${n}`))
    const before = await heldBytes()
    await say(caller, count, (n) => watch(11 + n, `id ${n}`))
    caller.heard.length = 0
    const each = ((await heldBytes()) - before) / count
    expect(status(served)).toMatchObject({ watched: count, kept: { watches: count * WEIGHTS.watch } })
    expect(each).toBeGreaterThan(50)
    expect(each).toBeLessThan(WEIGHTS.watch)
  })

  it('[BUDGET-1] beyond the budget of a token, or of all, are no watches: the read is answered all the same', async () => {
    const room = 1_000
    const limits = { maxWatchedBytesInAll: room * WEIGHTS.watch }
    const served = await opened.serve({ tokens, limits })
    for (let n = 0; n < room; n++) await served.replica.create({ n }, { id: `id ${n}` })
    const watchedBy = async (token: string) => {
      const answers = await say(await joined(direct(served), { token }), room, (n) => watch(n + 1, `id ${n}`))
      expect(answers.filter(({ type }) => type === 'foundWho')).toHaveLength(room)
      return answers.filter((answer) => answer.type === 'foundWho' && answer.watched).length
    }
    expect(await watchedBy('one')).toBe(room / 2)
    // The same token has no more for another connection; another token has as much.
    expect(await watchedBy('one')).toBe(0)
    expect(await watchedBy('two')).toBe(room / 2)
    expect(await watchedBy('three')).toBe(0)
    expect(status(served)).toMatchObject({ watched: room, kept: { watches: room * WEIGHTS.watch } })
    expect(status(served).exceeded.watches).toBe(3 * room)
    await Promise.all(Array.from({ length: room }, (_, n) => served.replica.update(`id ${n}`, { n: -1 })))
    await until(() => status(served).kept.watches === 0, 'the changes to be sent')
  })
})

describe('remembered answers', () => {
  const increment = (number: number): FromClient => ({
    type: 'increment',
    number,
    id: 'a',
    path: '/n',
    by: 1,
    choices: {},
  })

  it('[BUDGET-1] of a flood from many clients with one token: bytes in all are bounded, and other tokens keep theirs', async () => {
    const max = 2 * MB
    const served = await opened.serve({ tokens, limits: { maxRememberedBytesInAll: max, maxAwayClients: 1_000 } })
    await served.replica.create({ n: 0, text: 'x'.repeat(4_000) }, { id: 'a' })
    const client = hex(16)
    const victim = await joined(direct(served), { token: 'victim', client })
    victim.say(increment(1))
    const answer = await victim.hears('foundWho')
    const before = await heldBytes()
    for (let n = 0; n < 40; n++) {
      const hog = await joined(direct(served), { token: 'hog' })
      await say(hog, 500, (m) => increment(m + 1), 500)
      hog.heard.length = 0
      expect(status(served).kept.replies).toBeLessThanOrEqual(max)
      // Away, they are remembered for when they come back.
      hog.socket.terminate()
    }
    // 80 MB of answers.
    expect(status(served).kept.replies).toBeGreaterThan(max / 2 - 10_000)
    expect(status(served).exceeded.replies).toBeGreaterThan(19_000)
    expect(await heldBytes()).toBeLessThan(before + max + 10 * MB)
    victim.say(increment(1))
    await until(() => victim.heard.filter(({ type }) => type === 'foundWho').length === 2, 'the same answer')
    expect(victim.heard.at(-1)).toEqual(answer)
    expect(await served.replica.get('a')).toMatchObject({ data: { n: 20_001 } })
  })

  it('[BUDGET-1] weigh no more than what they are counted as', async () => {
    const limits = { maxRemembered: 100_000, maxRememberedBytes: 100 * MB, maxRememberedBytesInAll: 200 * MB }
    const served = await opened.serve({ tokens, limits })
    await served.replica.create({ n: 0 }, { id: 'a' })
    const caller = await joined(direct(served))
    await say(caller, 1_000, (n) => increment(n + 1))
    const [before, counted] = [await heldBytes(), status(served).kept.replies]
    await say(caller, 40_000, (n) => increment(1_001 + n))
    caller.heard.length = 0
    const bytes = (await heldBytes()) - before
    expect(bytes).toBeGreaterThan(40_000 * 100)
    expect(bytes).toBeLessThan(status(served).kept.replies - counted)
  })
})

describe('requests', () => {
  it('[BUDGET-1] under way: what is beyond the bytes of a connection, a token, or all, is refused with OVERLOADED', async () => {
    const gate = new Gate()
    const limits = { maxInFlightBytes: 400_000, maxInFlightBytesInAll: 1_000_000 }
    const served = await opened.serve({ tokens, limits, around: gate.around })
    const clients = await Promise.all(
      ['one', 'one', 'two'].map((token) => opened.connect({ url: served.url, token, timeout: '30s' })),
    )
    gate.shut()
    // Each weighs 102,048 and some.
    const create = (n: number) => clients[n]!.create({ text: 'x'.repeat(50_000) })
    const calls = [0, 0, 0].map(create)
    await until(() => status(served).inFlight === 3, 'the calls to be under way')
    const refusals = { connection: await codeOf(create(0)), token: undefined as unknown }
    expect(refusals.connection).toMatchObject({ code: 'OVERLOADED', limit: 400_000 })
    calls.push(create(1))
    await until(() => status(served).inFlight === 4, 'one more of the same token')
    refusals.token = await codeOf(create(1))
    expect(refusals.token).toMatchObject({ code: 'OVERLOADED', limit: 500_000 })
    expect((refusals.token as Error).message).toContain('maxInFlightBytesInAll')
    calls.push(create(2))
    await until(() => status(served).inFlight === 5, 'one of another token')
    expect(status(served).kept.requests).toBeGreaterThan(510_000)
    gate.open()
    await Promise.all(calls)
    await until(() => status(served).kept.requests === 0, 'the budget to be given back')
  })

  it('[BUDGET-1] that a connection leaves behind are counted until they are answered', async () => {
    const gate = new Gate()
    const served = await opened.serve({ tokens, around: gate.around })
    gate.shut()
    const caller = await joined(direct(served))
    caller.say({ type: 'create', number: 1, data: NOTHING, choices: {} })
    await until(() => gate.held === 1, 'the call to be under way')
    caller.socket.terminate()
    await until(() => status(served).connections === 0, 'the end of the connection')
    expect(status(served).kept.requests).toBeGreaterThan(0)
    gate.open()
    await until(() => status(served).kept.requests === 0, 'the answer')
  })
})

describe('scans', () => {
  it('[BUDGET-1] of a token, and of all', async () => {
    const served = await opened.serve({ tokens, limits: { maxScans: 3, maxScansInAll: 4 } })
    for (let n = 0; n < 300; n++) await served.replica.create({ n })
    const begun = async (token: string) => {
      const client = await opened.connect({ url: served.url, token })
      const scan = client.sessions()[Symbol.asyncIterator]()
      return codeOf(scan.next())
    }
    for (const _ of 'ab') await expect(begun('one')).rejects.toThrow('resolved')
    expect(await begun('one')).toMatchObject({ code: 'OVERLOADED', limit: 2 })
    for (const _ of 'ab') await expect(begun('two')).rejects.toThrow('resolved')
    expect(await begun('three')).toMatchObject({ code: 'OVERLOADED', limit: 4 })
    expect(status(served).kept.scans).toBe(4 * WEIGHTS.scan)
    // They end with their connections, also where a page is being made.
    const again = await opened.serve({ tokens })
    for (let n = 0; n < 300; n++) await again.replica.create({ n })
    const busy = await joined(direct(again))
    busy.say({ type: 'scan', number: 1 })
    await until(() => status(again).totals.requests === 1, 'it to begin')
    busy.socket.terminate()
    await until(() => status(again).connections === 0, 'the end of the connection')
    await until(() => status(again).kept.requests === 0, 'the page')
    expect(status(again).kept.scans).toBe(0)
  })
})

describe('what clients leave on the way', () => {
  it('[BUDGET-1] answers that many leave unread: who leaves most is cut off, and others are answered', async () => {
    const max = 2 * MB
    const limits = { maxBufferedBytes: MB, maxBufferedBytesInAll: max, maxTokenPercent: 100 }
    const served = await opened.serve({ tokens, limits })
    await served.replica.create({ text: 'x'.repeat(50_000) }, { id: 'a' })
    const other = await opened.connect({ url: served.url })
    const slow = await Promise.all(Array.from({ length: 4 }, () => joined(direct(served))))
    for (const caller of slow) {
      caller.socket.pause()
      for (let number = 1; number <= 1_500; number++)
        caller.say({ type: 'get', number, id: 'a', watch: false, choices: {} })
    }
    let most = 0
    await until(async () => {
      await other.get('unknown')
      most = Math.max(most, status(served).kept.answers)
      return (status(served).totals.refused.OVERLOADED ?? 0) >= 2
    }, 'two to be cut off')
    expect(most).toBeLessThanOrEqual(max)
    expect(status(served).exceeded.answers).toBeGreaterThanOrEqual(2)
    for (const { socket } of slow) socket.terminate()
  })

  it('[BUDGET-1] frames that come in part: who has most of them is cut off, and others are served', async () => {
    const max = 3 * MB
    const served = await opened.serve({ tokens, limits: { maxFrameBytesInAll: max, maxTokenPercent: 100 } })
    const other = await opened.connect({ url: served.url })
    const length = 1_000_000
    const header = Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4])
    header.writeUInt32BE(length, 6)
    const slow: Caller[] = []
    const refused = () => status(served).totals.refused.OVERLOADED ?? 0
    for (const bytes of [900_000, 900_000, 900_000, 950_000, 850_000]) {
      const caller = await joined(direct(served))
      slow.push(caller)
      const [before, cut] = [status(served).kept.frames, refused()]
      rawOf(caller).write(Buffer.concat([header, Buffer.alloc(bytes)]))
      await until(() => status(served).kept.frames >= before + bytes || refused() > cut, 'it to come')
      expect(status(served).kept.frames).toBeLessThanOrEqual(max)
    }
    // The fourth was too much, and then the fifth; each time one went that had more than what came.
    await until(() => slow.filter(({ ended }) => ended !== undefined).length === 2, 'two to be cut off')
    expect(slow[4]!.ended).toBeUndefined()
    expect(refused()).toBe(2)
    await other.create({ text: 'x'.repeat(50_000) })
    for (const { socket } of slow) socket.terminate()
    await until(() => status(served).connections === 1, 'their end')
    await until(() => status(served).kept.frames === 0, 'nothing to be left')
  })
})

const rawOf = ({ socket }: Caller): Socket => (socket as unknown as { readonly _socket: Socket })._socket
