/** Whether a session comes out of Sojourn as a document that Automerge loads. */
import { load, save } from '@automerge/automerge'
import { exportDocument } from '@sojourn/automerge'
import { describe, expect, it } from 'vitest'
import { openRegions } from '../support/region.js'

describe('exportDocument', () => {
  it('[API-1] is an Automerge document that loads, with the data, and the same bytes in both regions', async () => {
    await using regions = await openRegions(['eu', 'us'])
    const { eu, us } = regions
    const { id } = await eu.create({ user: 'ada', n: 1, cart: { items: ['x', { y: 1 }] }, at: new Date(5) })
    await regions.settled()
    await Promise.all([eu.update(id, { eu: true }), us.increment(id, '/n', 4)])
    await regions.settled()
    const [here, there] = await Promise.all([exportDocument(eu, id), exportDocument(us, id)])
    const bytes = save(here!)
    expect(Buffer.compare(bytes, save(there!))).toBe(0)
    const expected = { user: 'ada', n: 5, cart: { items: ['x', { y: 1 }] }, at: new Date(5), eu: true }
    expect(load(bytes)).toEqual(expected)
    expect(await exportDocument(eu, 'unknown')).toBeUndefined()
  })
})
