/** What a region may be called. */
import { openReplica } from '@sojourn/replica'
import { loadConfig } from '@sojourn/server'
import { isRegionName } from '@sojourn/wire'
import { expect, it } from 'vitest'

const BAD = ['', '__proto__', 'constructor', 'toString', 'hasOwnProperty', '__defineGetter__']
const WORSE = ['a\nb', 'a\u001b[2J', '\ud800', 'x'.repeat(65), 'é'.repeat(33), '\u2028']

it('[SRV-6] a name that objects have, or that is no text of a line, is none of a region', async () => {
  for (const name of [...BAD, ...WORSE]) expect(isRegionName(name), JSON.stringify(name)).toBe(false)
  for (const name of ['eu', 'eu-west-1', 'Zürich', '東京', 'a b', 'proto', 'x'.repeat(64)])
    expect(isRegionName(name), name).toBe(true)

  const env = { SOJOURN_SECRET: 'a secret of the tests' }
  const load = (region: string, peers: string) =>
    loadConfig({
      file: undefined,
      env,
      flags: new Map([
        ['region', region],
        ['peers', peers],
      ]),
    })
  expect(() => load('__proto__', '')).toThrow(/region \(--region\) is "__proto__"/)
  for (const name of ['__proto__', 'constructor', 'toString'])
    expect(() => load('eu', `${name}=ws://x`), name).toThrow(/INVALID_OPTION: peers/)
  expect(load('eu', 'us=ws://x').settings.peers).toEqual({ us: 'ws://x' })

  const open = (region: string, peers: object) =>
    openReplica({ region, location: ':memory:', secret: env.SOJOURN_SECRET, peers: peers as never })
  await expect(open('toString', {})).rejects.toMatchObject({ code: 'INVALID_OPTION', option: 'region' })
  for (const text of ['{"__proto__":null}', '{"constructor":null}'])
    await expect(open('eu', JSON.parse(text))).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  const replica = await open('eu', { us: null })
  expect(() => replica.addPeer('__proto__', null)).toThrow(/INVALID_OPTION/)
  await replica.close()
})
