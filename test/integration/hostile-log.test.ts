/** What a peer, or nobody, can make a region write into its log. */
import { randomBytes } from 'node:crypto'
import { systemClock } from '@sojourn/core/internal'
import { logReplica, openLog } from '@sojourn/server'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { connect, linkAs } from '../support/hostile-peer.js'
import { a, changes, closeBoth, expectService, openBoth } from '../support/hostile-region.js'
import { until } from '../support/until.js'

beforeEach(() => openBoth())
afterEach(closeBoth)

interface LogLine {
  readonly peer?: string
  readonly msg: string
  readonly suppressed?: number
}

/** The log of `a`, and time that is moved on by hand. */
const logged = () => {
  const lines: LogLine[] = []
  let later = 0
  const due: { readonly at: number; readonly call: () => void }[] = []
  const monotonic = () => later
  const after = (delayMs: number, call: () => void) => {
    due.push({ at: later + delayMs, call })
    return { cancel: () => {}, hold: () => {}, release: () => {} }
  }
  const log = openLog('info', 'a', { write: (line) => void lines.push(JSON.parse(line) as LogLine) })
  logReplica(a, log, { ...systemClock, monotonic, after })
  const pass = (ms: number) => {
    later += ms
    for (const { at, call } of due.splice(0)) if (at <= later) call()
  }
  return { lines, pass }
}

it('[SRV-4] a link that goes up and down without end has ten lines a minute, and the last one says how it is', async () => {
  const { lines, pass } = logged()
  const times = 40
  for (let n = 0; n < times; n++) {
    const before = changes.length
    const peer = await linkAs(a, 'b')
    peer.socket.terminate()
    await until(() => changes.slice(before).some(({ region, state }) => region === 'b' && state === 'down'), 'the end')
  }
  const seen = changes.filter(({ region }) => region === 'b').length
  expect(seen).toBeGreaterThanOrEqual(2 * times)
  expect(lines).toHaveLength(10)
  pass(60_000)
  expect(lines).toHaveLength(11)
  expect(lines.at(-1)).toMatchObject({ peer: 'b', msg: 'link down', suppressed: seen - 11 })
  await expectService()
})

it('[SRV-4] who is not known writes nothing into it', async () => {
  const { lines } = logged()
  const remotes = await Promise.all(Array.from({ length: 30 }, () => connect(a)))
  for (const remote of remotes) remote.sendBytes(randomBytes(50))
  await until(() => remotes.every(({ ended }) => ended), 'all to be refused')
  await expectService()
  expect(lines).toEqual([])
})
