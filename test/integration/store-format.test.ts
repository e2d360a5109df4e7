import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '@sojourn/core/internal'
import { afterEach, describe, expect, test } from 'vitest'
import { closeOpened, open, refuses, temporary } from '../support/replica.js'

afterEach(closeOpened)

const FIXTURE = join(import.meta.dirname, '../fixtures/store-format-3')
const { now, sessions, gone } = JSON.parse(readFileSync(`${FIXTURE}.json`, 'utf8')) as {
  now: number
  sessions: Record<string, object>
  gone: readonly string[]
}

const OLD_FILES = ['CURRENT', 'MANIFEST-000002', '000003.log']

describe('the format of a store', () => {
  test('[STORE-1] a store of format 3 that an earlier build wrote, and that was killed, opens with all that it held', async () => {
    const location = await temporary()
    await cp(FIXTURE, location, { recursive: true })
    // It goes by the time at which the store was written.
    const replica = await open({ location, ports: { clock: { ...systemClock, now: () => now } } })
    for (const [id, data] of Object.entries(sessions)) expect((await replica.get(id))?.data).toEqual(data)
    for (const id of gone) {
      expect(await replica.get(id)).toBeUndefined()
      await refuses(replica.create({}, { id }), 'SESSION_EXISTS', { state: 'ended' })
    }
    expect(replica.status()).toMatchObject({ sessions: 3, tombstones: 2 })
    await replica.close()
  })

  test('[STORE-1] a directory of version 0.1.0 is refused, by what to do, and stays as it is', async () => {
    const location = await temporary()
    for (const file of OLD_FILES) writeFileSync(join(location, file), 'LevelDB')
    await refuses(open({ location }), 'STORE_FORMAT', { message: expect.stringContaining('Give another directory') })
    for (const file of OLD_FILES) expect(readFileSync(join(location, file), 'utf8')).toBe('LevelDB')
    expect(existsSync(join(location, 'rows'))).toBe(false)
  })
})
