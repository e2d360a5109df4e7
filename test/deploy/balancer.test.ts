import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { Browser } from '../support/browser.js'
import { has, run } from '../support/program.js'
import { readSource } from '../support/sources.js'
import { until } from '../support/until.js'

const isThere = await has('nginx', ['-v'], "the balancer's configuration was not given to nginx")
const TEMPLATE = 'deploy/nginx/shops.conf.template'

/** A port that is free now; nginx takes no 0. */
const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Stands for the shop of a region: says which it is, and begins a new session at a login. */
const openShop = async (region: string): Promise<Server> => {
  let logins = 0
  const server = createServer((request, response) => {
    if (request.url === '/login') response.setHeader('set-cookie', `sid=${region}-${++logins}; Path=/`)
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ region, method: request.method }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

let directory: string
let shops: Map<string, Server>
let nginx: ChildProcess | undefined
let anyRegion: string
let sticky: string

/** The whole configuration, with the template filled in as the image of nginx does it. */
const configuration = async (): Promise<string> => {
  const [anyPort, stickyPort] = [await freePort(), await freePort()]
  anyRegion = `http://127.0.0.1:${anyPort}/`
  sticky = `http://127.0.0.1:${stickyPort}/`
  const values: Record<string, string> = {
    SHOPS: [...shops.values()]
      .map((shop) => `server 127.0.0.1:${(shop.address() as AddressInfo).port} max_fails=1 fail_timeout=5s;`)
      .join(' '),
    ANY_PORT: `127.0.0.1:${anyPort}`,
    STICKY_PORT: `127.0.0.1:${stickyPort}`,
  }
  const filled = readSource(TEMPLATE).text.replace(/\$\{(\w+)\}/g, (_, name: string) => values[name]!)
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${join(directory, name)};`,
  )
  return `daemon off; master_process off; pid ${join(directory, 'pid')}; error_log stderr;
    events {}
    http { access_log off; ${places.join(' ')}\n${filled}\n}`
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sojourn-nginx-'))
  shops = new Map()
  for (const region of ['eu', 'us', 'ap']) shops.set(region, await openShop(region))
})
afterEach(async () => {
  if (nginx) {
    nginx.kill('SIGTERM')
    await once(nginx, 'close')
    nginx = undefined
  }
  for (const shop of shops.values()) shop.close()
  await rm(directory, { recursive: true, force: true })
})

const start = async (): Promise<void> => {
  const file = join(directory, 'nginx.conf')
  await writeFile(file, await configuration())
  const checked = await run('nginx', ['-t', '-c', file, '-e', 'stderr'])
  expect(checked.stderr).toContain('test is successful')
  nginx = spawn('nginx', ['-c', file, '-e', 'stderr'], { stdio: 'ignore' })
  await until(
    () =>
      fetch(sticky).then(
        () => true,
        () => false,
      ),
    'nginx to answer',
  )
}

describe.skipIf(!isThere)(`[DEPLOY-3] the balancer${isThere ? '' : ' (skipped: no nginx)'}`, () => {
  const regionsOf = async (browser: Browser, url: string, times: number, method = 'GET') => {
    const regions = new Set<string>()
    for (let time = 0; time < times; time++) regions.add((await browser.json(method, url)).region)
    return regions
  }

  it('any region: goes round all of them, and past one that is gone', async () => {
    await start()
    expect(await regionsOf(new Browser(), anyRegion, 9)).toEqual(new Set(['eu', 'us', 'ap']))
    shops.get('us')!.closeAllConnections()
    shops.get('us')!.close()
    expect(await regionsOf(new Browser(), anyRegion, 9)).toEqual(new Set(['eu', 'ap']))
  })

  it('sticky: a user stays, through a login, too; another one may be elsewhere; who stood at a shop that goes, moves on', async () => {
    await start()
    const ada = new Browser()
    const [home] = await regionsOf(ada, sticky, 1)
    expect((await ada.json('POST', `${sticky}login`)).region).toBe(home)
    expect(await regionsOf(ada, sticky, 20)).toEqual(new Set([home]))
    const all = new Set<string>()
    for (let user = 0; user < 60; user++)
      for (const region of await regionsOf(new Browser(), sticky, 1)) all.add(region)
    expect(all).toEqual(new Set(['eu', 'us', 'ap']))

    shops.get(home!)!.closeAllConnections()
    shops.get(home!)!.close()
    const [next, ...more] = await regionsOf(ada, sticky, 10)
    expect(next).not.toBe(home)
    expect(more).toEqual([])
  })
})

describe('[DEPLOY-3] the template of the balancer', () => {
  it('is filled in with what docker-compose.yml gives', () => {
    const { environment } = parse(readSource('docker-compose.yml').text, { merge: true }).services.balancer
    const names = new Set([...readSource(TEMPLATE).text.matchAll(/\$\{(\w+)\}/g)].map((match) => match[1]!))
    expect([...names].sort()).toEqual(Object.keys(environment).sort())
    for (const region of ['eu', 'us', 'ap']) expect(environment.SHOPS).toContain(`server shop-${region}:3000 `)
  })
})
