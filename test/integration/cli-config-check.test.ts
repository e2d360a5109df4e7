/** `sojourn config check`: what `serve` would say to the same settings, without starting anything. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sojourn } from '../support/sojourn-process.js'

const SECRET = 'a-secret-of-the-tests'
const TOKEN = 'a-token-of-the-tests'
const KEY = 'a-key-of-subjects-of-the-tests'

let directory = ''
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sojourn-check-'))
})
afterAll(() => rm(directory, { recursive: true }))

const file = async (name: string, text: string): Promise<string> => {
  await writeFile(join(directory, name), text)
  return join(directory, name)
}

const check = (args: readonly string[], env: NodeJS.ProcessEnv = {}) => sojourn(['config', 'check', ...args], env)

describe('[CLI-5] sojourn config check', () => {
  it('shows what is in force and where it comes from; a flag wins, then the environment, then the file', async () => {
    const yaml = await file(
      'good.yaml',
      'region: eu\nfsync: always\nlinks: { port: 1, heartbeat: 2s }\npeers: { us: wss://me:pass@us:1 }\n',
    )
    const env = { SOJOURN_SECRET: SECRET, SOJOURN_LINKS_PORT: '2', SOJOURN_CONFIG: yaml }
    const { code, stdout, stderr } = await check(['--links-timeout', '90s'], env)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const row = (path: string) =>
      stdout
        .split('\n')
        .find((line) => line.startsWith(`${path} `))
        ?.split(/ {2,}/)
    expect(row('region')).toEqual(['region', 'eu', yaml])
    expect(row('links.port')).toEqual(['links.port', '2', 'SOJOURN_LINKS_PORT'])
    expect(row('links.timeout')).toEqual(['links.timeout', '90s', '--links-timeout'])
    expect(row('links.heartbeat')).toEqual(['links.heartbeat', '2s', yaml])
    expect(row('session.maxLifetime')).toEqual(['session.maxLifetime', '30d', 'default'])
    expect(row('clients.port')).toEqual(['clients.port', '–', '–'])
    expect(row('secret')).toEqual(['secret', 'set, and not shown', 'SOJOURN_SECRET'])
    expect(row('peers')).toEqual(['peers', 'us=wss://…@us:1', yaml])
    expect(stdout).not.toContain(SECRET)
    expect(stdout).not.toContain('pass')
  })

  it('answers programs with JSON, of what was given alone where that is asked for', async () => {
    const tokens = `app:write:${TOKEN}`
    const env = { SOJOURN_REGION: 'eu', SOJOURN_TOKENS: tokens, SOJOURN_SUBJECT_KEY: KEY, SOJOURN_REGIO: 'x' }
    const { code, stdout } = await check(['--given', '--json', '--clients-port', '0'], env)
    expect(code).toBe(0)
    for (const secret of [TOKEN, KEY]) expect(stdout).not.toContain(secret)
    expect(JSON.parse(stdout)).toEqual({
      valid: true,
      settings: {
        region: { value: 'eu', from: 'SOJOURN_REGION' },
        subjectKey: { value: 'set, and not shown', from: 'SOJOURN_SUBJECT_KEY' },
        tokens: { value: 'set, and not shown', from: 'SOJOURN_TOKENS' },
        'clients.port': { value: 0, from: '--clients-port' },
      },
      warnings: ['SOJOURN_REGIO: no setting has this variable; did you mean SOJOURN_REGION?'],
    })
  })

  it('says all that is wrong, as serve does, and ends with 2', async () => {
    const yaml = await file('bad.yaml', 'fsync: soon\nclients: { prot: 1 }\n')
    const env = { SOJOURN_LINKS_PORT: 'x', SOJOURN_SECRET: 'geheim' }
    const [checked, served, json] = await Promise.all([
      check(['--config', yaml], env),
      sojourn(['serve', '--config', yaml], env),
      check(['--config', yaml, '--json'], env),
    ])
    expect(checked).toEqual({ ...served, code: 2 })
    expect(checked.stdout).toBe('')
    const faults = [
      `clients.prot (${yaml}) is no setting; did you mean clients.port?`,
      'region is not set; give ',
      'secret (SOJOURN_SECRET) is not good; give at least 16 characters',
      `fsync (${yaml}) is "soon"; give one of always, everysec, never`,
      'links.port (SOJOURN_LINKS_PORT) is "x"; give ',
    ]
    for (const fault of faults) expect(checked.stderr).toContain(fault)
    expect(json).toMatchObject({ code: 2, stderr: '' })
    const answer = JSON.parse(json.stdout)
    expect(answer).toEqual({
      valid: false,
      faults: faults.map((fault) => expect.stringContaining(fault)),
      warnings: [],
    })
    for (const text of [checked.stderr, json.stdout]) expect(text).not.toContain('geheim')
  })

  it('reads the files of secrets, tokens and certificates, too', async () => {
    const nothing = join(directory, 'nothing')
    const wrong = await file('wrong.pem', 'no certificate')
    const cases: [args: string[], says: string][] = [
      [['--secret-file', nothing], 'secretFile is'],
      [['--clients-port', '0', '--tokens-file', nothing], 'tokensFile is'],
      [['--clients-port', '0'], 'tokens is not set'],
      [['--admin-tls-cert-file', wrong, '--admin-tls-key-file', wrong], 'admin.tls'],
      [['--config', nothing], 'config is'],
    ]
    for (const [args, says] of cases)
      expect(await check(['--region', 'eu', ...args]), args.join(' ')).toMatchObject({
        code: 2,
        stdout: '',
        stderr: expect.stringContaining(says),
      })
  })

  it('says what is wrong in all files at once, which listeners share a port, and which limits do not fit', async () => {
    const nothing = join(directory, 'nothing')
    const wrong = await file('wrong.pem', 'no certificate')
    const files = ['--secret-file', nothing, '--encryption-keys-file', nothing, '--tokens-file', nothing]
    const tls = ['--admin-tls-cert-file', wrong, '--admin-tls-key-file', wrong]
    const { code, stderr } = await check(['--region', 'eu', ...files, ...tls])
    expect(code).toBe(2)
    for (const says of ['secretFile is', 'encryptionKeysFile is', 'tokensFile is', 'admin.tls'])
      expect(stderr).toContain(says)
    const yaml = await file('together.yaml', 'limits: { maxSessionBytes: 1000000 }\n')
    const together = await check(
      ['--region', 'eu', '--config', yaml, '--admin-port', '7500', '--clients-port', '7500'],
      { SOJOURN_TOKENS: `app:write:${TOKEN}`, SOJOURN_CLIENTS_HOST: '127.0.0.1' },
    )
    expect(together.stderr).toMatch(/clients\.port and admin\.port are both 7500/)
    expect(together.stderr).toMatch(/limits\.maxRecordBytes .*at least twice limits\.maxSessionBytes/)
  })
})
