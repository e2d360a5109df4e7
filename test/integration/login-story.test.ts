/** A login and what follows, over three regions with real sockets: two devices, a new login, a new password while a region is cut off, and tokens. */
import { generateKeyPairSync } from 'node:crypto'
import { sessionCookie, sessionTokens } from '@sojourn/identity'
import type { Replica } from '@sojourn/replica'
import { expect, test } from 'vitest'
import { openRegions } from '../support/region.js'
import { until } from '../support/until.js'

const collect = async <T>(list: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = []
  for await (const each of list) all.push(each)
  return all
}

const cookie = sessionCookie({ keys: ['a key that signs cookies in a test'] })

/** What a browser keeps, and sends back. */
const kept = (setCookie: string): string => setCookie.split(';')[0]!

/** What an app does at the beginning of a request. */
const signedIn = async (region: Replica, header: string) => {
  const read = cookie.read(header)
  return read && region.get<{ cart: Record<string, number> }>(read.id, { after: read.after, timeout: '2s' })
}

test('[CRED-3] [CUT-1] [SUBJ-1] a user logs in on two devices, again, and changes the password while a region is cut off', async () => {
  await using regions = await openRegions(['eu', 'us', 'ap'])
  const { eu, us, ap } = regions

  // A visitor fills a cart, and logs in: the cart stays, and the cookie of before is dead, in every region.
  const visitor = await eu.create({ cart: { tea: 1 } })
  const before = kept(cookie.serialize(visitor))
  const laptop = await eu.elevate(visitor.id, { subject: 'ada', device: 'Laptop', auth: { amr: ['pwd'] } })
  const onLaptop = kept(cookie.serialize(laptop, { after: laptop.written! }))
  expect(laptop.handle).toBe(visitor.handle)
  expect(await signedIn(eu, before)).toBeUndefined()
  // The next request goes to another region, which may not have heard of it: the cookie says what it must show.
  expect(await signedIn(ap, onLaptop)).toMatchObject({ data: { cart: { tea: 1 } }, subject: 'ada', device: 'Laptop' })
  await regions.settled()
  for (const region of regions.all) expect(await signedIn(region, before)).toBeUndefined()

  // The second device.
  const phone = await us.create({ cart: {} }, { subject: 'ada', device: 'Phone', auth: { amr: ['otp'] } })
  await regions.settled()
  for (const region of regions.all) {
    const listed = await collect(region.sessionsOf('ada'))
    expect(listed.map(({ handle, device, region: from, auth }) => [handle, device, from, auth!.amr]).sort()).toEqual(
      [
        [laptop.handle, 'Laptop', 'eu', ['pwd']],
        [phone.handle, 'Phone', 'us', ['otp']],
      ].sort(),
    )
    expect(JSON.stringify(listed)).not.toContain(laptop.id.slice(0, 22))
  }

  // A login anew on the laptop: the first cookie is dead.
  const again = await eu.elevate(laptop.id, { subject: 'ada', device: 'Laptop', auth: { amr: ['pwd', 'otp'] } })
  expect(await signedIn(eu, onLaptop)).toBeUndefined()
  await regions.settled()
  for (const region of regions.all) expect(await signedIn(region, onLaptop)).toBeUndefined()

  // A new password, while ap is cut off: the phone is refused where that is known, at once, and in ap when it is back.
  await regions.cutOff('ap')
  const lost = await ap.create({ cart: {} }, { subject: 'ada', device: 'Stolen phone' })
  const receipt = await eu.endOthers(again.id, { reason: 'revoked', timeout: '5s' })
  expect(receipt).toEqual({ ended: 1, regions: { eu: 'held', us: 'held', ap: 'pending' } })
  for (const region of [eu, us]) {
    expect(await region.get(phone.id)).toBeUndefined()
    expect(await region.isLive(phone.handle)).toBe(false)
    expect(await region.get(again.id)).toMatchObject({ subject: 'ada' })
  }
  expect(await ap.get(phone.id)).toBeDefined()
  regions.healAll()
  await regions.settled()
  for (const region of regions.all) {
    // Also the one that ap made before the cutoff, of which no other region had heard.
    for (const { id } of [phone, lost]) expect(await region.get(id)).toBeUndefined()
    expect(await collect(region.sessionsOf('ada'))).toMatchObject([{ handle: laptop.handle, device: 'Laptop' }])
  }

  // Who logs in after that is let in.
  const back = await ap.create({ cart: {} }, { subject: 'ada', device: 'Phone' })
  await regions.settled()
  for (const region of regions.all) expect(await region.get(back.id)).toMatchObject({ subject: 'ada' })
})

test('[JWT-2] a token is verified beside a replica, and refused within the lag when another region ends the session', async () => {
  await using regions = await openRegions(['eu', 'us', 'ap'])
  const { privateKey } = generateKeyPairSync('ed25519')
  const common = { issuer: 'https://shop.example', audience: 'https://api.shop.example' }
  const keys = { active: 'a', keys: [{ kid: 'a', privateKey }] }
  const [here, there] = [regions.eu, regions.ap].map((sessions) => sessionTokens({ sessions, ...common, keys }))
  const session = await regions.eu.create({}, { subject: 'ada' })
  const token = await here!.issue(session.id)
  await regions.settled()
  expect(await there!.verify(token)).toMatchObject({ sub: 'ada', sid: session.handle })
  await regions.us.endHandle(session.handle, { reason: 'revoked' })
  const refused = () =>
    there!.verify(token).then(
      () => false,
      (error: { code?: string }) => error.code === 'TOKEN_INVALID',
    )
  await until(refused, 'the token to be refused in ap')
  await expect(here!.verify(token)).rejects.toMatchObject({ code: 'TOKEN_INVALID' })
})
