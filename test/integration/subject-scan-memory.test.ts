import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openReplica } from '@sojourn/replica'
import { afterEach, expect, it } from 'vitest'
import { heldBytes } from '../support/heap.js'
import { Opened } from '../support/serve.js'

const opened = new Opened()
afterEach(() => opened.close())

const MB = 1024 * 1024

it('[NET-8] a scan of the sessions of a subject keeps none of their data in memory', async () => {
  const location = await mkdtemp(join(tmpdir(), 'sojourn-subject-'))
  opened.add({ close: () => rm(location, { recursive: true, force: true }) })
  const limits = { maxCacheBytes: MB }
  const replica = opened.add(await openReplica({ region: 'eu', location, subjectKey: 'a key for subjects', limits }))
  const text = 'x'.repeat(50_000)
  const sessions = 400
  for (let n = 0; n < sessions; n++) await replica.create({ n, text: `${n} ${text}` }, { subject: 'ada' })
  await replica.close()
  const again = opened.add(await openReplica({ region: 'eu', location, subjectKey: 'a key for subjects', limits }))
  const before = await heldBytes()
  const scan = again.sessionsOf('ada')[Symbol.asyncIterator]()
  expect((await scan.next()).done).toBe(false)
  // All of them have 20 MB.
  expect((await heldBytes()) - before).toBeLessThan(8 * MB)
  let count = 1
  while (!(await scan.next()).done) count++
  expect(count).toBe(sessions)
})
