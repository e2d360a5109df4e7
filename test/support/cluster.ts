import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Client, connect } from '@sojourn/client'
import { output, type Ran, run } from './program.js'
import { openProxy, type TcpProxy } from './proxy.js'
import { ROOT } from './sources.js'

/** Three regions in containers, as docker-compose.yml starts them, each under a project of the test's own. */

export const REGIONS = ['eu', 'us', 'ap'] as const
export type Region = (typeof REGIONS)[number]

const SERVER_IMAGE = 'sojourn-test'
const SHOP_IMAGE = 'sojourn-shop-test'
const WAIT_MS = 90_000

/** Why the cluster cannot be run here; undefined: it can. */
export const whyNoCluster = async (): Promise<string | undefined> => {
  if (process.env.SOJOURN_CLUSTER !== '1')
    return 'SOJOURN_CLUSTER is not 1; `npm run test:cluster` sets it (needs a Docker engine, and takes minutes)'
  const info = await run('docker', ['info'])
  if (info.code === 127) return 'there is no docker on the PATH'
  if (info.code !== 0 || /^ERROR/m.test(info.stdout + info.stderr)) return 'no Docker engine answers `docker info`'
  return (await composeCommand()) === undefined ? 'there is neither `docker compose` nor docker-compose' : undefined
}

const composeCommand = async (): Promise<readonly string[] | undefined> => {
  for (const command of [['docker', 'compose'], ['docker-compose']])
    if ((await run(command[0]!, [...command.slice(1), 'version'])).code === 0) return command
  return undefined
}

/** Asks again until it gives something; each asking runs a program, so it takes its time by itself. */
export const eventually = async <T>(ask: () => Promise<T | undefined>, what: string): Promise<T> => {
  const deadline = performance.now() + WAIT_MS
  let last = 'nothing'
  for (;;) {
    const value = await ask().catch((error: unknown) => {
      last = String(error)
      return undefined
    })
    if (value !== undefined) return value
    if (performance.now() > deadline) throw new Error(`waited ${WAIT_MS} ms for ${what}; last: ${last}`)
  }
}

/** Builds both images. `SOJOURN_BUILD_NETWORK=host` where only that reaches a package registry. */
export const buildImages = async (): Promise<void> => {
  const network = process.env.SOJOURN_BUILD_NETWORK
  for (const [target, tag] of [
    ['server', SERVER_IMAGE],
    ['shop', SHOP_IMAGE],
  ] as const)
    await output('docker', [
      'build',
      '-q',
      ...(network ? ['--network', network] : []),
      '--target',
      target,
      '-t',
      tag,
      ROOT,
    ])
}

/** The same server under another version: what an upgrade restarts with. Returns the name of the image. */
export const buildNewer = async (version: string): Promise<string> => {
  const tag = `${SERVER_IMAGE}:${version}`
  const manifest = '/app/packages/server/package.json'
  const dockerfile = [
    `FROM ${SERVER_IMAGE}`,
    'USER root',
    `RUN sed -i 's/"version": ".*"/"version": "${version}"/' ${manifest}`,
    'USER node',
  ].join('\n')
  await output('docker', ['build', '-q', '-t', tag, '-'], { input: dockerfile })
  return tag
}

/** The port of this machine under which one of a container is published. */
const portOf = async (container: string, port: number): Promise<number> => {
  const published = await output('docker', ['port', container, `${port}/tcp`])
  return Number(published.split('\n')[0]!.split(':').at(-1))
}

export class Cluster implements AsyncDisposable {
  readonly #compose: readonly string[]
  readonly #directory: string
  readonly #project = `sojourn-test-${process.pid}`
  readonly #proxies = new Map<Region, TcpProxy>()
  readonly #ports = new Map<Region, number>()
  readonly #clients: Client[] = []

  private constructor(compose: readonly string[], directory: string) {
    this.#compose = compose
    this.#directory = directory
  }

  static async start(): Promise<Cluster> {
    const cluster = new Cluster((await composeCommand())!, await mkdtemp(join(tmpdir(), 'sojourn-cluster-')))
    await output('sh', [join(ROOT, 'deploy/make-secrets.sh'), cluster.secrets])
    try {
      await cluster.compose('up', '-d', '--no-build')
      await Promise.all(REGIONS.map((region) => cluster.ready(region)))
      for (const region of REGIONS)
        cluster.#proxies.set(
          region,
          await openProxy(() => {
            const port = cluster.#ports.get(region)
            return port === undefined ? undefined : { host: '127.0.0.1', port }
          }),
        )
      return cluster
    } catch (error) {
      const logs = await run(cluster.#compose[0]!, cluster.#arguments('logs', '--tail', '30'), { env: cluster.#env() })
      await cluster[Symbol.asyncDispose]()
      throw new Error(`${(error as Error).message}\n${logs.stdout}`)
    }
  }

  get secrets(): string {
    return join(this.#directory, 'secrets')
  }

  #env(image = SERVER_IMAGE): NodeJS.ProcessEnv {
    return {
      SECRETS: this.secrets,
      SERVER_IMAGE: image,
      SHOP_IMAGE,
      // Empty: free ones.
      SHOP_EU_PORT: '',
      SHOP_US_PORT: '',
      SHOP_AP_PORT: '',
    }
  }

  #arguments(...args: readonly string[]): string[] {
    const files = ['docker-compose.yml', 'test/cluster/publish.yml'].flatMap((file) => ['-f', join(ROOT, file)])
    return [...this.#compose.slice(1), '--project-directory', ROOT, '-p', this.#project, ...files, ...args]
  }

  compose(...args: readonly string[]): Promise<string> {
    return output(this.#compose[0]!, this.#arguments(...args), { env: this.#env() })
  }

  #container(service: string): Promise<string> {
    return this.compose('ps', '-q', service)
  }

  async inspect(service: string): Promise<{ readonly [name: string]: never }> {
    return JSON.parse(await output('docker', ['inspect', await this.#container(service)]))[0]
  }

  async docker(command: string, service: string): Promise<string> {
    return output('docker', [command, await this.#container(service)])
  }

  /** The command line, in the container of a server. */
  async sojourn(region: Region, ...args: readonly string[]): Promise<Ran> {
    const container = await this.#container(`server-${region}`)
    return run('docker', ['exec', container, 'sojourn', ...args, '--token-file', '/run/secrets/admin_token'])
  }

  /** Runs a module in the container of a server, and returns what it prints. */
  async inside(region: Region, module: string): Promise<string> {
    const container = await this.#container(`server-${region}`)
    return output('docker', ['exec', container, 'node', '--input-type=module', '-e', module])
  }

  logs(region: Region): Promise<string> {
    return this.compose('logs', '--no-color', `server-${region}`)
  }

  /** What a server says of itself; another one that does not answer keeps nobody waiting. */
  // biome-ignore lint/suspicious/noExplicitAny: what a status holds is what the test checks.
  async status(region: Region): Promise<any> {
    const text = await this.inside(
      region,
      `import { readFileSync } from 'node:fs'
      const token = readFileSync('/run/secrets/admin_token', 'utf8').trim()
      const response = await fetch('http://127.0.0.1:7402/status', { headers: { authorization: \`Bearer \${token}\` } })
      console.log(await response.text())`,
    )
    return JSON.parse(text)
  }

  /** Waits until a server is ready, and looks up the port that its listener for clients has got. */
  async ready(region: Region): Promise<void> {
    try {
      await eventually(async () => {
        const { ready, reasons, replica } = await this.status(region)
        if (ready) return true
        throw new Error(JSON.stringify({ reasons, links: replica.links }))
      }, `${region} to be ready`)
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${await this.logs(region)}`)
    }
    this.#ports.set(region, await this.#port(`server-${region}`, 7401))
  }

  async #port(service: string, port: number): Promise<number> {
    return portOf(await this.#container(service), port)
  }

  /** Where the shop of a region answers. */
  async shop(region: Region): Promise<string> {
    return `http://127.0.0.1:${await this.#port(`shop-${region}`, 3000)}`
  }

  /** A client of one server, whatever becomes of that one. */
  async connect(region: Region, token: string): Promise<Client> {
    const client = await connect({
      url: this.#proxies.get(region)!.url,
      token,
      connection: { heartbeat: '200ms', timeout: '2s', maxReconnectDelay: '500ms' },
    })
    this.#clients.push(client)
    return client
  }

  get #between(): string {
    return `${this.#project}_between`
  }

  /** Takes a server out of the network between the regions. */
  async disconnect(region: Region): Promise<void> {
    await output('docker', ['network', 'disconnect', this.#between, await this.#container(`server-${region}`)])
  }

  async reconnect(region: Region): Promise<void> {
    const name = `server-${region}`
    await output('docker', ['network', 'connect', '--alias', name, this.#between, await this.#container(name)])
  }

  async kill(region: Region): Promise<void> {
    this.#ports.delete(region)
    await this.docker('kill', `server-${region}`)
  }

  async start(region: Region): Promise<void> {
    await this.docker('start', `server-${region}`)
    await this.ready(region)
  }

  /** Kills a server, and starts another one with nothing on its disk. */
  async lose(region: Region): Promise<void> {
    await this.kill(region)
    await this.compose('rm', '-f', `server-${region}`)
    await output('docker', ['volume', 'rm', `${this.#project}_${region}-data`])
    await this.compose('up', '-d', '--no-build', '--no-deps', `server-${region}`)
    await this.ready(region)
  }

  /** Stops a server in good order, and starts it anew from another image, on the same volume. */
  async replace(region: Region, image: string): Promise<void> {
    this.#ports.delete(region)
    const args = this.#arguments('up', '-d', '--no-build', '--no-deps', `server-${region}`)
    await output(this.#compose[0]!, args, { env: this.#env(image) })
    await this.ready(region)
  }

  /** What `sojourn verify` says when all three were asked and hold the same. */
  agreement(): Promise<{ readonly records: { readonly [region: string]: number } }> {
    return eventually(async () => {
      const { code, stdout, stderr } = await this.sojourn('eu', 'verify', '--json')
      if (code === 0) return JSON.parse(stdout)
      throw new Error(`verify ended with ${code}: ${stdout}${stderr}`)
    }, 'all regions to agree')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) await client.close()
    for (const proxy of this.#proxies.values()) await proxy.close()
    // What a failed test left paused could not be stopped.
    for (const args of [['unpause'], ['down', '-v', '-t', '2']])
      await run(this.#compose[0]!, this.#arguments(...args), { env: this.#env() })
    await rm(this.#directory, { recursive: true, force: true })
  }
}

/** One server by itself, on a disk of its own that holds so many bytes, and a client of it. */
export const runServer = async (diskBytes: number) => {
  const environment = {
    REGION: 'eu',
    CLIENTS_HOST: '0.0.0.0',
    CLIENTS_PORT: '7401',
    CLIENTS_DANGEROUSLY_ALLOW_ANYONE: 'true',
  }
  const container = await output('docker', [
    'run',
    '-d',
    ...['--tmpfs', `/var/lib/sojourn:size=${diskBytes},uid=1000,gid=1000`],
    ...['-p', '127.0.0.1::7401'],
    ...Object.entries(environment).flatMap(([name, value]) => ['-e', `SOJOURN_${name}=${value}`]),
    SERVER_IMAGE,
  ])
  const remove = () => run('docker', ['rm', '-f', container])
  try {
    const port = await portOf(container, 7401)
    const client = await eventually(() => connect({ url: `ws://127.0.0.1:${port}` }), 'a client to be let in')
    return {
      client,
      inside: (command: string) => output('docker', ['exec', container, 'sh', '-c', command]),
      logs: () => output('docker', ['logs', container]),
      async [Symbol.asyncDispose]() {
        await client.close()
        await remove()
      },
    }
  } catch (error) {
    await remove()
    throw error
  }
}
