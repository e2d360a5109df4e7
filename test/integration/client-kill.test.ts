import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isSojournError } from '@sojourn/client'
import { afterEach, expect, it } from 'vitest'
import { openProxy } from '../support/proxy.js'
import { Opened } from '../support/serve.js'
import { type ServerProcess, startServerProcess } from '../support/sojourn-process.js'
import { until } from '../support/until.js'

const TOKEN = 'a-client-token-of-the-tests'
const opened = new Opened()
afterEach(() => opened.close())

it('[NET-3] kill -9 of the server in mid-request: what was acknowledged is there, and all that is not is owned up to', async () => {
  const data = await mkdtemp(join(tmpdir(), 'sojourn-kill-'))
  opened.add({ close: () => rm(data, { recursive: true, force: true }) })
  let server: ServerProcess | undefined
  const start = async () => {
    const args = ['--region', 'eu', '--data', data, '--clients-port', '0', '--admin-port', '0']
    const child = await startServerProcess(args, { SOJOURN_TOKENS: `app:write:${TOKEN}` })
    opened.add({
      close: () => {
        child.kill('SIGKILL')
        return child.ended
      },
    })
    server = child
  }
  const proxy = opened.add(await openProxy(() => server && { host: '127.0.0.1', port: server.ports.clients! }))
  await start()
  const client = await opened.connect({ url: proxy.url, token: TOKEN, timeout: '20s', whenUnavailable: 'wait' })
  const { id } = await client.create({ n: 0 })
  let acknowledged = 0
  let indeterminate = 0
  let isOver = false
  const caller = async () => {
    while (!isOver) {
      try {
        await client.increment(id, '/n')
        acknowledged++
      } catch (error) {
        if (!isSojournError(error, 'CONNECTION_LOST')) throw error
        expect(error.mayHaveApplied).toBe(true)
        indeterminate++
      }
    }
  }
  const callers = Promise.all(Array.from({ length: 8 }, caller))
  await until(() => acknowledged > 200, 'some increments')
  const victim = server!
  victim.kill('SIGKILL')
  await victim.ended
  await start()
  const before = acknowledged
  await until(() => acknowledged > before + 200, 'some more, from the next server')
  isOver = true
  await callers
  const { n } = (await client.get(id))!.data
  expect(indeterminate).toBeGreaterThan(0)
  expect(n).toBeGreaterThanOrEqual(acknowledged)
  expect(n).toBeLessThanOrEqual(acknowledged + indeterminate)
})
