/** Whether README.md's snippets do, as they stand, what it says. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { Browser } from '../support/browser.js'
import { Opened } from '../support/serve.js'
import { type Running, runSnippet, type Snippet, snippetsOf } from '../support/snippets.js'
import { ROOT } from '../support/sources.js'
import { until } from '../support/until.js'

const opened = new Opened()
afterEach(() => opened.close())

const snippets = snippetsOf(readFileSync(join(ROOT, 'README.md'), 'utf8'))

const isApp = ({ code }: Snippet): boolean => code.includes('app.listen(')
const hasPeers = ({ code }: Snippet): boolean => code.includes('peers:')
const isClient = ({ code }: Snippet): boolean => code.includes("from '@sojourn/client'")
/** Those that come to their end by themselves. */
const isScript = (snippet: Snippet): boolean => !isApp(snippet) && !hasPeers(snippet) && !isClient(snippet)

/** Snippets that no test runs, by a part of their code, and why. */
const LISTED: readonly (readonly [part: string, reason: string])[] = []

const isListed = ({ code }: Snippet): boolean => LISTED.some(([part]) => code.includes(part))
const those = (is: (snippet: Snippet) => boolean) =>
  snippets.filter((snippet) => is(snippet) && !isListed(snippet)).map((snippet) => [snippet.heading, snippet] as const)

const endedWell = async (running: Running): Promise<void> => {
  expect({ code: await running.ended(), output: running.output() }).toMatchObject({ code: 0 })
}

it('[README-1] there are snippets of each kind, and what is listed as not run is there', () => {
  for (const kind of [isApp, hasPeers, isClient, isScript]) expect(those(kind).length, String(kind)).toBeGreaterThan(0)
  for (const [part] of LISTED) expect(snippets.filter(({ code }) => code.includes(part))).toHaveLength(1)
})

describe.each(those(isScript))('the snippet of “%s”', (_heading, snippet) => {
  it('[README-1] runs to its end, in one region, without a secret', async () => {
    await using running = await runSnippet(snippet)
    await endedWell(running)
  })
})

describe.each(those(hasPeers))('the snippet of “%s”', (_heading, snippet) => {
  it('[README-1] opens a region that listens for the others, and goes on without them', async () => {
    await using running = await runSnippet(snippet, { env: { SOJOURN_SECRET: 'a secret of the tests' } })
    expect(await running.port(7101)).toBeGreaterThan(0)
    await until(() => running.output().includes('us'), 'the links')
    expect(running.output()).not.toMatch(/\bError\b|SojournError/)
  })
})

describe.each(those(isApp))('the snippet of “%s”', (_heading, snippet) => {
  it('[README-1] is an app that remembers its browser on http://localhost', async () => {
    await using running = await runSnippet(snippet)
    const url = `http://localhost:${await running.port(3000)}`
    const browser = new Browser()
    expect(await browser.json('GET', url)).toEqual({ views: 1 })
    expect(await browser.json('GET', url)).toEqual({ views: 2 })
    // Another browser has a session of its own.
    expect(await new Browser().json('GET', url)).toEqual({ views: 1 })
    expect(running.output()).toBe('')
  })

  it('[README-1] gives its cookie over https only, in production', async () => {
    await using running = await runSnippet(snippet, { env: { NODE_ENV: 'production' } })
    const response = await fetch(`http://localhost:${await running.port(3000)}`)
    expect([response.status, response.headers.getSetCookie()]).toEqual([200, []])
  })
})

describe.each(those(isClient))('the snippet of “%s”', (_heading, snippet) => {
  it('[README-1] connects to a server as the page starts one', async () => {
    const shop = { name: 'shop', scope: 'write' } as const
    const tokens = { check: (token: string) => (token === 'a-token-of-the-shop' ? shop : undefined) }
    const { listener } = await opened.serve({ tokens })
    await using running = await runSnippet(snippet, { ports: { 7401: listener.address.port } })
    await until(() => listener.status().totals.accepted > 0, running.output)
    expect(running.output()).toBe('')
  })
})
