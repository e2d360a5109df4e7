/** Whether each folder of examples/ runs as it stands, copied to a place of its own, on ports that the system picks. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { cp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { Browser } from '../support/browser.js'
import { mappedPorts } from '../support/child-output.js'
import { emptyDirectory } from '../support/snippets.js'
import { ROOT } from '../support/sources.js'
import { until } from '../support/until.js'

const EXAMPLES = join(ROOT, 'examples')
const names = readdirSync(EXAMPLES, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)

interface Manifest {
  readonly version: string
  readonly scripts: { readonly [name: string]: string }
  readonly dependencies?: { readonly [name: string]: string }
  readonly devDependencies?: { readonly [name: string]: string }
}
const manifestOf = (folder: string): Manifest => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))

/** The folders and processes of one test. */
const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const copyOf = async (name: string): Promise<string> => {
  const directory = await emptyDirectory()
  closers.push(() => rm(directory, { recursive: true, force: true }))
  await cp(join(EXAMPLES, name), directory, { recursive: true, filter: (path) => !/\/(data|dist)(\/|$)/.test(path) })
  return directory
}

interface Script {
  readonly child: ChildProcess
  output(): string
}

/** Runs a script of the folder's package.json, as `npm run` does: with the commands of its dependencies. */
const runScript = (directory: string, script: string, env: NodeJS.ProcessEnv): Script => {
  const PATH = `${join(directory, 'node_modules/.bin')}:${process.env.PATH}`
  // `exec`, so that a signal reaches the command and not a shell in front of it.
  const command = manifestOf(directory).scripts[script]!.replace(/[^&]+$/, (last) => ` exec ${last.trim()}`)
  const child = spawn('sh', ['-c', command], { cwd: directory, env: { ...env, PATH } })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      output += chunk
    })
  const closed = once(child, 'close')
  closers.push(async () => {
    child.kill('SIGKILL')
    await closed
  })
  return { child, output: () => output }
}

/** The addresses that an app prints, by region. */
const start = async (directory: string, regions: readonly string[], env: NodeJS.ProcessEnv = {}) => {
  const { child, output } = runScript(directory, 'start', { PORT: '0', ...env })
  const addressOf = (region: string) => output().match(new RegExp(`^${region} (http://\\S+)$`, 'm'))?.[1]
  const urls = await until(
    () => {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${output()}`)
      const found = regions.map(addressOf)
      return found.every(Boolean) && (found as string[])
    },
    () => `the app to listen; it said: ${output()}`,
  )
  const stop = async () => {
    const closed = once(child, 'close')
    child.kill('SIGTERM')
    expect({ code: (await closed)[0], output: output() }).toMatchObject({ code: 0 })
  }
  return { urls, stop }
}

/** What every example does: count views, keep both of two items that come at one time, and forget who logs out. */
const shop = async ([first, second = first, third = first]: readonly string[]): Promise<void> => {
  const ada = new Browser()
  expect(await ada.json('GET', first!)).toMatchObject({ cart: {}, views: 1 })
  const cartAt = async (url: string) => (await ada.json('GET', url)).cart
  for (const url of [second, third]) await until(async () => (await ada.json('GET', url!)).views > 1, 'the session')
  await Promise.all([ada.json('POST', `${second}/cart/tea`), ada.json('POST', `${third}/cart/honey`)])
  for (const url of [first, second, third])
    await until(async () => Object.keys(await cartAt(url!)).length === 2, `both items at ${url}`)
  expect(await cartAt(first!)).toEqual({ honey: 1, tea: 1 })
  const views = (await ada.json('GET', first!)).views as number
  const old = ada.copy()
  await ada.json('POST', `${second}/logout`)
  // The old cookie opens nothing any more, in no region.
  for (const url of [first, second, third])
    await until(async () => (await old.copy().json('GET', url!)).views < views, `the logout at ${url}`)
}

/** Two devices over three regions: a login, a list, another password, and a logout everywhere. */
const logins = async ([eu, us, ap]: readonly string[]): Promise<void> => {
  const [phone, laptop] = [new Browser(), new Browser()]
  // Whatever the region, a browser sees what it wrote before: nothing is waited for here.
  await phone.json('POST', `${eu}/cart/tea`)
  const stolen = phone.copy()
  await phone.json('POST', `${us}/login`, { user: 'ada', device: 'phone' })
  expect(await phone.json('GET', ap!)).toMatchObject({ region: 'ap', user: 'ada', cart: { tea: 1 } })
  // The id from before the login opens nothing any more.
  for (const url of [eu, us, ap])
    await until(async () => !(await stolen.copy().json('GET', url!)).cart.tea, `the old id to be dead at ${url}`)

  await laptop.json('POST', `${ap}/login`, { user: 'ada', device: 'laptop' })
  await until(async () => (await laptop.json('GET', `${ap}/devices`)).length === 2, 'both devices in ap')
  const devices = await laptop.json('GET', `${ap}/devices`)
  expect(devices.map(({ device, region, isThis }: Record<string, unknown>) => [device, region, isThis])).toEqual(
    expect.arrayContaining([
      ['phone', 'us', false],
      ['laptop', 'ap', true],
    ]),
  )
  expect((await laptop.request('DELETE', `${ap}/devices/${'0'.repeat(32)}`)).status).toBe(404)

  const old = laptop.copy()
  const receipt = await laptop.json('POST', `${ap}/password`)
  expect(receipt).toMatchObject({ ended: 1, regions: { ap: 'held' } })
  for (const url of [eu, us, ap]) {
    await until(async () => (await phone.copy().request('GET', `${url}/devices`)).status === 401, `the end at ${url}`)
    expect((await old.request('GET', `${url}/devices`)).status).toBe(401)
    expect((await laptop.json('GET', url!)).user).toBe('ada')
  }

  await phone.json('POST', `${us}/login`, { user: 'ada', device: 'phone' })
  const [{ handle }] = (await phone.json('GET', `${us}/devices`)).filter(
    ({ isThis }: { isThis: boolean }) => isThis,
  ) as [{ handle: string }]
  await until(async () => (await laptop.json('GET', `${eu}/devices`)).length === 2, 'both devices in eu')
  expect(await laptop.json('DELETE', `${eu}/devices/${handle}`)).toMatchObject({ ended: 1 })
  await until(async () => (await phone.copy().request('GET', `${us}/devices`)).status === 401, 'the end of the phone')

  const here = laptop.copy()
  expect(await laptop.json('POST', `${us}/logout-everywhere`)).toMatchObject({ ended: 1 })
  for (const url of [eu, us, ap])
    await until(async () => (await here.copy().request('GET', `${url}/devices`)).status === 401, `the end at ${url}`)

  // A page of another site writes nothing.
  const headers = { origin: 'https://elsewhere.example', 'sec-fetch-site': 'cross-site' }
  const forged = await fetch(`${eu}/cart/tea`, { method: 'POST', headers })
  expect([forged.status, await forged.json()]).toEqual([403, { error: 'CSRF_REFUSED' }])
}

describe('[EXAMPLE-1] each example runs as it stands', () => {
  const OTHERS = ['client-and-server', 'logins', 'three-regions']
  it.each(names.filter((name) => !OTHERS.includes(name)))('%s', async (name) => {
    const { urls, stop } = await start(await copyOf(name), ['eu'])
    await shop(urls)
    await stop()
  })

  it('three-regions', async () => {
    const { urls, stop } = await start(await copyOf('three-regions'), ['eu', 'us', 'ap'])
    await shop(urls)
    await stop()
  })

  it('logins', async () => {
    const { urls, stop } = await start(await copyOf('logins'), ['eu', 'us', 'ap'])
    await logins(urls)
    await stop()
  })

  it('client-and-server', async () => {
    const directory = await copyOf('client-and-server')
    const server = runScript(directory, 'server', {
      NODE_OPTIONS: `--import ${join(ROOT, 'test/support/mapped-ports.mjs')}`,
      TEST_PORTS_FILE: join(directory, 'ports'),
      SOJOURN_TOKENS: 'shop:write:a-token-of-the-shop',
    })
    const port = await until(
      async () =>
        existsSync(join(directory, 'ports'))
          ? mappedPorts(await readFile(join(directory, 'ports'), 'utf8'))[7401]
          : undefined,
      () => `the server to listen; it said: ${server.output()}`,
    )
    const env = { SOJOURN_URL: `ws://127.0.0.1:${port}`, SOJOURN_TOKEN: 'a-token-of-the-shop' }
    const { urls, stop } = await start(directory, ['eu'], env)
    await shop(urls)
    await stop()
  })
})

/** Whether a version fits a range of the form `^1.2.3`. */
const fits = (version: string, range: string): boolean => {
  const [have, want] = [version, range.slice(1)].map((text) => text.split('.').map(Number)) as [number[], number[]]
  const fixed = want[0] === 0 ? 2 : 1
  if (have.slice(0, fixed).join() !== want.slice(0, fixed).join()) return false
  const at = have.findIndex((part, index) => part !== want[index])
  return at === -1 || have[at]! > want[at]!
}

describe('[EXAMPLE-2] each example names what it needs', () => {
  it.each(names)('%s: in versions that the tests run', (name) => {
    const { dependencies, devDependencies } = manifestOf(join(EXAMPLES, name))
    for (const [dependency, range] of Object.entries({ ...dependencies, ...devDependencies })) {
      expect(range).toMatch(/^\^\d+\.\d+\.\d+$/)
      const { version } = manifestOf(join(ROOT, 'node_modules', dependency))
      expect([dependency, version, fits(version, range)]).toEqual([dependency, version, true])
    }
  })

  it.each(names)('%s: nothing that it does not name', (name) => {
    const { dependencies } = manifestOf(join(EXAMPLES, name))
    const source = ['app.js', 'src/app.ts'].map((file) => join(EXAMPLES, name, file)).find(existsSync)!
    const imports = [...readFileSync(source, 'utf8').matchAll(/from '([^.'][^']*)'/g)].map(([, target]) => target!)
    // `sojourn/identity` is in the package `sojourn`.
    const packageOf = (target: string) => target.split('/', target.startsWith('@') ? 2 : 1).join('/')
    const named = imports.filter((target) => !target.startsWith('node:')).map(packageOf)
    expect(new Set(named)).toEqual(new Set(Object.keys(dependencies!)))
  })
})
