/** What others are sent of a record while commits of it are on their way to the disk. */
import { recordVersion } from '@sojourn/core/internal'
import { expect, it } from 'vitest'
import { keyOf, StoreWorld } from '../support/store-world.js'

it('[DOC-2] what others are sent is what the journal has, whatever is on its way there, and may be refused', async () => {
  const world = new StoreWorld({ seed: 1, fsync: 'everysec', limits: {}, appendMs: 50, isRemote: false })
  await world.open()
  const key = keyOf(1)
  void world.create(key, 10)
  await world.time.advance(1_000)
  const versionIn = (read: 'journaledNow' | 'readNow') => {
    const reading = world.store[read](key)
    return reading.state === 'held' ? recordVersion(reading.record) : reading.state
  }
  const [first, bytes] = [versionIn('journaledNow'), world.store.encoded(key)]
  expect(versionIn('readNow')).toBe(first)
  // One commit is on its way, and another one comes after it.
  for (const value of ['a', 'b']) {
    void world.change(key, [{ kind: 'set', path: '/text', value }])
    await world.time.advance(0.01)
    expect(versionIn('readNow')).not.toBe(first)
    expect(versionIn('journaledNow')).toBe(first)
    expect(world.store.encoded(key)).toEqual(bytes)
  }
  world.disk.full.add('journal')
  await world.time.advance(1_000)
  expect(versionIn('readNow')).toBe(first)
  expect(versionIn('journaledNow')).toBe(first)
})
