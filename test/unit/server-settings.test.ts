import { hash } from 'node:crypto'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isSojournError } from '@sojourn/core/internal'
import { loadConfig, parseTokens, settingsTable, Tokens } from '@sojourn/server'
import { SETTINGS } from '@sojourn/server/parts'
import { afterAll, describe, expect, it } from 'vitest'
import { ROOT } from '../support/sources.js'

const directory = mkdtempSync(join(tmpdir(), 'sojourn-settings-'))
afterAll(() => rmSync(directory, { recursive: true }))

let files = 0
const file = (text: string): string => {
  const path = join(directory, `file-${++files}`)
  writeFileSync(path, text)
  return path
}

interface Given {
  readonly yaml?: string
  readonly env?: NodeJS.ProcessEnv
  readonly flags?: Record<string, string>
}

const load = ({ yaml, env = {}, flags = {} }: Given) =>
  loadConfig({ file: yaml === undefined ? undefined : file(yaml), env, flags: new Map(Object.entries(flags)) })

const faultOf = (given: Given): string => {
  try {
    load(given)
  } catch (error) {
    if (isSojournError(error, 'INVALID_OPTION')) return error.message
    throw error
  }
  throw new Error('nothing was refused')
}

const SECRET = 'a-secret-of-the-tests'
const TOKEN = 'a-token-of-the-tests'
const KEY = 'a-key-of-subjects-of-the-tests'

describe('[CFG-1] a setting comes from a file, the environment or a flag', () => {
  it('and the flag wins over the environment, which wins over the file', () => {
    const yaml = 'region: eu\nfsync: always\nlinks:\n  port: 1\n  heartbeat: 2s\nlog: {level: warn}\n'
    const env = { SOJOURN_SECRET: SECRET, SOJOURN_LINKS_PORT: '2', SOJOURN_LINKS_HEARTBEAT: '3s' }
    const { settings, secret } = load({ yaml, env, flags: { 'links.heartbeat': '4s' } })
    expect(settings).toMatchObject({
      region: 'eu',
      fsync: 'always',
      links: { port: 2, heartbeat: 4_000, host: '127.0.0.1' },
      log: { level: 'warn' },
    })
    expect(secret).toBe(SECRET)
  })

  it('in whatever kind of value', () => {
    const env = {
      SOJOURN_REGION: 'eu',
      SOJOURN_SECRET: SECRET,
      SOJOURN_PEERS: 'us=ws://us:1, ap=null',
      SOJOURN_CONSISTENCY_READ: '2',
      SOJOURN_CONSISTENCY_WRITE: 'majority',
      SOJOURN_SESSION_IDLE_TIMEOUT: '90000',
      SOJOURN_ADMIN_DANGEROUSLY_ALLOW_ANYONE: 'true',
      SOJOURN_LIMITS_MAX_CACHE_BYTES: '5',
      // What a container tool sets without having a value.
      SOJOURN_FSYNC: '',
    }
    const fromEnvironment = load({ env }).settings
    expect(fromEnvironment).toMatchObject({
      peers: { us: 'ws://us:1', ap: null },
      consistency: { read: 2, write: 'majority', timeout: 1_000 },
      session: { idleTimeout: 90_000, maxLifetime: 2_592_000_000 },
      admin: { dangerouslyAllowAnyone: true, port: 7402 },
      limits: { maxCacheBytes: 5, maxDepth: 32 },
      fsync: 'everysec',
    })
    const yaml = `region: eu
peers: {us: 'ws://us:1', ap: null}
consistency: {read: 2, write: majority}
session: {idleTimeout: 90000}
admin: {dangerouslyAllowAnyone: true}
limits: {maxCacheBytes: 5}
clients:
`
    expect(load({ yaml, env: { SOJOURN_SECRET: SECRET } }).settings).toEqual({ ...fromEnvironment, secret: SECRET })
  })
})

describe('[CFG-2] a wrong setting names itself, its value, and what is allowed', () => {
  const good = { SOJOURN_REGION: 'eu', SOJOURN_SECRET: SECRET }
  const cases: [what: string, given: Given, says: string[]][] = [
    ['a missing one', {}, ['region is not set', 'such as eu', 'SOJOURN_REGION or --region']],
    [
      'one of the environment',
      { env: { ...good, SOJOURN_LINKS_PORT: '7x' } },
      ['links.port (SOJOURN_LINKS_PORT) is "7x"', '0 to 65535'],
    ],
    [
      'one of a flag',
      { env: good, flags: { fsync: 'maybe' } },
      ['fsync (--fsync) is "maybe"', 'always, everysec, never'],
    ],
    ['one of the file', { env: good, yaml: 'links: {heartbeat: soon}' }, ['links.heartbeat (', ') is "soon"', "'90s'"]],
    ['a number where a text belongs', { env: good, yaml: 'data: 5' }, ['data (', 'is 5', 'directory']],
    [
      'a port beyond the last',
      { env: good, yaml: 'clients: {port: 65536}' },
      ['clients.port', 'is 65536', '0 to 65535'],
    ],
    ['a level', { env: { ...good, SOJOURN_CONSISTENCY_READ: 'most' } }, ['consistency.read', '"most"', 'majority']],
    [
      'an address',
      { env: { ...good, SOJOURN_PEERS: 'us=http://x' } },
      ['peers.us (SOJOURN_PEERS) is "http://x"', 'ws://'],
    ],
    ['text that is no map', { env: { ...good, SOJOURN_PEERS: 'us' } }, ['peers (SOJOURN_PEERS) is "us"', 'us=wss://']],
    [
      'a flag that is neither',
      { env: { ...good, SOJOURN_CLIENTS_DANGEROUSLY_ALLOW_ANYONE: 'yes' } },
      ['is "yes"', 'true or false'],
    ],
    ['a limit', { env: good, yaml: 'limits: {maxCacheBytes: 0}' }, ['limits.maxCacheBytes', 'is 0', '1 or more']],
    [
      'a limit with a range',
      { env: good, yaml: 'limits: {maxDepth: 257}' },
      ['is 257', 'a whole number from 1 to 256'],
    ],
    [
      'a pointer that is none',
      { env: { ...good, SOJOURN_SESSION_ATOMIC: '/a,user' } },
      ['session.atomic (SOJOURN_SESSION_ATOMIC) is ', '"user"', 'JSON pointers, such as /user'],
    ],
    [
      'an origin',
      { env: { ...good, SOJOURN_CLIENTS_ALLOWED_ORIGINS: 'https://a.example,b' } },
      ['clients.allowedOrigins.1 (SOJOURN_CLIENTS_ALLOWED_ORIGINS) is "b"', 'origins, such as'],
    ],
    [
      'a misspelt one',
      { env: good, yaml: 'clients: {prot: 1}' },
      ['clients.prot (', 'is no setting; did you mean clients.port?', 'host, port, tls'],
    ],
    [
      'a misspelt group',
      { env: good, yaml: 'client: {port: 1}' },
      ['client (', 'is no setting; did you mean clients?', 'clients'],
    ],
    ['a group that is none', { env: good, yaml: 'clients: 5' }, ['clients (', 'is a group', 'host, port']],
    ['a file that is not valid YAML', { env: good, yaml: 'a: [' }, ['is not valid YAML']],
    ['a file that is no map', { env: good, yaml: '- a' }, ['must hold settings']],
    ['a name twice', { env: good, yaml: 'region: a\nregion: b' }, ['is not valid YAML', 'unique']],
    [
      'aliases that unfold',
      {
        env: good,
        yaml: `a: &a [1]\n${[...'bcdefg'].map((n, i) => `${n}: &${n} [${`*${'abcdef'[i]},`.repeat(9)}]`).join('\n')}`,
      },
      ['is not valid YAML'],
    ],
  ]
  it.each(cases)('%s', (_, given, says) => {
    const fault = faultOf(given)
    for (const part of says) expect(fault).toContain(part)
  })

  it('all of them at once', () => {
    const fault = faultOf({ env: { SOJOURN_LINKS_PORT: 'x', SOJOURN_FSYNC: 'y' }, yaml: 'nonsense: 1' })
    for (const part of ['region', 'links.port', 'fsync', 'nonsense']) expect(fault).toContain(part)
    expect(fault.trim().split('\n')).toHaveLength(5)
  })

  it('a file that is not there', () => {
    expect(() => loadConfig({ file: '/nowhere/x.yaml', env: {}, flags: new Map() })).toThrow(
      /config is "\/nowhere\/x.yaml", which cannot be read \(ENOENT\)/,
    )
  })

  const contradictions: [what: string, yaml: string, env: NodeJS.ProcessEnv, says: RegExp][] = [
    ['a region that is its own peer', "peers: {eu: 'ws://x'}", good, /peers .* names "eu", which is this region/],
    [
      'a timeout within the heartbeat',
      'links: {timeout: 1s}',
      good,
      /links\.timeout .* is 1000 ms; give more than links\.heartbeat, 1000 ms/,
    ],
    ['a certificate without its key', 'admin: {tls: {certFile: x}}', good, /admin\.tls has certFile only/],
    ['mutual TLS without TLS', 'admin: {tls: {requireClientCertificate: true}}', good, /certFile, keyFile and caFile/],
    [
      'regions known by certificates that nobody must show',
      "links: {tls: {bindRegion: '{region}.example.net'}}",
      good,
      /links\.tls\.bindRegion \(.*\) is set; set requireClientCertificate, too/,
    ],
    [
      'a region whose name makes no host name',
      "links: {tls: {bindRegion: '{region}.example.net'}}\npeers: {'New York': null}",
      good,
      /links\.tls\.bindRegion .* makes no host name of the region "New York"/,
    ],
    ['peers without a secret', "peers: {us: 'ws://x'}", { SOJOURN_REGION: 'eu' }, /secret is not set, but peers is/],
    [
      'a peer listener without a secret',
      'links: {port: 1}',
      { SOJOURN_REGION: 'eu' },
      /secret is not set, but links\.port is/,
    ],
    [
      'two keys of subjects',
      'subjectKeyFile: x',
      { ...good, SOJOURN_SUBJECT_KEY: KEY },
      /subjectKey \(SOJOURN_SUBJECT_KEY\) and subjectKeyFile .* are both set/,
    ],
    ['two secrets', 'secretFile: x', good, /secret \(SOJOURN_SECRET\) and secretFile .* are both set/],
    ['clients without tokens', 'clients: {port: 1}', good, /tokens is not set, but clients\.port is/],
  ]
  it('[OPT-3] an idle timeout that outlasts every session; the default gives way to a short lifetime', () => {
    const yaml = 'region: eu\nsession: {idleTimeout: 24h, maxLifetime: 1h}'
    expect(faultOf({ yaml })).toMatch(
      /session\.idleTimeout \(.*\) is 86400000 ms; give at most session\.maxLifetime, 3600000 ms/,
    )
    expect(faultOf({ env: { SOJOURN_REGION: 'eu', SOJOURN_SESSION_IDLE_TIMEOUT: '31d' } })).toMatch(
      /SOJOURN_SESSION_IDLE_TIMEOUT.*2592000000 ms/,
    )
    expect(load({ yaml: 'region: eu\nsession: {maxLifetime: 10m}' }).settings.session).toEqual({
      idleTimeout: 600_000,
      maxLifetime: 600_000,
      atomic: [],
      atLimit: 'endOldest',
    })
    // What else is set stays set.
    const more =
      'region: eu\nsession: {maxLifetime: 10m, touchGranularity: 1s, atomic: [/user], maxPerSubject: 5, atLimit: refuse}'
    expect(load({ yaml: more }).settings.session).toEqual({
      idleTimeout: 600_000,
      maxLifetime: 600_000,
      touchGranularity: 1_000,
      atomic: ['/user'],
      maxPerSubject: 5,
      atLimit: 'refuse',
    })
  })

  it.each(contradictions)('%s', (_, yaml, env, says) => expect(faultOf({ yaml, env })).toMatch(says))

  it('clients without tokens are let in where a setting with a frightening name says so', () => {
    const yaml = 'clients: {port: 1, dangerouslyAllowAnyone: true}'
    expect(load({ yaml, env: good }).settings.clients.port).toBe(1)
  })
})

describe('[CRYPT-7] the key ring of a server', () => {
  const env = { SOJOURN_REGION: 'eu' }
  const key = 'ab'.repeat(32)
  const ofYaml = (yaml: string) => faultOf({ env, yaml })

  it('comes from the environment or from a file, which is read anew', () => {
    expect(load({ env }).readKeys()).toBeUndefined()
    expect(load({ env: { ...env, SOJOURN_ENCRYPTION_KEYS: `a=${key},b=${key}` } }).readKeys()?.active).toBe('b')
    const path = file(`a=${key}\n`)
    chmodSync(path, 0o600)
    const config = load({ env, flags: { encryptionKeysFile: path } })
    expect(config.readKeys()?.active).toBe('a')
    writeFileSync(path, `a=${key}\nb=${key} # new`)
    expect(config.readKeys()?.active).toBe('b')
    writeFileSync(path, 'nonsense')
    expect(() => config.readKeys()).toThrow(/encryptionKeysFile: entry 1 is not id=key/)
  })

  it('is refused where it is given twice, half, or in the file of settings, and is never shown', () => {
    const faults = [
      ofYaml(`encryptionKeys: a=${key}`),
      ofYaml('encryptionActive: a'),
      faultOf({ env: { ...env, SOJOURN_ENCRYPTION_KEYS: `a=${key.slice(1)}` } }),
      faultOf({ env: { ...env, SOJOURN_ENCRYPTION_KEYS: `a=${key}`, SOJOURN_ENCRYPTION_KEYS_FILE: file('') } }),
      faultOf({ env: { ...env, SOJOURN_ENCRYPTION_KEYS: `a=${key}`, SOJOURN_ENCRYPTION_ACTIVE: 'b' } }),
    ]
    expect(faults[0]).toMatch(/is a secret: give it as SOJOURN_ENCRYPTION_KEYS, or in the file that encryptionKeysFile/)
    expect(faults[1]).toMatch(/encryptionActive is set, and there are no keys/)
    expect(faults[2]).toMatch(/encryptionKeys \(SOJOURN_ENCRYPTION_KEYS\) is not good; give id=key/)
    expect(faults[3]).toMatch(/encryptionKeys \(SOJOURN_ENCRYPTION_KEYS\) and encryptionKeysFile .* are both set/)
    expect(faults[4]).toMatch(/encryptionActive is b, and encryptionKeys has no such key/)
    for (const fault of faults) expect(fault).not.toContain('abab')
  })
})

describe('[CFG-3] secrets come from the environment or from files', () => {
  const env = { SOJOURN_REGION: 'eu' }

  it('from a file', () => {
    const tokensFile = file(`# who\napp:write:${TOKEN}\n`)
    const config = load({ env: { ...env, SOJOURN_SECRET_FILE: file(`${SECRET}\n`), SOJOURN_TOKENS_FILE: tokensFile } })
    expect(config.secret).toBe(SECRET)
    expect(new Tokens(config.readTokens()).check(TOKEN)).toEqual({ name: 'app', scope: 'write' })
    writeFileSync(tokensFile, `app:read:${TOKEN}-2`)
    expect(new Tokens(config.readTokens()).check(`${TOKEN}-2`)).toEqual({ name: 'app', scope: 'read' })
    writeFileSync(tokensFile, 'nonsense')
    expect(() => config.readTokens()).toThrow(/tokensFile: entry 1 is not name:scope:token/)
  })

  it('and so does the key of subjects, which no flag takes', () => {
    expect(load({ env }).subjectKey).toBeUndefined()
    expect(load({ env: { ...env, SOJOURN_SUBJECT_KEY: KEY } }).subjectKey).toBe(KEY)
    expect(load({ env: { ...env, SOJOURN_SUBJECT_KEY_FILE: file(`${KEY}\n`) } }).subjectKey).toBe(KEY)
    expect(load({ env, yaml: `subjectKeyFile: ${file(KEY)}` }).subjectKey).toBe(KEY)
    const wrong = [
      faultOf({ env, yaml: `subjectKey: ${KEY}` }),
      faultOf({ env: { ...env, SOJOURN_SUBJECT_KEY: KEY.slice(0, 15) } }),
      faultOf({ env: { ...env, SOJOURN_SUBJECT_KEY_FILE: file(KEY.slice(0, 15)) } }),
      faultOf({ env: { ...env, SOJOURN_SUBJECT_KEY: KEY, SOJOURN_SUBJECT_KEY_FILE: 'x' } }),
    ]
    expect(wrong[0]).toContain('is a secret: give it as SOJOURN_SUBJECT_KEY, or in the file that subjectKeyFile names')
    expect(wrong[1]).toContain('subjectKey (SOJOURN_SUBJECT_KEY) is not good; give at least 16 characters')
    expect(wrong[2]).toContain('holds 15 characters; it must hold at least 16')
    for (const fault of wrong) expect(fault).not.toContain(KEY.slice(0, 15))
    expect(SETTINGS.find(({ path }) => path === 'subjectKey')).toMatchObject({ secret: true, flag: undefined })
  })

  it('not from the file of settings, which is for all to see', () => {
    const fault = faultOf({ env, yaml: `secret: ${SECRET}\ntokens: x:read:${TOKEN}` })
    expect(fault).toMatch(/secret .* is a secret: give it as SOJOURN_SECRET, or in the file that secretFile names/)
    expect(fault).toMatch(/tokens .* SOJOURN_TOKENS/)
    expect(fault).not.toContain(SECRET)
    expect(fault).not.toContain(TOKEN)
  })

  it('and are not repeated where they are wrong', () => {
    const short = faultOf({ env: { ...env, SOJOURN_SECRET: 'geheim' } })
    expect(short).toContain('secret (SOJOURN_SECRET) is not good; give at least 16 characters')
    const fromFile = faultOf({ env: { ...env, SOJOURN_SECRET_FILE: file('geheim') } })
    expect(fromFile).toContain('holds 6 characters; it must hold at least 16')
    const tokens = faultOf({ env: { ...env, SOJOURN_TOKENS: `app:root:geheim-${TOKEN}` } })
    expect(tokens).toContain('tokens (SOJOURN_TOKENS) is not good; give name:scope:token')
    for (const fault of [short, fromFile, tokens]) expect(fault).not.toContain('geheim')
  })
})

it('[CFG-4] the README has every setting as the schema has it', () => {
  const readme = readFileSync(join(ROOT, 'packages/server/README.md'), 'utf8')
  // To bring it up to date: npm run docs:options
  expect(readme).toContain(`<!-- options: server -->\n${settingsTable()}\n<!-- /options -->`)
  expect(settingsTable().split('\n').length).toBeGreaterThan(70)
})

describe('[TOKEN-1] tokens', () => {
  it('are known by themselves or by their hash, with their scopes', () => {
    const text = `a:read:${TOKEN}-a, b:write:${TOKEN}-b # b:admin:nonsense\nc:admin:sha256:${hash('sha256', `${TOKEN}-c`, 'hex')}`
    const tokens = new Tokens(parseTokens(text))
    expect(tokens.size).toBe(3)
    expect(tokens.check(`${TOKEN}-a`)).toEqual({ name: 'a', scope: 'read' })
    expect(tokens.check(`${TOKEN}-b`)).toEqual({ name: 'b', scope: 'write' })
    expect(tokens.check(`${TOKEN}-c`)).toEqual({ name: 'c', scope: 'admin' })
    for (const wrong of ['', TOKEN, `${TOKEN}-d`, `${TOKEN}-a `, `sha256:${hash('sha256', `${TOKEN}-c`, 'hex')}`])
      expect(tokens.check(wrong)).toBeUndefined()
    tokens.replace(parseTokens(`a:read:${TOKEN}-new`))
    expect(tokens.check(`${TOKEN}-a`)).toBeUndefined()
    expect(tokens.check(`${TOKEN}-new`)).toBeDefined()
  })

  it.each([
    ['no scope', `a:${TOKEN}`, /entry 1 is not name:scope:token/],
    ['an unknown scope', `ok:read:${TOKEN} a:root:${TOKEN}`, /entry 2 has a scope that is not read, write, admin/],
    ['a bad name', `ä:read:${TOKEN}`, /entry 1 has a name/],
    ['a short token', 'a:read:short', /entry 1 has a token of fewer than 16 characters/],
    ['a hash that is none', `a:read:sha256:${TOKEN}`, /entry 1 has a hash/],
    ['a name twice', `a:read:${TOKEN} a:write:${TOKEN}2`, /entry 2 has the name of another entry/],
  ])('are refused with %s, and not repeated', (_, text, says) => {
    expect(() => parseTokens(text)).toThrow(says)
    expect(() => parseTokens(text)).not.toThrow(TOKEN)
  })
})
