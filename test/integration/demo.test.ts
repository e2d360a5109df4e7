import { once } from 'node:events'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Browser } from '../support/browser.js'
import { Demo, freePorts, READY } from '../support/demo.js'
import { until } from '../support/until.js'

let port: number
let data: string
const demos: Demo[] = []
const startDemo = (at = port): Demo => {
  const demo = new Demo(at, data)
  demos.push(demo)
  return demo
}

beforeEach(async () => {
  port = await freePorts()
  data = await mkdtemp(join(tmpdir(), 'sojourn-demo-'))
})
afterEach(async () => {
  for (const demo of demos.splice(0)) await demo.interrupt()
  await rm(data, { recursive: true, force: true })
})

const urls = () => [0, 1, 2].map((index) => `http://127.0.0.1:${port + index}`) as [string, string, string]

/** What a region shows to who has the cookie, but for the count of views, which looking moves. */
const lookAt = async (browser: Browser, url: string) => {
  const { views: _, ...rest } = await browser.json('GET', url)
  return rest
}

interface Device {
  readonly handle: string
  readonly device: string
  readonly region: string
  readonly lastUsed: string
  readonly mine: boolean
}

const devicesAt = async (browser: Browser, url: string): Promise<Device[]> =>
  (await browser.json('GET', `${url}/account`)).devices

const isRefused = async (browser: Browser, url: string): Promise<boolean> =>
  (await browser.request('GET', `${url}/account`)).status === 401

describe('the demo', () => {
  it('[DEMO-1] one cart from two regions, both halves of a cut, a logout everywhere', async () => {
    const demo = startDemo()
    await demo.said(READY)
    const [eu, us, ap] = urls()
    const ada = new Browser()
    expect(await ada.json('POST', `${eu}/login?user=ada`)).toEqual({ region: 'eu', user: 'ada' })
    for (const url of [us, ap]) await until(async () => (await lookAt(ada, url)).user === 'ada', `ada to be at ${url}`)

    await Promise.all([ada.json('POST', `${us}/cart/tea?qty=2`), ada.json('POST', `${ap}/cart/honey?qty=1`)])
    await until(async () => Object.keys((await lookAt(ada, eu)).cart).length === 2, 'both items to be at eu')
    expect(await lookAt(ada, eu)).toEqual({ region: 'eu', user: 'ada', cart: { honey: 1, tea: 2 } })

    expect(await ada.json('POST', `${ap}/admin/cut`)).toEqual({ region: 'ap', links: 'cut' })
    await ada.json('POST', `${eu}/cart/milk?qty=1`)
    await ada.json('POST', `${ap}/cart/bread?qty=3`)
    await ada.json('DELETE', `${ap}/cart/honey`)
    expect((await lookAt(ada, eu)).cart).toEqual({ honey: 1, milk: 1, tea: 2 })
    expect((await lookAt(ada, ap)).cart).toEqual({ bread: 3, tea: 2 })
    expect(await ada.json('POST', `${ap}/admin/heal`)).toEqual({ region: 'ap', links: 'healed' })
    const merged = { bread: 3, milk: 1, tea: 2 }
    for (const url of [eu, us, ap])
      await until(
        async () => JSON.stringify((await lookAt(ada, url)).cart) === JSON.stringify(merged),
        `the merged cart to be at ${url}`,
      )
    const { views } = await ada.json('GET', eu)
    await until(async () => (await ada.json('GET', us)).views > views, 'views to be counted in all regions')

    await ada.json('POST', `${us}/logout`)
    for (const [index, url] of [eu, us, ap].entries()) {
      const gone = { region: ['eu', 'us', 'ap'][index], user: null }
      await until(async () => (await lookAt(ada, url)).user === null, `ada to be gone from ${url}`)
      expect(await lookAt(ada, url)).toEqual(gone)
    }
    expect((await ada.request('POST', `${ap}/cart/tea`)).status).toBe(401)
    expect(await demo.interrupt()).toBe(0)
    expect(demo.output).not.toMatch(/fault|Error/)
  })

  it('[DEMO-2] Ctrl-C stops all three; started again, the sessions are there, and the secrets are the owner’s', async () => {
    const first = startDemo()
    await first.said(READY)
    const ada = new Browser()
    await ada.json('POST', `${urls()[0]}/login?user=ada`)
    await ada.json('POST', `${urls()[0]}/cart/tea`)
    expect(await first.interrupt()).toBe(0)
    for (const name of ['eu', 'us', 'ap']) expect(first.output).toContain(`${name}  stopped`)
    for (const name of ['link', 'cookie']) expect((await stat(join(data, `${name}.secret`))).mode & 0o777).toBe(0o600)

    const second = startDemo()
    await second.said(READY)
    for (const url of urls())
      await until(async () => (await lookAt(ada, url)).cart?.tea === 1, `the session of ada to be at ${url} again`)
  })

  it('[DEMO-1] a login gives a new id: a cookie from before it gets nobody in', async () => {
    const demo = startDemo()
    await demo.said(READY)
    const [eu] = urls()
    const ada = new Browser()
    await ada.json('POST', `${eu}/login?user=ada`)
    const old = ada.copy()
    await ada.json('POST', `${eu}/login?user=ada`)
    expect(await lookAt(ada, eu)).toMatchObject({ user: 'ada' })
    expect(await lookAt(old, eu)).toMatchObject({ user: null })
  })

  it('[DEMO-4] two devices of one user: a new login, and a new password while a region is cut off', async () => {
    const demo = startDemo()
    await demo.said(READY)
    const [eu, us, ap] = urls()
    const [laptop, phone] = [new Browser(), new Browser()]
    const ofLaptop = { device: 'Laptop', region: 'eu' }
    const ofPhone = { device: 'Phone', region: 'us' }
    const login = { region: 'eu', user: 'ada', device: 'Laptop' }
    expect(await laptop.json('POST', `${eu}/account/login?user=ada&device=Laptop`)).toEqual(login)
    await phone.json('POST', `${us}/account/login?user=ada&device=Phone`)
    for (const url of [eu, ap])
      await until(async () => (await devicesAt(laptop, url)).length === 2, `the phone to be listed at ${url}`)
    expect(await devicesAt(phone, us)).toMatchObject([
      { ...ofLaptop, mine: false },
      { ...ofPhone, mine: true },
    ])
    const shown = await devicesAt(laptop, eu)
    expect(shown).toMatchObject([
      { ...ofLaptop, mine: true },
      { ...ofPhone, mine: false },
    ])
    for (const { handle, lastUsed } of shown) {
      expect(handle).toMatch(/^[0-9a-f]{8}$/)
      expect(Math.abs(Date.parse(lastUsed) - Date.now())).toBeLessThan(60_000)
    }

    const stale = laptop.copy()
    await laptop.json('POST', `${us}/account/login?user=ada&device=Laptop`)
    for (const url of [eu, us, ap]) {
      // The cookie carries the login to the next region, which knows of it then.
      expect((await devicesAt(laptop, url)).map(({ handle }) => handle)).toEqual(shown.map(({ handle }) => handle))
      expect(await isRefused(stale, url)).toBe(true)
    }

    await laptop.json('POST', `${ap}/admin/cut`)
    const copied = laptop.copy()
    expect(await laptop.json('POST', `${eu}/account/password`)).toEqual({
      region: 'eu',
      ended: 1,
      regions: { eu: 'held', us: 'held', ap: 'pending' },
    })
    // The phone is used in ap first, which must not save it, and its cookie names that use.
    expect(await devicesAt(phone, ap)).toHaveLength(2)
    for (const url of [eu, us]) {
      for (const other of [phone, copied]) expect(await isRefused(other, url)).toBe(true)
      expect(await devicesAt(laptop, url)).toMatchObject([{ device: 'Laptop', mine: true }])
    }
    expect(await laptop.json('POST', `${ap}/admin/heal`)).toEqual({ region: 'ap', links: 'healed' })
    await until(() => isRefused(phone, ap), 'the phone to be refused at ap')
    expect(await devicesAt(laptop, ap)).toMatchObject([{ device: 'Laptop', mine: true }])

    const gone = laptop.copy()
    expect(await laptop.json('POST', `${ap}/account/logout`)).toEqual({ region: 'ap', user: null })
    expect(await isRefused(laptop, ap)).toBe(true)
    for (const url of [eu, us]) await until(() => isRefused(gone, url), `the laptop to be refused at ${url}`)
    expect(demo.output).not.toMatch(/fault|Error|Warning/)
  })

  it('[DEMO-4] a login shows in the next region at once, because the cookie names it', async () => {
    const demo = startDemo()
    await demo.said(READY)
    // Many at a time, so that a write takes longer from region to region than a browser does.
    const users = Array.from({ length: 40 }, (_, index) => [`user-${index}`, new Browser()] as const)
    const move = async (user: string, browser: Browser, device: string, here: string, next: string) => {
      await browser.json('POST', `${here}/account/login?user=${user}&device=${device}`)
      expect(await devicesAt(browser, next)).toMatchObject([{ device, mine: true }])
    }
    for (let round = 0; round < 10; round++) {
      const [here, next] = [0, 1].map((step) => urls()[(round + step) % 3]!) as [string, string]
      await Promise.all(users.map(([user, browser]) => move(user, browser, `Laptop-${round}`, here, next)))
    }
    const { headers } = await fetch(`${urls()[0]}/account/login?user=ada&device=Phone`, { method: 'POST' })
    expect(headers.getSetCookie().join()).toMatch(
      /^account=\w[\w.-]+:[0-9a-f]{32}\.[0-9a-z]+:[\w-]{43}; Path=\/; Max-Age=\d+; Expires=[^;]+; HttpOnly; SameSite=Lax$/,
    )
  })

  it('[DEMO-4] an account is written to by its own pages and by programs, and by no page of another site', async () => {
    const demo = startDemo()
    await demo.said(READY)
    const [eu] = urls()
    const post = async (headers: Record<string, string>) =>
      (await fetch(`${eu}/account/login?user=ada&device=Laptop`, { method: 'POST', headers })).status
    expect(await post({})).toBe(200)
    expect(await post({ origin: `http://localhost:${port}` })).toBe(200)
    expect(await post({ origin: `http://localhost:${port}`, 'sec-fetch-site': 'same-origin' })).toBe(200)
    expect(await post({ origin: 'https://evil.example' })).toBe(403)
    expect(await post({ origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' })).toBe(403)
    expect(await post({ origin: 'null' })).toBe(403)
    expect((await fetch(`${eu}/account`)).status).toBe(401)
    expect((await fetch(`${eu}/account/login?user=ada`, { method: 'POST' })).status).toBe(400)
  })

  it('[DEMO-3] a port that is taken: says which, and what to set, and stops', async () => {
    for (const [offset, variable] of [
      [1, 'SOJOURN_DEMO_PORT'],
      [5, 'SOJOURN_DEMO_LINK_PORT'],
    ] as const) {
      const squatter = createServer((socket) => socket.destroy()).listen(port + offset, '127.0.0.1')
      await once(squatter, 'listening')
      const demo = startDemo()
      expect(await demo.exited).toBe(1)
      expect(demo.output).toContain(`Port ${port + offset},`)
      expect(demo.output).toContain(`${variable}=`)
      squatter.close()
      await once(squatter, 'close')
    }
  })

  it('[DEMO-3] a second demo on the same data says so, and leaves the first alone', async () => {
    const first = startDemo()
    await first.said(READY)
    const second = startDemo()
    expect(await second.exited).toBe(1)
    expect(second.output).toContain('SOJOURN_DEMO_DATA=')
    expect(await new Browser().json('GET', urls()[0])).toEqual({ region: 'eu', user: null })
    expect(await first.interrupt()).toBe(0)
  })
})
