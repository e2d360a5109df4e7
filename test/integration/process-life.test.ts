/** Whether a process lasts until what it waits for is answered, and ends when nothing is waited for. */
import { afterEach, describe, expect, it } from 'vitest'
import { runScript } from '../support/script.js'
import { Opened } from '../support/serve.js'

const opened = new Opened()
afterEach(() => opened.close())

const SAID = { code: 0, stderr: '' }

describe.each(['module', 'commonjs'] as const)('a program with nothing else open, as %s', (kind) => {
  it('[LIFE-1] waits for a server that does not come', async () => {
    const ran = await runScript(
      kind,
      { '@sojourn/client': ['connect'] },
      `await connect({ url: 'ws://127.0.0.1:1', connectTimeout: 700 }).catch((error) => console.log(error.code))`,
    )
    expect(ran).toEqual({ ...SAID, stdout: 'UNAVAILABLE\n' })
  })

  it('[LIFE-1] waits for a majority that is not there, and is not kept alive by the replica that it leaves open', async () => {
    const ran = await runScript(
      kind,
      { '@sojourn/replica': ['openReplica'] },
      `const eu = await openReplica({
        region: 'eu', location: ':memory:', peers: { us: null, ap: null }, secret: 'a secret of the tests', consistency: { timeout: 300 },
      })
      await eu.create({}, { write: 'majority' }).catch((error) => console.log(error.code))
      await eu.get('x', { read: 'majority' }).catch((error) => console.log(error.code))`,
    )
    expect(ran).toEqual({ ...SAID, stdout: 'QUORUM_UNMET\nQUORUM_UNMET\n' })
  })

  it('[LIFE-1] waits for a call while the server is away, and is not kept alive by the client that it leaves open', async () => {
    const { url, proxy } = await opened.serve()
    const running = runScript(
      kind,
      { '@sojourn/client': ['connect'] },
      `let lost
      const isLost = new Promise((resolve) => { lost = resolve })
      const linkChanged = ({ state }) => { if (state === 'down') lost() }
      const client = await connect({ url: '${url}', whenUnavailable: 'wait', timeout: 700, linkChanged })
      await client.create({ n: 1 })
      await isLost
      await client.create({}).catch((error) => console.log(error.code))`,
    )
    // Cut as soon as the session is there.
    const served = opened.connect({ url })
    const other = await served
    while ((await other.count()) === 0) await new Promise((resolve) => setImmediate(resolve))
    proxy.cut()
    expect(await running).toEqual({ ...SAID, stdout: 'UNAVAILABLE\n' })
  })

  it('[LIFE-1] waits for the adapter to give up sessions that never answer', async () => {
    const ran = await runScript(
      kind,
      { '@sojourn/express': ['SojournStore'] },
      `const never = () => new Promise(() => {})
      const calls = ['create', 'get', 'replace', 'touch', 'end']
      const store = new SojournStore({ sessions: Object.fromEntries(calls.map((name) => [name, never])), timeout: 300 })
      await store.get('a').catch((error) => console.log(error.code))`,
    )
    expect(ran).toEqual({ ...SAID, stdout: 'TIMEOUT\n' })
  })
})
