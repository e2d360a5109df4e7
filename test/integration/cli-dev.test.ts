/** `sojourn dev`: real servers, a process each, on one machine. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from '@sojourn/client'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { outputOf } from '../support/child-output.js'
import { BIN, type SojournProcess, sojourn, sojournUnread, startSojourn } from '../support/sojourn-process.js'
import { until } from '../support/until.js'

interface Guide {
  readonly directory: string
  readonly isTemporary: boolean
  readonly tokens: { readonly app: string; readonly ops: string }
  readonly regions: { readonly [name: string]: { clients: string; admin: string; links: string; pid: number } }
}

let directory = ''
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sojourn-dev-test-'))
})
afterAll(() => rm(directory, { recursive: true }))

const started: SojournProcess[] = []
afterEach(async () => {
  for (const each of started.splice(0)) {
    each.kill('SIGTERM')
    await each.ended
  }
})

/** Starts a cluster whose temporary directories are below this test's own. */
const dev = (args: readonly string[], env: NodeJS.ProcessEnv = {}): SojournProcess => {
  const child = startSojourn(['dev', ...args], { TMPDIR: directory, ...env })
  started.push(child)
  return child
}

const guideOf = async (child: SojournProcess): Promise<Guide> => {
  let isOver = false
  void child.ended.then(() => {
    isOver = true
  })
  await until(() => child.stdout.includes('\n') || isOver, 'the cluster to be ready')
  if (isOver) throw new Error(JSON.stringify(await child.ended))
  return JSON.parse(child.stdout)
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

const gone = (guide: Guide) =>
  until(() => Object.values(guide.regions).every(({ pid }) => !isAlive(pid)), 'the regions to be gone')

describe('[CLI-6] sojourn dev', () => {
  it('runs a server for each region with tokens and secrets of its own, says how to reach them, and leaves nothing', async () => {
    const child = dev(['--regions', '3', '--json'])
    const guide = await guideOf(child)
    expect(Object.keys(guide.regions)).toEqual(['eu', 'us', 'ap'])
    expect(guide).toMatchObject({ isTemporary: true, directory: expect.stringContaining(directory) })
    const { eu, us } = guide.regions
    const here = await connect({ url: eu!.clients, token: guide.tokens.app })
    const there = await connect({ url: us!.clients, token: guide.tokens.app })
    const { id } = await here.create({ user: 'ada' }, { write: 'all' })
    expect((await there.get(id))!.data).toEqual({ user: 'ada' })
    await here.close()
    await there.close()
    const env = { SOJOURN_ADMIN_URL: eu!.admin, SOJOURN_TOKEN: guide.tokens.ops }
    const status = JSON.parse((await sojourn(['status', '--json'], env)).stdout)
    for (const region of ['eu', 'us', 'ap']) {
      expect(status.regions[region], region).toMatchObject({ ready: true, replica: { sessions: 1 } })
      for (const link of Object.values(status.regions[region].replica.links))
        expect(link).toMatchObject({ state: 'live' })
    }
    // An app's token does not open the admin listener.
    expect((await sojourn(['get', 'x'], { ...env, SOJOURN_TOKEN: guide.tokens.app })).code).toBe(5)
    // The directory, and what is in it, is for its owner alone; it holds no token but in the files that are named so.
    expect((await stat(guide.directory)).mode & 0o077).toBe(0)
    for (const name of (await readdir(guide.directory)).filter((each) => /\.yaml$|^tokens$/.test(each)))
      expect(await readFile(join(guide.directory, name), 'utf8')).not.toContain(guide.tokens.app)
    child.kill('SIGINT')
    expect(await child.ended).toMatchObject({ code: 0, stderr: '' })
    await gone(guide)
    expect(existsSync(guide.directory)).toBe(false)
  })

  it('keeps data, ports and tokens in a directory that it is given, for itself alone', async () => {
    const data = join(directory, 'kept')
    const first = dev(['--regions', 'north,south', '--data', data, '--json'])
    const before = await guideOf(first)
    const client = await connect({ url: before.regions.north!.clients, token: before.tokens.app })
    const { id } = await client.create({ n: 1 })
    await client.close()
    const second = await sojourn(['dev', '--regions', 'north,south', '--data', data])
    expect(second).toMatchObject({ code: 3, stderr: expect.stringContaining('STORE_LOCKED') })
    first.kill('SIGTERM')
    expect((await first.ended).code).toBe(0)

    const again = dev(['--regions', 'north,south', '--data', data])
    await until(() => again.stdout.includes('Ctrl-C'), 'the cluster to be ready')
    // For people: addresses, and lines to be pasted.
    const { north, south } = before.regions
    const line = `const sessions = await connect({ urls: ['${south!.clients}', '${north!.clients}'], token: '${before.tokens.app}' }) // in south`
    for (const part of [
      "import { connect } from 'sojourn'",
      line,
      `export SOJOURN_ADMIN_URL=${north!.admin} SOJOURN_TOKEN=${before.tokens.ops}`,
      `${data} keeps their data`,
    ])
      expect(again.stdout).toContain(part)
    const home = await connect({ url: south!.clients, token: before.tokens.app })
    expect((await home.get(id))!.data).toEqual({ n: 1 })
    await home.close()
  })

  it('ends all with a clear message when one region ends', async () => {
    const child = dev(['--regions', '2', '--json'])
    const guide = await guideOf(child)
    process.kill(guide.regions.us!.pid, 'SIGKILL')
    const { code, stderr } = await child.ended
    expect(code).toBe(7)
    expect(stderr).toContain('sojourn: region "us" ended by SIGKILL. All regions were stopped.')
    await gone(guide)
    expect(existsSync(guide.directory)).toBe(false)
  })

  it('passes on why a region cannot start, with its code', async () => {
    await using server = createServer().listen(0, '127.0.0.1')
    await until(() => server.address(), 'a port to be taken')
    const { port } = server.address() as { port: number }
    const taken = await sojourn(['dev', '--regions', '1', '--port', String(port)], { TMPDIR: directory })
    expect(taken).toMatchObject({ code: 4, stdout: '' })
    expect(taken.stderr).toMatch(new RegExp(`region "eu" ended with exit code 4: .*${port}`))
  })

  it('takes other ports where one of the last run is in use', async () => {
    const data = join(directory, 'moved')
    const first = dev(['--regions', '1', '--data', data, '--json'])
    const before = await guideOf(first)
    first.kill('SIGTERM')
    await first.ended
    const port = Number(new URL(before.regions.eu!.admin).port)
    await using server = createServer().listen(port, '127.0.0.1')
    await until(() => server.address(), 'the port to be taken')
    const again = await guideOf(dev(['--regions', '1', '--data', data, '--json']))
    expect(new URL(again.regions.eu!.admin).port).not.toBe(String(port))
    expect(again.tokens).toEqual(before.tokens)
  })

  it('[CLI-3] ends quietly, and leaves nothing, when nobody reads what it prints', async () => {
    const place = await mkdtemp(join(directory, 'unread-'))
    const ended = await sojournUnread(['dev', '--regions', '1'], { TMPDIR: place })
    expect(ended).toEqual({ code: 0, stdout: '', stderr: '' })
    expect(await readdir(place)).toEqual([])
  })

  it('refuses what is no cluster', async () => {
    const cases: [args: string[], says: string][] = [
      [['--regions', '0'], '--regions is "0"; give a number from 1 to 9'],
      [['--regions', '10'], '--regions is "10"'],
      [['--regions', 'eu,eu'], '--regions is "eu,eu"'],
      [['--regions', '../eu'], '--regions is "../eu"'],
      [['--port', '0'], '--port is "0"; give a whole number from 1 to 65535'],
      [['--port', '65530', '--regions', '3'], 'give at most 65527'],
    ]
    await Promise.all(
      cases.map(async ([args, says]) =>
        expect(await sojourn(['dev', ...args], { TMPDIR: directory }), args.join(' ')).toMatchObject({
          code: 2,
          stdout: '',
          stderr: expect.stringContaining(says),
        }),
      ),
    )
    expect((await readdir(directory)).filter((name) => name.startsWith('sojourn-dev-'))).toEqual([])
  })

  it('takes its regions with it when it is killed, and is not led astray by settings of the environment', async () => {
    const env = { SOJOURN_LINKS_PORT: '1', SOJOURN_REGION: 'mars', SOJOURN_TOKENS: 'nonsense' }
    const child = dev(['--regions', '2', '--json'], env)
    const guide = await guideOf(child)
    child.kill('SIGKILL')
    await gone(guide)
    await rm(guide.directory, { recursive: true })
  })

  it('alone gets the Ctrl-C of a terminal, which goes to all of a group; it asks each region once', async () => {
    const child = spawn(process.execPath, [BIN, 'dev', '--regions', '2', '--json', '--verbose'], {
      detached: true,
      env: { PATH: process.env.PATH, TMPDIR: directory },
    })
    const output = outputOf(child)
    await until(() => output.stdout.includes('\n'), 'the cluster to be ready')
    const guide = JSON.parse(output.stdout) as Guide
    process.kill(-child.pid!, 'SIGINT')
    const { code, stderr } = await output.ended
    expect(code).toBe(0)
    // Whoever is asked twice leaves without this word.
    expect(stderr.match(/"outcome":"done","msg":"stopped"/g)).toHaveLength(2)
    await gone(guide)
    expect(existsSync(guide.directory)).toBe(false)
  })
})
