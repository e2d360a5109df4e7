/** The settings of a server, from file, environment and flags. */
import { statSync } from 'node:fs'
import {
  type Duration,
  type GivenOf,
  isSojournError,
  limitsFault,
  nearestName,
  PROFILES,
  parseDuration,
  readOptions,
  SojournError,
} from '@sojourn/core/internal'
import { readText } from '@sojourn/net'
import { bindingFaults, MIN_SECRET_CHARS, tlsFaults } from '@sojourn/replica/options'
import type { KeyRing } from '@sojourn/store/keys'
import { parseKeys } from '../key-list.js'
import { parseTokens, Tokens } from '../tokens.js'
import { namesAt, SETTINGS, type Setting } from './catalogue.js'
import { identityFaults } from './identity-faults.js'
import { SERVER_OPTIONS, type Settings } from './schema.js'
import { fromEnvironment, fromFlags, fromYaml, type Given, type Source } from './sources.js'

/** What `sojourn serve` runs with. */
export interface Config {
  readonly settings: Settings
  /** Where each setting comes from, by its path: a file, a variable, a flag. The others have their defaults. */
  readonly from: ReadonlyMap<string, string>
  /** What the peers know; undefined where nothing links. */
  readonly secret: string | undefined
  /** What subjects are kept under; undefined: the secret. */
  readonly subjectKey: string | undefined
  /** @throws INVALID_OPTION; reads the file anew */
  readonly readTokens: () => ReturnType<typeof parseTokens>
  /** The key ring; undefined: the store is in the clear. @throws INVALID_OPTION; reads the file anew */
  readonly readKeys: () => KeyRing | undefined
}

export interface ConfigInput {
  /** The path of sojourn.yaml; undefined: none. */
  readonly file: string | undefined
  readonly env: NodeJS.ProcessEnv
  /** Text by the path of its setting. */
  readonly flags: ReadonlyMap<string, string>
  /** What else must be so; each throws INVALID_OPTION where it is not. */
  readonly checks?: (settings: Settings) => readonly (() => unknown)[]
}

const settingAt = (path: string): Setting | undefined =>
  SETTINGS.find((setting) => path === setting.path || path.startsWith(`${setting.path}.`))

/**
 * Flags win over the environment, the environment over the file. One error reports all that is wrong, a line each.
 * @example
 * const config = loadConfig({ file: 'sojourn.yaml', env: process.env, flags: { region: 'eu' } })
 * @throws INVALID_OPTION, naming each setting, its value, where that came from, and what is allowed
 */
export const loadConfig = ({ file, env, flags, checks }: ConfigInput): Config => {
  const faults: string[] = []
  const yaml = file === undefined ? undefined : fromYaml(readText(file, 'config'), file)
  for (const path of yaml?.refusedPaths ?? []) faults.push(pathFault(path, file!))
  const given = merge(yaml?.source ?? new Map(), fromEnvironment(env), fromFlags(flags))
  faults.push(...SETTINGS.flatMap((setting) => faultOf(setting, given)))
  if (faults.length > 0) refuse(faults)
  const profiled = withProfile(given)
  const settings = withinLifetime(readOptions(SERVER_OPTIONS, unflatten(profiled)), given)
  faults.push(...contradictions(settings, given))
  if (faults.length > 0) refuse(faults)
  const readTokens = () =>
    settings.tokensFile === undefined
      ? parseTokens(settings.tokens ?? '')
      : parseTokens(readText(settings.tokensFile, 'tokensFile'), 'tokensFile')
  const from = new Map([...profiled].map(([path, value]) => [path, value.from]))
  const readKeys = () => readKeyRing(settings)
  const attempt = <T>(read: () => T): T | undefined => {
    try {
      return read()
    } catch (error) {
      if (!isSojournError(error, 'INVALID_OPTION')) throw error
      faults.push(error.message.replace(/^INVALID_OPTION: /, ''))
      return undefined
    }
  }
  const secret = attempt(() => readSecret(settings, 'secret'))
  const subjectKey = attempt(() => readSecret(settings, 'subjectKey'))
  attempt(readKeys)
  const tokens = attempt(readTokens)
  if (tokens) attempt(() => needTokens(settings, new Tokens(tokens).size))
  for (const check of checks?.(settings) ?? []) attempt(check)
  if (faults.length > 0) refuse(faults)
  return { settings, from, secret, subjectKey, readTokens, readKeys }
}

/**
 * Some settings, for a command that needs no others.
 * @throws INVALID_OPTION
 */
export const loadPart = ({
  file,
  env,
  flags,
}: ConfigInput): Pick<Settings, 'region' | 'data'> & { readonly keys: KeyRing | undefined } => {
  const yaml = file === undefined ? undefined : fromYaml(readText(file, 'config'), file)
  const given = merge(yaml?.source ?? new Map(), fromEnvironment(env), fromFlags(flags))
  const { region, data, encryptionKeys, encryptionKeysFile, encryptionActive } = SERVER_OPTIONS
  const part = { region, data, encryptionKeys, encryptionKeysFile, encryptionActive }
  const needed = SETTINGS.filter(({ path }) => Object.hasOwn(part, path))
  const faults = needed.flatMap((setting) => faultOf(setting, given))
  if (faults.length > 0) refuse(faults)
  const settings = readOptions(part, unflatten(given))
  faults.push(...givenTwice(given, ['encryptionKeys']))
  if (faults.length > 0) refuse(faults)
  return { region: settings.region, data: settings.data, keys: readKeyRing(settings) }
}

const refuse = (faults: readonly string[]): never => {
  const text = faults.length === 1 ? faults[0]! : `\n${faults.map((fault) => `  ${fault}`).join('\n')}`
  throw new SojournError('INVALID_OPTION', text, { option: faults[0]!.split(' ')[0]! })
}

const merge = (...sources: readonly Source[]): Map<string, Given> => new Map(sources.flatMap((source) => [...source]))

const unflatten = (given: Source): GivenOf<typeof SERVER_OPTIONS> => {
  const root: Record<string, unknown> = {}
  for (const [path, { value }] of given) {
    const parts = path.split('.')
    const last = parts.pop()!
    let at = root
    for (const part of parts) {
      at[part] ??= {}
      at = at[part] as Record<string, unknown>
    }
    at[last] = value
  }
  return root as GivenOf<typeof SERVER_OPTIONS>
}

const pathFault = (path: string, file: string): string => {
  const setting = settingAt(path)
  if (setting?.secret)
    return `${path} (${file}) is a secret: give it as ${setting.env}, or in the file that ${path}File names`
  const parent = path.split('.').slice(0, -1).join('.')
  if (SETTINGS.some((each) => each.path.startsWith(`${path}.`)))
    return `${path} (${file}) is a group; below it there are ${namesAt(path).join(', ')}`
  const names = namesAt(parent)
  const near = nearestName(path.split('.').at(-1)!, names)
  const meant = near === undefined ? '' : ` did you mean ${parent === '' ? near : `${parent}.${near}`}?`
  return `${path} (${file}) is no setting;${meant} ${parent === '' ? 'there are' : `in ${parent} there are`} ${names.join(', ')}`
}

/** What is wrong with a setting: one sentence, or none. */
const faultOf = (setting: Setting, given: Source): string[] => {
  const { path, env, flag, option, allowed } = setting
  const from = given.get(path)
  if (from === undefined) {
    const ways = flag === undefined ? env : `${env} or ${flag}`
    return option.isRequired ? [`${path} is not set; give ${allowed}, in sojourn.yaml, ${ways}`] : []
  }
  const at = faultyPart(setting, from.value)
  if (at === undefined) return []
  const part = at === path ? from.value : partOf(from.value, at.slice(path.length + 1))
  return [`${at} (${from.from}) is ${setting.secret ? 'not good' : show(part)}; give ${allowed}`]
}

/** The path of what an option does not take: of the option, or of a part of its value. */
const faultyPart = ({ option, path }: Setting, value: unknown): string | undefined => {
  try {
    return option.takes(value, path, 'sojourn serve') ? undefined : path
  } catch (error) {
    if (!isSojournError(error)) throw error
    return error.option ?? path
  }
}

/** @param name as an error has it, which shows only the beginning of a long one */
const partOf = (value: unknown, name: string): unknown => {
  const parts: [string, unknown][] = Object.entries(Object(value))
  return (parts.find(([each]) => each === name) ?? parts.find(([each]) => each.startsWith(name)))?.[1]
}

const MAX_SHOWN_CHARS = 200

const show = (value: unknown): string => (JSON.stringify(value) ?? String(value)).slice(0, MAX_SHOWN_CHARS)

/** What a profile says of the session holds where it is not given beside it. */
const withProfile = (given: Source): Source => {
  const profile = given.get('session.profile')
  if (profile === undefined) return given
  const said = Object.entries(PROFILES[profile.value as keyof typeof PROFILES])
  return new Map([...said.map(([name, value]) => [`session.${name}`, { ...profile, value }] as const), ...given])
}

/** What was given beside a profile, and is longer than that allows. */
const profileFaults = ({ session }: Settings, where: (path: string) => string): string[] => {
  const { profile } = session
  if (profile === undefined) return []
  return (['idleTimeout', 'maxLifetime'] as const).flatMap((name) => {
    const allowed: Duration = PROFILES[profile][name]
    if (session[name] <= parseDuration(allowed, 'session.profile')) return []
    return `${where(`session.${name}`)} is ${session[name]} ms; give at most ${allowed}, which ${where('session.profile')} allows, or no profile`
  })
}

/** The default idle timeout gives way to a shorter lifetime that was asked for; one that was given contradicts it. */
const withinLifetime = (settings: Settings, given: Source): Settings => {
  const { idleTimeout, maxLifetime } = settings.session
  if (given.has('session.idleTimeout') || idleTimeout <= maxLifetime) return settings
  return { ...settings, session: { ...settings.session, idleTimeout: maxLifetime } }
}

/** What each setting allows and the others do not. */
const contradictions = (settings: Settings, given: Source): string[] => {
  const faults: string[] = []
  const { region, peers, links, clients, admin, identity, session } = settings
  const where = (path: string) => {
    const from = given.get(path)?.from
    return from === undefined ? path : `${path} (${from})`
  }
  if (Object.hasOwn(peers, region))
    faults.push(`${where('peers')} names ${show(region)}, which is this region; name the others only`)
  if (session.idleTimeout > session.maxLifetime)
    faults.push(
      `${where('session.idleTimeout')} is ${session.idleTimeout} ms; give at most session.maxLifetime, ${session.maxLifetime} ms, which ends every session, or a longer session.maxLifetime`,
    )
  faults.push(...profileFaults(settings, where))
  if (links.timeout <= links.heartbeat)
    faults.push(
      `${where('links.timeout')} is ${links.timeout} ms; give more than links.heartbeat, ${links.heartbeat} ms`,
    )
  for (const [name, { tls }] of Object.entries({ links, clients, admin, identity })) {
    const path = `${name}.tls`
    faults.push(...tlsFaults(tls, path, where))
  }
  faults.push(...portFaults({ links, clients, admin, identity }))
  const sizes = limitsFault(settings.limits)
  if (sizes) faults.push(`${where(sizes.option)} ${sizes.what}`)
  faults.push(...bindingFaults(links.tls, [region, ...Object.keys(peers)], where('links.tls.bindRegion')))
  faults.push(...givenTwice(given, ['secret', 'subjectKey', 'tokens', 'encryptionKeys']))
  faults.push(...identityFaults(identity, where))
  if (settings.secret === undefined && settings.secretFile === undefined) {
    if (Object.keys(peers).length > 0 || links.port !== undefined)
      faults.push(
        `secret is not set, but ${links.port === undefined ? 'peers' : 'links.port'} is. Give SOJOURN_SECRET or secretFile, the same in all regions`,
      )
  }
  return faults
}

/** Listeners that are to be at one place. */
const portFaults = (listeners: {
  readonly [name: string]: { readonly host: string; readonly port?: number | undefined }
}): string[] => {
  const all = Object.entries(listeners).filter(([, { port }]) => port !== undefined && port !== 0)
  return all.flatMap(([name, { host, port }], index) => {
    const [other] = all.slice(0, index).find(([, each]) => each.port === port && each.host === host) ?? []
    return other === undefined ? [] : [`${other}.port and ${name}.port are both ${port}; give each a port of its own`]
  })
}

/** What is given itself, and as a file. */
const givenTwice = (given: Source, paths: readonly string[]): string[] =>
  paths.flatMap((path) => {
    const [itself, file] = [given.get(path), given.get(`${path}File`)]
    return itself && file
      ? [`${path} (${itself.from}) and ${path}File (${file.from}) are both set; give one of them`]
      : []
  })

type KeySettings = Pick<Settings, 'encryptionKeys' | 'encryptionKeysFile' | 'encryptionActive'>

const readKeyRing = ({ encryptionKeys, encryptionKeysFile, encryptionActive }: KeySettings): KeyRing | undefined => {
  if (encryptionKeysFile !== undefined) {
    const text = readText(encryptionKeysFile, 'encryptionKeysFile')
    checkKeysFile(encryptionKeysFile)
    return parseKeys(text, encryptionActive, 'encryptionKeysFile')
  }
  if (encryptionKeys !== undefined) return parseKeys(encryptionKeys, encryptionActive)
  if (encryptionActive === undefined) return undefined
  // Whoever names a key means to encrypt: the store must not be in the clear because its keys were forgotten.
  throw new SojournError(
    'INVALID_OPTION',
    'encryptionActive is set, and there are no keys. Give SOJOURN_ENCRYPTION_KEYS or encryptionKeysFile',
    { option: 'encryptionActive' },
  )
}

/** Whoever is neither the owner nor of the group of a file may do nothing with it. */
const OTHERS = 0o007

/** @throws INVALID_OPTION where more than its owner and group may read or write a file of keys */
const checkKeysFile = (path: string): void => {
  // Windows has no such modes.
  if (process.platform === 'win32') return
  const mode = statSync(path).mode & 0o777
  if ((mode & OTHERS) === 0) return
  throw new SojournError(
    'INVALID_OPTION',
    `encryptionKeysFile is ${JSON.stringify(path)}, whose mode is ${mode.toString(8)}, so every user can open it. Run chmod 600`,
    { option: 'encryptionKeysFile' },
  )
}

/** Secrets that are given by the environment, or in a file that a setting names. */
type SecretName = 'secret' | 'subjectKey'

const readSecret = (settings: Settings, name: SecretName): string | undefined => {
  const option = `${name}File` as const
  const file = settings[option]
  if (file === undefined) return settings[name]
  const secret = readText(file, option).trim()
  if (secret.length < MIN_SECRET_CHARS)
    throw new SojournError(
      'INVALID_OPTION',
      `${option} is ${show(file)}, which holds ${secret.length} characters; it must hold at least ${MIN_SECRET_CHARS}`,
      { option },
    )
  return secret
}

const needTokens = ({ clients, identity }: Settings, tokens: number): void => {
  if (tokens > 0) return
  if (clients.port !== undefined && !clients.dangerouslyAllowAnyone)
    throw new SojournError(
      'INVALID_OPTION',
      'tokens is not set, but clients.port is. Give SOJOURN_TOKENS or tokensFile, or let anyone in with clients.dangerouslyAllowAnyone',
      { option: 'tokens' },
    )
  if (identity.port !== undefined)
    throw new SojournError(
      'INVALID_OPTION',
      'tokens is not set, but identity.port is. Give SOJOURN_TOKENS or tokensFile: whoever asks of tokens needs one',
      { option: 'tokens' },
    )
}
