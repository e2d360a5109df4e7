import { spawnSync } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from '@sojourn/client'
import { cannotListen } from '@sojourn/net'
import { afterEach, describe, expect, it } from 'vitest'
import { type ServerProcess, sojourn, startServerProcess } from '../support/sojourn-process.js'
import { until } from '../support/until.js'

const ADMIN = 'an-admin-token-of-the-tests'
const APP = 'a-client-token-of-the-tests'

const undo: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step()
})

const directory = async (): Promise<string> => {
  const path = await mkdtemp(join(tmpdir(), 'sojourn-server-'))
  undo.push(() => rm(path, { recursive: true, force: true }))
  return path
}

const start = async (
  data: string,
  more: readonly string[] = [],
  env: NodeJS.ProcessEnv = { SOJOURN_TOKENS: `ops:admin:${ADMIN},app:write:${APP}` },
): Promise<ServerProcess> => {
  const child = await startServerProcess(
    ['--region', 'eu', '--data', data, '--clients-port', '0', '--admin-port', '0', ...more],
    env,
  )
  undo.push(() => {
    child.kill('SIGKILL')
    return child.ended
  })
  return child
}

const adminOf = ({ ports }: ServerProcess) => `http://127.0.0.1:${ports.admin}`
const connectTo = ({ ports }: ServerProcess) => connect({ url: `ws://127.0.0.1:${ports.clients}`, token: APP })

describe('[SRV-1] sojourn serve', () => {
  it('serves clients, and finds their sessions again when it was stopped and started', async () => {
    const data = await directory()
    const first = await start(data)
    const client = await connectTo(first)
    const { id } = await client.create({ user: 'ada' })
    await client.close()
    first.kill('SIGTERM')
    expect(await first.ended).toMatchObject({ code: 0, stderr: '' })
    const second = await start(data)
    const again = await connectTo(second)
    expect((await again.get(id))!.data).toEqual({ user: 'ada' })
    await again.close()
  })

  it('writes no id and no data to its log, and keeps no id on its disk', async () => {
    const data = await directory()
    const server = await start(data, ['--log-level', 'trace'])
    const client = await connectTo(server)
    const { id } = await client.create({ note: 'very-private' })
    await client.update(id, { more: 'also-private' })
    await client.increment(id, '/more').catch(() => {})
    await client.get(`${id}x`)
    const env = { SOJOURN_TOKEN: ADMIN, SOJOURN_ADMIN_URL: adminOf(server) }
    expect((await sojourn(['get', '-'], env, id)).stdout).toContain('very-private')
    await sojourn(['touch', '-', '--write', '7'], env, id)
    await sojourn(['end', '-'], env, id)
    const metrics = await (await fetch(`${adminOf(server)}/metrics`)).text()
    const status = await (await fetch(`${adminOf(server)}/status`)).text()
    await client.close()
    server.kill('SIGTERM')
    const { stdout } = await server.ended
    expect(stdout).toContain('"msg":"stopped"')
    for (const text of [stdout, metrics, status])
      for (const secret of [id, 'private', ADMIN, APP]) expect(text).not.toContain(secret)
    for (const entry of await readdir(join(data, 'store'), { recursive: true, withFileTypes: true }))
      if (entry.isFile()) expect((await readFile(join(entry.parentPath, entry.name))).includes(id)).toBe(false)
  })
})

describe('[SRV-2] a signal', () => {
  it('SIGHUP reads tokens anew, and nothing ends', async () => {
    const data = await directory()
    const file = join(data, 'tokens')
    await writeFile(file, `app:write:${APP}`)
    const server = await start(data, ['--tokens-file', file], {})
    const client = await connectTo(server)
    const { id } = await client.create({})
    await writeFile(file, `app:read:${APP}`)
    server.kill('SIGHUP')
    await until(() => server.stdout.includes('"tokens reloaded"'), 'the tokens')
    await expect(client.touch(id)).rejects.toThrow(/SCOPE_REFUSED/)
    await client.close()
  })

  it('answers what is in flight, and ends with 0', async () => {
    const data = await directory()
    const server = await start(data, ['--peers', 'us=null', '--links-port', '0', '--ready-peer-wait', '1ms']).catch(
      (error: Error) => error,
    )
    // A member needs a secret; the mistake is reported.
    expect(String(server)).toContain('secret is not set')

    await writeFile(join(data, 'secret'), 'a secret of the tests')
    const good = await start(data, [
      ...['--peers', 'us=null', '--links-port', '0', '--ready-peer-wait', '1ms'],
      ...['--secret-file', join(data, 'secret')],
    ])
    const client = await connectTo(good)
    const { id } = await client.create({ n: 0 })
    // Waits for a region that never comes: it is in flight for as long as its timeout.
    const waiting = client.increment(id, '/n', 1, { write: 'all', timeout: '700ms' }).catch((error: unknown) => error)
    await until(async () => {
      const status = (await (await fetch(`${adminOf(good)}/status`)).json()) as { clients: { inFlight: number } }
      return status.clients.inFlight === 1
    }, 'the write to wait')
    good.kill('SIGTERM')
    expect(await waiting).toMatchObject({ code: 'QUORUM_UNMET', mayHaveApplied: true })
    expect(await good.ended).toMatchObject({ code: 0, stderr: '' })
    await client.close()
  })

  it.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)('the second one, %s, leaves at once, with %i', async (signal, code) => {
    const data = await directory()
    await writeFile(join(data, 'secret'), 'a secret of the tests')
    const server = await start(data, [
      ...['--peers', 'us=null', '--links-port', '0', '--ready-peer-wait', '1ms'],
      ...['--secret-file', join(data, 'secret')],
    ])
    const client = await connectTo(server)
    const { id } = await client.create({ n: 0 })
    const waiting = client.increment(id, '/n', 1, { write: 'all', timeout: '60s' }).catch(() => {})
    await until(async () => {
      const status = (await (await fetch(`${adminOf(server)}/status`)).json()) as { clients: { inFlight: number } }
      return status.clients.inFlight === 1
    }, 'the write to wait')
    server.kill('SIGTERM')
    await until(() => server.stdout.includes('"stopping"'), 'the server to have heard')
    expect((await fetch(`${adminOf(server)}/readyz`)).status).toBe(503)
    expect((await fetch(`${adminOf(server)}/livez`)).status).toBe(200)
    server.kill(signal)
    expect((await server.ended).code).toBe(code)
    await client.close()
    await waiting
  })

  it.skipIf(spawnSync('prlimit', ['--version']).error !== undefined)(
    'that finds a disk which takes nothing any more is no bug, and what was acknowledged is there afterwards',
    async () => {
      const data = await directory()
      const server = await start(data)
      const client = await connectTo(server)
      const { id } = await client.create({ user: 'ada' })
      // From now on files do not grow.
      spawnSync('prlimit', ['--pid', String(server.pid), '--fsize=1'])
      await expect(client.create({ user: 'bob' })).rejects.toMatchObject({ code: 'STORE_FAILED' })
      server.kill('SIGTERM')
      const { code, stdout } = await server.ended
      await client.close()
      expect(stdout).not.toContain('"unexpected"')
      expect([0, 3]).toContain(code)
      const again = await connectTo(await start(data))
      expect((await again.get(id))!.data).toEqual({ user: 'ada' })
      await again.close()
    },
  )

  it('that takes longer than shutdownTimeout cuts what is in flight, and ends with 6', async () => {
    const data = await directory()
    await writeFile(join(data, 'secret'), 'a secret of the tests')
    const server = await start(data, [
      ...['--peers', 'us=null', '--links-port', '0', '--ready-peer-wait', '1ms'],
      ...['--secret-file', join(data, 'secret'), '--shutdown-timeout', '1ms'],
    ])
    const client = await connectTo(server)
    const { id } = await client.create({ n: 0 })
    const waiting = client.increment(id, '/n', 1, { write: 'all', timeout: '60s' }).catch((error: unknown) => error)
    server.kill('SIGTERM')
    expect((await server.ended).code).toBe(6)
    await client.close()
    await waiting
  })
})

describe('[SRV-3] what cannot start says why, and ends with a code that says what', () => {
  it('2: a setting, 3: the store, 4: an address', async () => {
    const data = await directory()
    const args = ['serve', '--region', 'eu', '--admin-port', '0']
    expect(await sojourn([...args, '--fsync', 'x'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('fsync (--fsync) is "x"; give one of'),
    })
    expect((await sojourn([...args, '--secret', 'x'.repeat(16)])).stderr).toContain("unknown option '--secret'")
    expect((await sojourn([...args, '--nonsense'])).code).toBe(2)

    const open = await start(data)
    expect(await sojourn([...args, '--data', data])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('STORE_LOCKED'),
    })
    open.kill('SIGKILL')
    await open.ended
    await writeFile(join(data, 'members.json'), '{')
    expect(await sojourn([...args, '--data', data])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('members.json is damaged'),
    })
    await writeFile(join(data, 'file'), '')
    expect(await sojourn([...args, '--data', join(data, 'file')])).toMatchObject({ code: 3 })

    const taken = createServer().listen(0, '127.0.0.1')
    await until(() => taken.address(), 'the port')
    const { port } = taken.address() as AddressInfo
    undo.push(async () => taken.close())
    const clash = ['--data', ':memory:', '--ready-peer-wait', '1ms']
    for (const name of ['admin', 'links', 'clients']) {
      const ended = await sojourn(
        ['serve', '--region', 'eu', '--admin-port', '0', ...clash, `--${name}-port`, String(port)],
        {
          SOJOURN_SECRET: 'a secret of the tests',
          SOJOURN_TOKENS: `ops:admin:${ADMIN}`,
        },
      )
      expect(ended.code, name).toBe(4)
      expect(`${ended.stderr}${ended.stdout}`).toMatch(
        new RegExp(`${name}: cannot listen on 127.0.0.1:${port} \\(EADDRINUSE\\): .*Choose another port`),
      )
    }

    const nowhere = ['serve', '--region', 'eu', '--data', ':memory:', '--ready-peer-wait', '1ms']
    for (const [args, says] of [
      // An address that is kept for documentation, and a name that there never is.
      [
        ['--admin-host', '203.0.113.7', '--admin-port', '0'],
        'admin: cannot listen on 203.0.113.7:0 (EADDRNOTAVAIL): this machine has no such address',
      ],
      [['--admin-host', 'nowhere.invalid', '--admin-port', '0'], 'admin: cannot listen on nowhere.invalid:0 (E'],
    ] as const)
      expect(await sojourn([...nowhere, ...args])).toMatchObject({ code: 4, stderr: expect.stringContaining(says) })
  })

  it('says of each way in which an address can be refused what to do', () => {
    const at = { name: 'links', option: 'links.port', host: '::1', port: 80 }
    const says = (code: string) => cannotListen(at, Object.assign(new Error(code), { code })).message
    expect(says('EACCES')).toBe(
      'INVALID_OPTION: links: cannot listen on [::1]:80 (EACCES): this process may not use the port. Choose one above 1023, or 0 for any free one',
    )
    expect(says('EADDRINUSE')).toContain('uses the port. Choose another port')
    expect(says('EADDRNOTAVAIL')).toContain('0.0.0.0 or :: for all')
    expect(says('EMFILE')).toContain('choose another address')
  })
})

it('[CFG-4] the help is complete', async () => {
  const { stdout, code } = await sojourn(['serve', '--help'])
  const { stdout: reference } = await sojourn(['settings'])
  expect(code).toBe(0)
  const variables = [...reference.matchAll(/`(SOJOURN_\w+)`/g)].map((match) => match[1]!)
  expect(variables.length).toBeGreaterThan(70)
  for (const name of variables) expect(stdout).toMatch(new RegExp(`\\b${name}\\b`))
  for (const path of [...reference.matchAll(/`([a-z]\w*(?:\.\w+)*)`<br>/g)].map((match) => match[1]!)) {
    const flag = `--${path.replaceAll('.', '-').replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
    expect(stdout).toMatch(new RegExp(`  ${flag} `))
  }
  for (const word of ['SIGTERM', 'SIGHUP', 'Exit codes', '--config']) expect(stdout).toContain(word)
  const root = await sojourn(['--help'])
  for (const command of ['serve', 'status', 'top', 'get', 'end', 'touch', 'verify', 'backup', 'restore', 'region'])
    expect(root.stdout).toMatch(new RegExp(`^  ${command} `, 'm'))
})
