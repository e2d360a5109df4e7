import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Client, connect, isSojournError } from '@sojourn/client'
import type { Level } from '@sojourn/core/internal'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Browser } from '../support/browser.js'
import {
  buildImages,
  buildNewer,
  Cluster,
  eventually,
  REGIONS,
  type Region,
  runServer,
  whyNoCluster,
} from '../support/cluster.js'
import { until } from '../support/until.js'
import { Workload } from '../support/workload.js'

const without = await whyNoCluster()
if (without !== undefined) process.stderr.write(`SKIPPED: the tests on the real cluster, because ${without}\n`)

/** Writes that each of two regions acknowledges before, during and after what befalls a third, or one of them. */
const SOME = 150
const MINUTES = 60_000
const MEBIBYTE = 2 ** 20

describe.skipIf(without !== undefined)(`three regions in containers${without ? ` (skipped: ${without})` : ''}`, () => {
  let cluster: Cluster
  let clients: Record<Region, Client>

  beforeAll(async () => {
    await buildImages()
    cluster = await Cluster.start()
    const token = readFileSync(join(cluster.secrets, 'shop_token'), 'utf8').trim()
    const entries = await Promise.all(
      REGIONS.map(async (region) => [region, await cluster.connect(region, token)] as const),
    )
    clients = Object.fromEntries(entries) as Record<Region, Client>
  }, 10 * MINUTES)
  afterAll(() => cluster?.[Symbol.asyncDispose](), MINUTES)

  /** Runs the workload through two regions while something happens; afterwards all three must have what was acknowledged. */
  const workThrough = async (
    regions: readonly [Region, Region],
    write: Level,
    happens: (workload: Workload) => Promise<void>,
  ): Promise<Workload> => {
    const workload = new Workload(Object.fromEntries(regions.map((region) => [region, clients[region]])), write)
    await workload.start()
    try {
      await workload.more(SOME, ...regions)
      await happens(workload)
      await workload.more(SOME, ...regions)
    } finally {
      await workload.stop()
    }
    const { records } = await cluster.agreement()
    expect(new Set(Object.values(records)).size).toBe(1)
    expect(Object.keys(records).sort()).toEqual(['ap', 'eu', 'us'])
    for (const region of REGIONS) expect(await workload.missing(region, clients[region])).toEqual([])
    expect(workload.sessions).toBeGreaterThan(20)
    return workload
  }

  /** Waits until a region says that its link to another is in a state. */
  const linkIs = (from: Region, to: Region, state: string) =>
    eventually(
      async () => ((await cluster.status(from)).replica.links[to].state === state ? true : undefined),
      `the link from ${from} to ${to} to be ${state}`,
    )

  it(
    '[CLUSTER-1] a region that is disconnected from the others goes on, and all agree afterwards',
    async () => {
      await workThrough(['eu', 'ap'], 'local', async (workload) => {
        await cluster.disconnect('ap')
        await linkIs('eu', 'ap', 'down')
        // Both halves are written to, on the same sessions.
        await workload.more(SOME, 'eu', 'ap')
        expect((await cluster.sojourn('eu', 'verify', '--wait', '1ms')).code).not.toBe(0)
        await cluster.reconnect('ap')
        await linkIs('eu', 'ap', 'live')
      })
    },
    3 * MINUTES,
  )

  it(
    '[CLUSTER-1] while a region is paused, majority writes go on elsewhere; it has them when it wakes',
    async () => {
      await workThrough(['eu', 'us'], 'majority', async (workload) => {
        await cluster.docker('pause', 'server-ap')
        try {
          await workload.more(SOME, 'eu', 'us')
          for (const region of ['eu', 'us'] as const) await linkIs(region, 'ap', 'down')
          await workload.more(SOME, 'eu', 'us')
          // The timeout of a quorum is longer than it takes to notice that a region hangs.
          expect(workload.codes.QUORUM_UNMET).toBeUndefined()
        } finally {
          await cluster.docker('unpause', 'server-ap')
        }
        await linkIs('eu', 'ap', 'live')
      })
    },
    3 * MINUTES,
  )

  it(
    '[CLUSTER-1] a region that is killed while it is written to has all that it acknowledged when it is back',
    async () => {
      const workload = await workThrough(['eu', 'ap'], 'local', async (running) => {
        await cluster.kill('ap')
        await running.more(SOME, 'eu')
        await cluster.start('ap')
      })
      // It was killed at work.
      expect(Object.keys(workload.codes).join()).toMatch(/CONNECTION_LOST|TIMEOUT|UNAVAILABLE/)
    },
    3 * MINUTES,
  )

  it(
    '[CLUSTER-1] a region whose volume is deleted while it is written to is filled by the others; a majority holds what it acknowledged',
    async () => {
      await workThrough(['eu', 'ap'], 'majority', async (running) => {
        const before = (await cluster.status('ap')).replica.replica
        await cluster.lose('ap')
        expect((await cluster.status('ap')).replica.replica).not.toBe(before)
        await running.more(SOME, 'eu')
      })
    },
    3 * MINUTES,
  )

  it(
    '[CLUSTER-1] regions are restarted with a newer image, one after another, while they are written to',
    async () => {
      const image = await buildNewer('99.0.0')
      await workThrough(['eu', 'ap'], 'local', async (running) => {
        for (const region of REGIONS) {
          await cluster.replace(region, image)
          expect((await cluster.status(region)).version).toBe('99.0.0')
          await running.more(SOME, region === 'eu' ? 'ap' : 'eu')
        }
      })
    },
    4 * MINUTES,
  )

  it(
    '[CLUSTER-2] one session in the shops of all regions; a shop whose server is gone asks the next region, and goes back',
    async () => {
      const [eu, us, ap] = (await Promise.all(REGIONS.map((region) => cluster.shop(region)))) as [
        string,
        string,
        string,
      ]
      const ada = new Browser()
      await until(async () => (await ada.request('POST', `${eu}/login?user=ada`)).ok, 'the login')
      for (const url of [us, ap]) await until(async () => (await ada.json('GET', url)).user === 'ada', `ada at ${url}`)
      await Promise.all([ada.json('POST', `${us}/cart/tea?qty=2`), ada.json('POST', `${ap}/cart/honey`)])
      const cart = async (url: string) => (await ada.json('GET', url)).cart
      await until(async () => Object.keys(await cart(eu)).length === 2, 'both items at eu')

      await cluster.kill('eu')
      const health = async () => (await ada.json('GET', `${eu}/healthz`).catch(() => ({}))).sessions
      await eventually(async () => ((await health()) === 'us' ? true : undefined), 'the shop of eu to ask us')
      expect(await cart(eu)).toEqual({ honey: 1, tea: 2 })
      await ada.json('POST', `${eu}/cart/milk`)
      await cluster.start('eu')
      await eventually(async () => ((await health()) === 'eu' ? true : undefined), 'the shop of eu to ask eu')
      expect(await cart(eu)).toEqual({ honey: 1, milk: 1, tea: 2 })

      await ada.json('POST', `${us}/logout`)
      for (const url of [eu, us, ap]) await until(async () => (await ada.json('GET', url)).user === null, 'nobody')
      await cluster.agreement()
    },
    3 * MINUTES,
  )

  it(
    '[CLUSTER-3] nobody gets in without a token: a client, the status, the metrics',
    async () => {
      const { url } = clients.eu.status()
      await expect(connect({ url: url!, token: 'not-a-token-of-this-cluster' })).rejects.toMatchObject({
        code: 'TOKEN_REFUSED',
      })
      const ask = (path: string, token = '') =>
        cluster.inside(
          'eu',
          `
          const response = await fetch('http://127.0.0.1:7402${path}', { headers: { authorization: 'Bearer ${token}' } })
          console.log(response.status)`,
        )
      const metrics = readFileSync(join(cluster.secrets, 'metrics_token'), 'utf8').trim()
      expect(await ask('/readyz')).toBe('200')
      for (const path of ['/status', '/metrics', '/backup']) expect(await ask(path), path).toBe('401')
      expect(await ask('/metrics', metrics)).toBe('200')
      expect(await ask('/backup', metrics)).toBe('403')
    },
    MINUTES,
  )

  it(
    '[CLUSTER-3] the image has no secret and no root, is well by its own check, and stops when it is asked to',
    async () => {
      const server = await cluster.inspect('server-us')
      const { Config, State } = server as unknown as {
        Config: { User: string; Env: string[]; Healthcheck: { Test: string[] } }
        State: { Health: { Status: string } }
      }
      expect(Config.User).toBe('node')
      expect(State.Health.Status).toBe('healthy')
      const secrets = ['link_secret', 'cookie_secret', 'shop_token', 'admin_token', 'metrics_token'].map((name) =>
        readFileSync(join(cluster.secrets, name), 'utf8').trim(),
      )
      for (const secret of secrets) expect(JSON.stringify(server)).not.toContain(secret)
      expect(
        await cluster.inside(
          'us',
          `
          import { readdirSync } from 'node:fs'
          console.log(process.getuid(), readdirSync('/app').sort().join())`,
        ),
      ).toBe('1000 deploy,node_modules,package.json,packages')
      await cluster.docker('stop', 'server-us')
      expect(await cluster.inspect('server-us')).toMatchObject({ State: { ExitCode: 0 } })
      await cluster.start('us')
      expect(await cluster.logs('us')).not.toContain('"level":"fatal"')
      for (const secret of secrets) expect(await cluster.logs('us')).not.toContain(secret)
    },
    MINUTES,
  )

  it(
    '[CLUSTER-4] a disk that is full, and has space again',
    async () => {
      await using server = await runServer(24 * MEBIBYTE)
      const { client } = server
      const { id } = await client.create({ n: 0 })
      await server.inside('dd if=/dev/zero of=/var/lib/sojourn/ballast bs=64k 2>/dev/null || true')
      const failure = { code: 'STORE_FAILED', message: expect.stringMatching(/no space left on device/i) }
      await eventually(async () => {
        const error = await client.create({ pad: 'x'.repeat(4096) }).catch((refused: unknown) => refused)
        return isSojournError(error, 'STORE_FAILED') || undefined
      }, 'the disk to be full')
      // What is smaller than what was refused may fit for a while; what is acknowledged is kept, and what is refused is not.
      let kept = 0
      const refused: unknown[] = []
      for (let n = 0; n < 500; n++)
        await client.increment(id, '/n').then(
          () => kept++,
          (error: unknown) => refused.push(error),
        )
      for (const error of refused) expect(error).toMatchObject(failure)
      expect(refused.length).toBeGreaterThan(400)
      expect((await client.get(id))!.data).toEqual({ n: kept })
      expect((await server.logs()).split('\n').filter((line) => line.includes('STORE_FAILED')).length).toBeLessThan(5)
      await server.inside('rm /var/lib/sojourn/ballast')
      await eventually(
        () =>
          client.increment(id, '/n').then(
            ({ data }) => data.n === kept + 1 || undefined,
            () => undefined,
          ),
        'a write to be taken again',
      )
    },
    MINUTES,
  )
})
