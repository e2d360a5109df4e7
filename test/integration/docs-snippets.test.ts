/** Whether the snippets of README.md and docs/ do, as they stand, what the pages say. */
import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Browser } from '../support/browser.js'
import { compile } from '../support/compiled.js'
import { hasRedis, startRedis } from '../support/redis.js'
import { Opened } from '../support/serve.js'
import { PAGES, type PageSnippet, type Running, runSnippet, snippetsOfPage } from '../support/snippets.js'
import { ROOT } from '../support/sources.js'
import { until } from '../support/until.js'

const opened = new Opened()
afterEach(() => opened.close())

const snippets = PAGES.flatMap(snippetsOfPage)
const nameOf = ({ page, line }: PageSnippet): string => `${page}:${line}`
const marked = (mark: string) =>
  snippets.filter((snippet) => snippet.mark === mark).map((snippet) => [nameOf(snippet), snippet] as const)

/** How a test runs a snippet: here, and in docs-shell.test.ts. */
const WAYS: { readonly [mark: string]: readonly string[] } = {
  'run: script': ['js', 'ts'],
  'run: region': ['js', 'ts'],
  'run: app': ['js', 'ts'],
  'run: login app': ['js'],
  'run: client': ['js', 'ts'],
  'run: app from redis': ['js'],
  'run: script from redis': ['js'],
  'run: types only, for the module declares and does nothing': ['ts'],
  'run: scenarios/logout-while-cut-off.txt': [''],
  'run: server': ['sh'],
  'run: operators of the server': ['sh'],
  'run: transcript of the demo': ['console'],
  'run: transcript of the demo, started again': ['console'],
  'run: what the demo said': [''],
}

describe('[README-1] each snippet says how it is run', () => {
  it('by a mark that a test knows, or a reason', () => {
    expect(snippets.length).toBeGreaterThan(30)
    const strays = snippets.filter(({ mark = '', language }) => {
      if (/^not run: .{20,}/.test(mark)) return false
      return mark.startsWith('file: ') ? language !== 'js' : !WAYS[mark]?.includes(language)
    })
    expect(strays.map((snippet) => `${nameOf(snippet)}: ${snippet.mark}`)).toEqual([])
  })

  it('and each way is taken', () => {
    expect(Object.keys(WAYS).filter((mark) => marked(mark).length === 0)).toEqual([])
  })

  it('and each fence of a page is one of them', () => {
    for (const page of PAGES) {
      const fences = readFileSync(join(ROOT, page), 'utf8').match(/^```/gm)?.length ?? 0
      expect(snippetsOfPage(page), page).toHaveLength(fences / 2)
    }
  })
})

const typed = snippets.filter(({ language }) => language === 'ts')
const emitted = new Map<string, string>()

beforeAll(async () => {
  const made = await compile(
    typed.map(({ code }) => code),
    'nodenext',
  )
  for (const [index, code] of made.emitted.entries()) emitted.set(nameOf(typed[index]!), code)
})

describe('[README-2] TypeScript compiles with strict', () => {
  it.each(['nodenext', 'bundler'] as const)('under %s', async (resolution) => {
    expect(typed.length).toBeGreaterThan(4)
    const codes = typed.map(({ code }) => code)
    expect((await compile(codes, resolution)).errors).toBe('')
  })

  it('and a wrong one does not', async () => {
    const wrong = "import type { Duration } from 'sojourn'\nexport const idle: Duration = '30 minutes'\n"
    expect((await compile([wrong], 'bundler')).errors).toContain('30 minutes')
  })
})

/** What Node.js runs of a snippet. */
const javaScriptOf = (snippet: PageSnippet): { readonly code: string } =>
  snippet.language === 'ts' ? { code: emitted.get(nameOf(snippet)) ?? '' } : snippet

/** What a page has its reader save: beside each snippet of the page. */
const filesOf = ({ page }: PageSnippet): Record<string, string> =>
  Object.fromEntries(
    snippets.flatMap(({ page: other, mark = '', code }) =>
      other === page && mark.startsWith('file: ') ? [[mark.slice('file: '.length), code]] : [],
    ),
  )

const endedWell = async (running: Running): Promise<void> => {
  expect({ code: await running.ended(), output: running.output() }).toMatchObject({ code: 0 })
}

describe.each(marked('run: script'))('the script %s', (_name, snippet) => {
  it('[README-1] runs to its end, in one region, without a secret', async () => {
    await using running = await runSnippet(javaScriptOf(snippet))
    await endedWell(running)
    // What it prints is what the comment after the call says.
    const bare = (text: string) => text.replaceAll("'", '')
    for (const [, comment] of snippet.code.matchAll(/console\.log\(.*\) +\/\/ ('[^'\n]*'|\{.*\})/g))
      expect(bare(running.output())).toContain(bare(comment!))
  })
})

describe.each(marked('run: region'))('the region %s', (_name, snippet) => {
  it('[README-1] listens for the others, and goes on without them', async () => {
    await using running = await runSnippet(javaScriptOf(snippet), { env: { SOJOURN_SECRET: 'a secret of the tests' } })
    expect(await running.port(7101)).toBeGreaterThan(0)
    await until(() => running.output().includes('us'), 'the links')
    expect(running.output()).not.toMatch(/\bError\b|SojournError/)
  })
})

describe.each(marked('run: app'))('the app %s', (_name, snippet) => {
  it('[README-1] remembers its browser on http://localhost', async () => {
    await using running = await runSnippet(javaScriptOf(snippet))
    const url = `http://localhost:${await running.port(3000)}`
    const browser = new Browser()
    expect(await browser.json('GET', url)).toEqual({ views: 1 })
    expect(await browser.json('GET', url)).toEqual({ views: 2 })
    // Another browser has a session of its own.
    expect(await new Browser().json('GET', url)).toEqual({ views: 1 })
    expect(running.output()).toBe('')
  })

  it.runIf(snippet.code.includes('isProduction'))(
    '[README-1] gives its cookie over https only, in production',
    async () => {
      await using running = await runSnippet(javaScriptOf(snippet), { env: { NODE_ENV: 'production' } })
      const response = await fetch(`http://localhost:${await running.port(3000)}`)
      expect([response.status, response.headers.getSetCookie()]).toEqual([200, []])
    },
  )
})

describe.each(marked('run: login app'))('the app %s', (_name, snippet) => {
  it('[README-1] logs in under another id, and keeps what the guest had', async () => {
    await using running = await runSnippet(javaScriptOf(snippet))
    const url = `http://localhost:${await running.port(3000)}`
    const browser = new Browser()
    await browser.json('GET', url)
    const guest = browser.copy()
    await browser.json('POST', `${url}/login/ada`)
    expect(await browser.json('GET', url)).toEqual({ user: 'ada', cart: { tea: 1 } })
    expect((await guest.json('GET', url)).user).toBe(null)
    const old = browser.copy()
    await browser.json('POST', `${url}/logout`)
    expect((await old.json('GET', url)).user).toBe(null)
    expect(running.output()).toBe('')
  })
})

describe.each(marked('run: client'))('the client %s', (_name, snippet) => {
  it('[README-1] connects to a server as the page starts one', async () => {
    const shop = { name: 'shop', scope: 'write' } as const
    const tokens = { check: (token: string) => (token === 'a-token-of-the-shop' ? shop : undefined) }
    const { listener } = await opened.serve({ tokens })
    await using running = await runSnippet(javaScriptOf(snippet), { ports: { 7401: listener.address.port } })
    await until(() => listener.status().totals.accepted > 0, running.output)
    expect(running.output()).toBe('')
  })
})

describe('the text of a scenario', () => {
  it('[README-1] is what the scenario says', () => {
    for (const [name, { code, mark }] of marked('run: scenarios/logout-while-cut-off.txt'))
      expect(readFileSync(join(ROOT, mark!.slice('run: '.length)), 'utf8').trim(), name).toBe(code.trim())
  })
})

// Moving from Redis.

/** As connect-redis writes it, under the id. */
const oldSession = (views: number) =>
  JSON.stringify({
    cookie: { originalMaxAge: 600_000, expires: new Date(4e12), httpOnly: true, path: '/' },
    views,
    user: 'ada',
  })

/** As express-session signs an id, with the secret of the page. */
const cookieOf = (sid: string): string => {
  const mac = createHmac('sha256', 'as before').update(sid).digest('base64').replace(/=+$/, '')
  return `connect.sid=${encodeURIComponent(`s:${sid}.${mac}`)}`
}

/** Moves from a store of express-session and from two functions, as a table has them; prints what each call gives. */
const MOVING = `
import { promisify } from 'node:util'
import session from 'express-session'
import { openReplica } from 'sojourn'
import { MovingStore } from './moving-store.mjs'

const cookie = { originalMaxAge: 600_000, expires: new Date(4e12), httpOnly: true, path: '/' }
const memory = new session.MemoryStore()
await promisify(memory.set).call(memory, 'a', { cookie, user: 'ada' })

const table = new Map([['b', { cookie: { originalMaxAge: null, expires: null, path: '/' }, user: 'bob' }]])
const functions = {
  get: (sid, callback) => (sid === 'broken' ? callback(new Error('the table is away')) : callback(null, table.get(sid))),
  destroy: (sid, callback) => callback(null, table.delete(sid)),
}

const sessions = await openReplica({ region: 'eu', location: ':memory:' })
for (const [from, sid] of [[memory, 'a'], [functions, 'b']]) {
  const store = new MovingStore({ sessions, from })
  const call = (name, ...args) => promisify(store[name]).call(store, ...args)
  console.log((await call('get', sid)).user, (await sessions.get(sid)).data.user, await call('get', 'nobody'))
  await call('destroy', sid)
  console.log(await call('get', sid), await promisify(from.get).call(from, sid))
}
const store = new MovingStore({ sessions, from: functions })
store.get('broken', (error) => console.log(error.message))
await sessions.close()
`

describe('[README-1] sessions of other stores', () => {
  it('move when they are asked for, and stay dead once they are destroyed', async () => {
    const [, script] = marked('file: moving-store.mjs')[0]!
    await using running = await runSnippet({ code: MOVING }, { files: filesOf(script) })
    await endedWell(running)
    expect(running.output()).toBe('ada ada null\nnull undefined\nbob bob null\nnull undefined\nthe table is away\n')
  })
})

describe.runIf(hasRedis)('[README-1] sessions of Redis', () => {
  const [, app] = marked('run: app from redis')[0]!
  const [, script] = marked('run: script from redis')[0]!

  it('live on in the app, and stay dead once they are logged out', async () => {
    await using redis = await startRedis()
    const { client } = redis
    await client.set('sess:ada', oldSession(7))
    await using running = await runSnippet(javaScriptOf(app), {
      ports: { 6379: redis.port },
      files: filesOf(app),
    })
    const url = `http://localhost:${await running.port(3000)}`
    /** What the app answers, and whose session it is: `ada`'s, as long as no cookie names another one. */
    const ask = async (method: string, path = '/') => {
      const response = await fetch(url + path, { method, headers: { cookie: cookieOf('ada') } })
      const isAdas = response.headers.getSetCookie().every((cookie) => cookie.startsWith(cookieOf('ada')))
      return { ...((await response.json()) as { views?: number }), isAdas }
    }
    // Two at a time: the session moves once, and goes on from what it was.
    const both = await Promise.all([ask('GET'), ask('GET')])
    expect(both.map(({ views }) => views).sort()).toEqual([8, expect.toBeOneOf([8, 9])])
    expect(await ask('GET')).toEqual({ views: expect.toBeOneOf([9, 10]), isAdas: true })
    expect(JSON.parse((await client.get('sess:ada')) ?? '').views).toBe(7)
    await ask('POST', '/logout')
    expect(await client.get('sess:ada')).toBeNull()
    // Somebody restores Redis from a copy: the logout holds all the same.
    await client.set('sess:ada', oldSession(7))
    expect(await ask('GET')).toEqual({ views: 1, isAdas: false })
    expect(running.output()).toBe('')
  })

  it('are all copied by the script', async () => {
    await using redis = await startRedis()
    const { client } = redis
    for (let n = 0; n < 300; n++) await client.set(`sess:${n}`, oldSession(n))
    await client.set('something else', 'is left alone')
    await using running = await runSnippet(javaScriptOf(script), {
      ports: { 6379: redis.port },
      files: filesOf(script),
    })
    await endedWell(running)
    expect(running.output()).toBe('300\n')
  })
})
