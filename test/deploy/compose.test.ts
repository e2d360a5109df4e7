import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig } from '@sojourn/server'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { output, run } from '../support/program.js'
import { ROOT, readSource } from '../support/sources.js'

interface Service {
  readonly environment: { readonly [name: string]: string }
  readonly secrets: readonly string[]
  readonly networks: readonly string[]
  readonly ports?: readonly string[]
  readonly profiles?: readonly string[]
  readonly volumes?: readonly string[]
}

const compose = parse(readSource('docker-compose.yml').text, { merge: true })
const services = compose.services as { readonly [name: string]: Service }
const REGIONS = ['eu', 'us', 'ap']

let secrets: string
beforeAll(async () => {
  secrets = join(await mkdtemp(join(tmpdir(), 'sojourn-compose-')), 'secrets')
  await output('sh', ['deploy/make-secrets.sh', secrets], { cwd: ROOT })
})
afterAll(() => rm(join(secrets, '..'), { recursive: true, force: true }))

const secret = async (name: string) => (await readFile(join(secrets, name), 'utf8')).trim()

/** The settings of a server, with the secrets where they are here. */
const settingsOf = (region: string) => {
  const { environment } = services[`server-${region}`]!
  const env = Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [
      name,
      String(value)
        .replace(/\$\{\w+:-(\w+)\}/g, '$1')
        .replace('/run/secrets/tokens', join(secrets, 'tokens.txt'))
        .replace('/run/secrets', secrets),
    ]),
  )
  return loadConfig({ file: undefined, env: { ...env, SOJOURN_ADMIN_HOST: '0.0.0.0' }, flags: new Map() })
}

describe('[DEPLOY-2] docker-compose.yml', () => {
  it('has settings that a server takes, the other two as its peers, at names and ports that there are', () => {
    for (const region of REGIONS) {
      const { settings } = settingsOf(region)
      expect(settings.region).toBe(region)
      const others = REGIONS.filter((other) => other !== region).sort()
      expect(Object.keys(settings.peers).sort()).toEqual(others)
      expect(Object.keys(settings.admin.peers).sort()).toEqual(others)
      for (const other of others) {
        const there = settingsOf(other).settings
        expect(settings.peers[other]).toBe(`ws://server-${other}:${there.links.port}`)
        expect(settings.admin.peers[other]).toBe(`http://server-${other}:${there.admin.port}`)
      }
      const urls = services[`shop-${region}`]!.environment.SHOP_SESSIONS!.split(',')
      expect(urls[0]).toBe(`ws://server-${region}:${settings.clients.port}`)
      expect([...urls].sort()).toEqual(REGIONS.map((each) => `ws://server-${each}:7401`).sort())
    }
  })

  it('names only variables that are settings', () => {
    const known = readSource('packages/server/README.md').text
    for (const region of REGIONS)
      for (const name of Object.keys(services[`server-${region}`]!.environment))
        if (name.startsWith('SOJOURN_')) expect(known, name).toContain(`\`${name}\``)
  })

  it('has a network for each region and one between, and publishes on this machine only', () => {
    for (const region of REGIONS) {
      expect(services[`server-${region}`]!.networks).toEqual([region, 'between'])
      expect(services[`server-${region}`]!.volumes).toEqual([`${region}-data:/var/lib/sojourn`])
      expect(services[`server-${region}`]!.ports).toBeUndefined()
    }
    for (const { ports = [] } of Object.values(services))
      for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/)
    for (const name of ['balancer', 'prometheus', 'grafana']) expect(services[name]!.profiles).toHaveLength(1)
  })

  it('takes secrets that the script makes, from files that others cannot reach, and none is in the repository', async () => {
    const files = Object.values(compose.secrets as { [name: string]: { file: string } }).map(({ file }) =>
      file.replace(/^.*\//, ''),
    )
    expect((await readdir(secrets)).sort()).toEqual(files.sort())
    expect((await stat(secrets)).mode & 0o777).toBe(0o700)
    for (const { secrets: needed = [] } of Object.values(services))
      for (const name of needed) expect(Object.keys(compose.secrets)).toContain(name)
    expect((await run('git', ['check-ignore', '-q', 'secrets/link_secret'], { cwd: ROOT })).code).not.toBe(1)
    // A second run keeps what is there.
    const before = await secret('shop_token')
    await output('sh', ['deploy/make-secrets.sh', secrets], { cwd: ROOT })
    expect(await secret('shop_token')).toBe(before)
  })

  it('gives servers hashes of the tokens, and each token its scope', async () => {
    const tokens = await secret('tokens.txt')
    for (const name of ['shop_token', 'admin_token', 'metrics_token']) expect(tokens).not.toContain(await secret(name))
    const entries = settingsOf('eu').readTokens()
    expect(entries.map(({ name, scope }) => `${name}:${scope}`)).toEqual([
      'shop:write',
      'operator:admin',
      'prometheus:read',
    ])
  })
})
