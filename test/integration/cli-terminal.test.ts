/** What commands write on a terminal, in a pipe, and where nobody reads. */
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from '@sojourn/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { outputOf } from '../support/child-output.js'
import { openServers, type Server, TOKENS } from '../support/servers.js'
import { BIN, sojourn, startSojourn } from '../support/sojourn-process.js'
import { HAS_TERMINAL, sojournOnTerminal } from '../support/terminal.js'
import { until } from '../support/until.js'

const ESCAPE = '\u001b'
const envOf = (server: Server): NodeJS.ProcessEnv => ({
  SOJOURN_ADMIN_URL: server.url('admin'),
  SOJOURN_TOKEN: TOKENS.admin,
})

let directory = ''
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sojourn-terminal-'))
})
afterAll(() => rm(directory, { recursive: true }))

describe.skipIf(!HAS_TERMINAL)(
  `[CLI-7] on a terminal${HAS_TERMINAL ? '' : ' (skipped: no script(1) of util-linux)'}`,
  () => {
    it('states are in colour, unless NO_COLOR is set; in a pipe they are not, unless FORCE_COLOR is', async () => {
      await using servers = await openServers(['eu'])
      const env = envOf(servers.get('eu'))
      const green = `${ESCAPE}[32mready${ESCAPE}[39m`
      expect((await sojournOnTerminal(['status'], env)).stdout).toContain(green)
      expect((await sojournOnTerminal(['status'], { ...env, NO_COLOR: '1' })).stdout).not.toContain(ESCAPE)
      expect((await sojourn(['status'], env)).stdout).not.toContain(ESCAPE)
      expect((await sojourn(['status'], { ...env, FORCE_COLOR: '1' })).stdout).toContain(green)
      expect((await sojourn(['status', '--json'], { ...env, FORCE_COLOR: '1' })).stdout).not.toContain(ESCAPE)
      expect((await sojourn(['--help'], { ...env, FORCE_COLOR: '1' })).stdout).toContain(`${ESCAPE}[1mUsage:`)
      expect((await sojourn(['--help'], env)).stdout).not.toContain(ESCAPE)
    })

    it('status --watch draws over what it showed; in a pipe one look follows the other', async () => {
      await using servers = await openServers(['eu'])
      const env = envOf(servers.get('eu'))
      const args = ['status', '--watch', '--times', '3', '--interval', '1ms']
      const clear = `${ESCAPE}[H${ESCAPE}[2J`
      const shown = await sojournOnTerminal(args, env)
      expect(shown.code).toBe(0)
      expect(shown.stdout.split(clear)).toHaveLength(4)
      // A terminal that cannot be drawn over, and programs, get looks that follow each other.
      expect((await sojournOnTerminal(args, { ...env, TERM: 'dumb' })).stdout).not.toContain(ESCAPE)
      const piped = await sojourn(args, env)
      expect(piped.stdout).not.toContain(ESCAPE)
      expect(piped.stdout.match(/^REGION /gm)).toHaveLength(3)
      const lines = (await sojourn([...args, '--json'], env)).stdout.trim().split('\n')
      expect(lines.map((line) => JSON.parse(line).regions.eu.ready)).toEqual([true, true, true])
      expect(await sojourn(['status', '--times', '2'], env)).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('--times needs --watch'),
      })
    })

    it('backup, restore and verify show how far they are, on a line that is cleared, unless --quiet', async () => {
      await using servers = await openServers(['eu'])
      const client = await connect({ url: servers.get('eu').url('clients'), token: TOKENS.write })
      await client.create({ a: 1 })
      await client.close()
      const env = envOf(servers.get('eu'))
      const copy = join(directory, 'copy')
      const cleared = `\r${ESCAPE}[K`
      const backup = await sojournOnTerminal(['backup', copy], env)
      expect(backup.code).toBe(0)
      expect(backup.stdout).toMatch(/copy: \d+\.\d MB copied/)
      // What comes after the line was cleared stands alone.
      expect(backup.stdout.split(cleared).at(-1)).toMatch(/^\S+copy: \d+ rows of "eu", \d+ bytes\r\n$/)
      const restore = (data: string, ...more: string[]) =>
        sojournOnTerminal(['restore', copy, '--region', 'eu', '--data', join(directory, data), ...more], env)
      expect((await restore('one')).stdout).toMatch(/copy: 100 % checked/)
      for (const quiet of [
        await restore('two', '--quiet'),
        await sojournOnTerminal(['backup', join(directory, 'again'), '--quiet'], env),
      ]) {
        expect(quiet.code).toBe(0)
        expect(quiet.stdout).not.toContain('\r\u001b')
        expect(quiet.stdout.trim().split('\n')).toHaveLength(1)
      }
      // A fault stands alone, too.
      const refused = await restore('one')
      expect(refused).toMatchObject({ code: 2, stdout: expect.stringContaining('exists already') })
    })
  },
)

it('[CLI-7] status --watch goes on while nobody answers, and says so', async () => {
  await using servers = await openServers(['eu'])
  const env = { ...envOf(servers.get('eu')) }
  const watching = startSojourn(['status', '--watch', '--json', '--interval', '10ms'], env)
  await until(() => watching.stdout.includes('"ready":true'), 'a look')
  await servers.stop('eu')
  await until(() => watching.stdout.includes('{"error":"UNAVAILABLE: '), 'a look at nobody')
  watching.kill('SIGINT')
  expect(await watching.ended).toMatchObject({ code: null, stderr: '' })
  const none = await sojourn(['status', '--watch', '--interval', '10ms'], env)
  expect(none).toMatchObject({ code: 5, stdout: '', stderr: expect.stringContaining('cannot be reached') })
})

it('[CLI-7] in a pipe, what lasts writes a plain line now and then to standard error, unless --quiet', async () => {
  await using servers = await openServers(['eu', 'us'])
  const client = await connect({ url: servers.get('eu').url('clients'), token: TOKENS.write })
  await servers.settled()
  servers.link('eu').cut()
  servers.link('us').cut()
  await client.create({ a: 1 })
  await client.close()
  const urls = (['eu', 'us'] as const).map((name) => servers.get(name).url('admin')).join(',')
  const env = { SOJOURN_TOKEN: TOKENS.admin, SOJOURN_ADMIN_URL: urls }
  const [colored, quiet] = await Promise.all([
    sojourn(['verify', '--wait', '7s'], env),
    sojourn(['verify', '--wait', '7s', '--quiet', '--json'], env),
  ])
  expect(colored).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^1 record differs; looking again for [12] s\n$/),
  })
  expect(quiet).toMatchObject({ code: 1, stderr: '' })
  expect(JSON.parse(quiet.stdout)).toMatchObject({ agree: false, differ: [{ versions: { eu: expect.any(String) } }] })
})

it('[CLI-3] a pipe that is closed after the first line is no error', async () => {
  await using servers = await openServers(['eu'])
  const env = { PATH: process.env.PATH, ...envOf(servers.get('eu')) }
  const sojournCommand = `"${process.execPath}" "${BIN}"`
  for (const command of [
    'serve --help',
    'settings',
    'config check --region eu',
    'top --interval 1ms',
    'status --watch --interval 1ms',
    'completion zsh',
  ]) {
    const script = `set -o pipefail; ${sojournCommand} ${command} | head -1`
    const child = spawn('bash', ['--norc', '-c', script], { env })
    const { code, stdout, stderr } = await outputOf(child).ended
    expect({ code, stderr }, command).toEqual({ code: 0, stderr: '' })
    expect(stdout.trim().split('\n'), command).toHaveLength(1)
  }
})

it('[CLI-8] what there is not is refused, with the nearest name and where to look', async () => {
  const cases: [args: string[], says: string, where: string][] = [
    [['statsu'], "unknown command 'statsu'; did you mean status?", '`sojourn --help`'],
    [['region', 'ad', 'x', 'null'], "unknown command 'ad'; did you mean add?", '`sojourn region --help`'],
    [['status', '--wach'], "unknown option '--wach'; did you mean --watch?", '`sojourn status --help`'],
    [
      ['config', 'check', '--client-port', '1'],
      "unknown option '--client-port'; did you mean --clients-port?",
      '`sojourn config check --help`',
    ],
    [['top', '--times'], 'argument missing', '`sojourn top --help`'],
    [['backup'], "missing required argument 'file'", '`sojourn backup --help`'],
    [['settings', 'all'], 'too many arguments', '`sojourn settings --help`'],
  ]
  await Promise.all(
    cases.map(async ([args, says, where]) => {
      const { code, stdout, stderr } = await sojourn(args)
      expect({ code, stdout }, args.join(' ')).toEqual({ code: 2, stdout: '' })
      expect(stderr).toContain(`sojourn: `)
      expect(stderr).toContain(says)
      expect(stderr).toContain(`${where} shows the commands and flags.`)
    }),
  )
})
