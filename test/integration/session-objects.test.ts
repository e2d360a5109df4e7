/** Objects in sessions, through every door: who assigns one replaces it, who changes one belongs to it, and first carts lose nothing. */
import type { RequestHandler } from 'express'
import { afterEach, describe, expect, it } from 'vitest'
import { Browser } from '../support/browser.js'
import { closeOpened, gate, overtake, pause, regionsOf, serve, show } from '../support/express-app.js'

afterEach(closeOpened)

interface Held {
  user?: { id: number; name?: string; admin?: boolean; seen?: number }
  cart?: Record<string, number>
}

describe('objects in two regions', () => {
  /** Both act while they do not hear each other; what each shows afterwards. */
  const atOneTime = async (start: Held, one: (draft: Held) => void, two: (draft: Held) => void) => {
    const regions = await regionsOf(['eu', 'us'])
    const { eu, us } = regions
    const { id } = await eu.create<Held>(start)
    await regions.settled()
    await regions.cutAll()
    await eu.update<Held>(id, one)
    await us.update<Held>(id, two)
    await regions.healAll()
    await regions.settled()
    const [inEu, inUs] = [(await eu.get<Held>(id))!.data, (await us.get<Held>(id))!.data]
    expect(inEu).toEqual(inUs)
    return inEu
  }
  const ada = { id: 1, name: 'ada', admin: true }
  const bob = { id: 2, name: 'bob' }

  it('[DOC-6] two logins at one time: one user, whole', async () => {
    const login = (user: typeof bob) => (draft: Held) => {
      draft.user = user
    }
    expect([ada, bob]).toContainEqual((await atOneTime({}, login(ada), login(bob))).user)
    expect([ada, bob]).toContainEqual((await atOneTime({ user: { id: 9, seen: 1 } }, login(ada), login(bob))).user)
  })

  it('[DOC-7] an edit of a user who is deleted or replaced meanwhile goes with the user', async () => {
    const see = (draft: Held) => {
      draft.user!.seen = 5
    }
    const logout = (draft: Held) => {
      delete draft.user
    }
    expect(await atOneTime({ user: ada }, logout, see)).toEqual({})
    expect(await atOneTime({ user: ada }, (draft) => void Object.assign(draft, { user: bob }), see)).toEqual({
      user: bob,
    })
  })

  it('[DOC-8] first carts that are made at one time are one cart', async () => {
    const add = (item: string) => (draft: Held) => {
      draft.cart ??= {}
      draft.cart[item] = 1
    }
    expect(await atOneTime({}, add('tea'), add('milk'))).toEqual({ cart: { tea: 1, milk: 1 } })
  })

  it('[DOC-9] an atomic object is one value: of edits anywhere inside of it one wins', async () => {
    const regions = await regionsOf(['eu', 'us'], { session: { atomic: ['/user'] } })
    const { eu, us } = regions
    const { id } = await eu.create<Held>({ user: ada })
    await regions.settled()
    await regions.cutAll()
    await eu.update<Held>(id, { user: { seen: 1 } })
    await us.update<Held>(id, (draft) => {
      draft.user!.name = 'Ada'
    })
    await regions.healAll()
    await regions.settled()
    const { user } = (await eu.get<Held>(id))!.data
    expect([
      { ...ada, seen: 1 },
      { ...ada, name: 'Ada' },
    ]).toContainEqual(user)
    // By who does not know that it is atomic, too.
    const other = await regionsOf(['ap'])
    const made = await other.ap.create<Held>({ user: ada }, { atomic: ['/user'] })
    await other.ap.update<Held>(made.id, { user: { seen: 2 } })
    expect((await other.ap.increment(made.id, '/user/seen', 3)).data).toEqual({ user: { ...ada, seen: 5 } })
    await other.ap.update(made.id, { user: { admin: null } })
    expect((await other.ap.get(made.id))?.data).toEqual({ user: { id: 1, name: 'ada', seen: 5 } })
  })
})

describe('objects in one region, in requests at one time', () => {
  type User = NonNullable<Held['user']>
  const held = (req: Parameters<RequestHandler>[0]) =>
    req.session as unknown as { fields: { user?: User; cart?: object } }
  const begin: RequestHandler = (req, res) => {
    Object.assign(req.session, { fields: { user: { id: 1, name: 'ada', admin: true } } })
    res.json({})
  }

  it('[DOC-7] a slow request that saw the user before: what it sets in it shows in nobody else', async () => {
    const { eu } = await regionsOf(['eu'])
    const slow = pause()
    const see: RequestHandler = async (req, res) => {
      await slow.wait()
      held(req).fields.user!.seen = 5
      res.json({})
    }
    const switchUser: RequestHandler = (req, res) => {
      held(req).fields.user = { id: 2, name: 'bob' }
      res.json({})
    }
    const { url, errors } = await serve(eu, { '/begin': begin, '/see': see, '/switch': switchUser, '/': show })
    const { browser } = await overtake(url, slow, ['/begin', '/see', '/switch'])
    expect((await browser.json('GET', url)).fields).toEqual({ user: { id: 2, name: 'bob' } })
    expect(errors).toEqual([])
  })

  it('[DOC-6] a user that a slow request assigns is there whole, also where another one was assigned meanwhile', async () => {
    const { eu } = await regionsOf(['eu'])
    const both = gate(2)
    const switchTo: RequestHandler = async (req, res) => {
      await both()
      held(req).fields.user = req.query.admin ? { id: 2, admin: true } : { id: 3, name: 'bob' }
      res.json({})
    }
    const { url } = await serve(eu, { '/begin': begin, '/switch': switchTo, '/': show })
    const browser = new Browser()
    await browser.json('GET', `${url}/begin`)
    await Promise.all(['', '?admin=1'].map((query) => browser.json('GET', `${url}/switch${query}`)))
    const { user } = (await browser.json('GET', url)).fields
    expect([
      { id: 2, admin: true },
      { id: 3, name: 'bob' },
    ]).toContainEqual(user)
  })

  it('[DOC-8] first carts of requests at one time are one cart', async () => {
    const { eu } = await regionsOf(['eu'])
    const all = gate(3)
    const add: RequestHandler = async (req, res) => {
      await all()
      held(req).fields.cart = { [String(req.params.item)]: 1 }
      res.json({})
    }
    const { url } = await serve(eu, { '/begin': begin, '/add/:item': add, '/': show })
    const browser = new Browser()
    await browser.json('GET', `${url}/begin`)
    await Promise.all(['tea', 'milk', 'rice'].map((item) => browser.json('GET', `${url}/add/${item}`)))
    expect((await browser.json('GET', url)).fields.cart).toEqual({ tea: 1, milk: 1, rice: 1 })
  })
})
