import { expect, it } from 'vitest'
import { openRegions } from '../support/region.js'

it('smoke', async () => {
  const t0 = performance.now()
  await using regions = await openRegions(['eu', 'us', 'ap'])
  console.log('open', performance.now() - t0)
  const s = await regions.eu.create({ a: 1 })
  await regions.settled()
  console.log('settled', performance.now() - t0)
  await regions.cutAll()
  console.log('cut', performance.now() - t0)
  await regions.us.update(s.id, { b: 2 })
  regions.healAll()
  await regions.settled()
  console.log('healed', performance.now() - t0)
  expect((await regions.ap.get(s.id))?.data).toEqual({ a: 1, b: 2 })
  await regions.reopen('ap')
  await regions.settled()
  console.log('reopened', performance.now() - t0)
  expect(regions.faults).toEqual([])
})
