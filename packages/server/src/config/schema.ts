import { DEFAULT_LIMITS, type Limits, pointerFault } from '@sojourn/core/internal'
import { CLIENT_DIALECT, isRegionName, LINK_DIALECT, REGION_NAMES } from '@sojourn/wire'
import { z } from 'zod'
import { namesThisMachine } from '../admin/hosts.js'
import { type AdminLimits, DEFAULT_ADMIN_LIMITS } from '../admin/limits.js'
import { type ClientLimits, DEFAULT_CLIENT_LIMITS } from '../clients/limits.js'
import { isTokenList, MIN_TOKEN_CHARS } from '../tokens.js'
import { ADMIN_LIMIT_NOTES, CLIENT_LIMIT_NOTES, LIMIT_NOTES } from './limit-notes.js'
import {
  addresses,
  choice,
  count,
  duration,
  durationOrNone,
  flag,
  level,
  list,
  port,
  portOr,
  requiredText,
  secretText,
  text,
  textOr,
  versionOf,
} from './setting.js'

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
export const MIN_SECRET_CHARS = 16

const FILE = 'the path of a file that this process can read'
const HOST = 'a host name or an IP address of this machine; 0.0.0.0 or :: for all of them'

const isOrigin = (text: string): boolean => URL.canParse(text) && new URL(text).origin === text
const isHostName = (text: string): boolean => namesThisMachine(text, [text])

const origins = (who: string) =>
  list(isOrigin, {
    about: `Web pages that may connect as ${who}; default: none. Browsers say which page it is, and who says none is no browser`,
    allowed: 'origins, such as https://app.example.net, separated by commas',
  })

const OLDER =
  'Two sides speak the latest that both know; an older one holds back what an upgrade brings until all are upgraded'

const group = <S extends z.ZodRawShape>(shape: S) => z.strictObject(shape).prefault({} as never)

const tls = (who: string) =>
  group({
    certFile: text({ about: `PEM certificate chain of ${who}; with it, the listener speaks TLS only`, allowed: FILE }),
    keyFile: text({ about: 'PEM private key of the certificate', allowed: FILE }),
    caFile: text({
      about: `PEM certificates of the authorities that sign those of the other side; default: those that Node.js trusts`,
      allowed: FILE,
    }),
    requireClientCertificate: flag('Mutual TLS: who connects must show a certificate that caFile signed'),
  })

const limitsOf = <L extends { [name in keyof L]: number }>(
  defaults: L,
  about: { readonly [name in keyof L]: string },
): z.ZodPrefault<z.ZodObject<{ [name in keyof L]: ReturnType<typeof count> }, z.core.$strict>> =>
  group(
    Object.fromEntries(
      Object.keys(defaults).map((name) => [name, count(defaults[name as keyof L], about[name as keyof L])]),
    ),
  ) as never

/** Everything that can be set, wherever it is set. The order is that of the reference. */
export const schema = z.strictObject({
  region: requiredText({ about: 'The name of this region', allowed: REGION_NAMES }, isRegionName),
  data: textOr('./sojourn-data', {
    about: 'The directory of this replica, for it alone; made where it is missing. `:memory:` keeps nothing',
    allowed: 'the path of a directory that this process can write, or :memory:',
  }),
  peers: addresses(/^wss?:$/, z.null(), isRegionName, {
    about:
      'Every other region, with the address of its peer listener; `null`: a member that dials this one. `sojourn region add` and `remove` change it at run time',
    allowed: 'region names with ws:// or wss:// addresses, such as us=wss://sessions.us.example.net:7400, or us=null',
  }),
  secret: secretText(
    {
      about: 'What peers prove to each other that they know; the same in all regions',
      allowed: `at least ${MIN_SECRET_CHARS} characters`,
    },
    (value) => value.length >= MIN_SECRET_CHARS,
  ),
  secretFile: text({ about: 'A file with the secret, instead of SOJOURN_SECRET', allowed: FILE }),
  tokens: secretText(
    {
      about: 'Who may use the client and the admin listener: `name:scope:token`, separated by spaces, commas or lines',
      allowed: `name:scope:token, where scope is read, write or admin, and token has at least ${MIN_TOKEN_CHARS} characters, or is sha256: and the hash of one`,
    },
    isTokenList,
  ),
  tokensFile: text({
    about: 'A file with the tokens, instead of SOJOURN_TOKENS; one a line, `#` begins a comment',
    allowed: FILE,
  }),
  session: group({
    idleTimeout: duration(
      '30m',
      'Without use, a session is gone after this, and at most `session.touchGranularity` later; at most maxLifetime',
    ),
    maxLifetime: duration('30d', 'Whatever happens, a session is gone after this; the same in all regions'),
    touchGranularity: durationOrNone(
      'A use that would move the deadline by less is not written, and each renewal that is written reaches so much further: a session may live that much longer than its idle timeout. 0: exact, and every use is written. Default: a twentieth of the idle timeout',
    ),
    atomic: list((pointer) => pointerFault(pointer) === undefined, {
      about:
        'Objects that are one value: of concurrent edits anywhere inside of one, one wins; the same in all regions',
      allowed: 'JSON pointers, such as /user, separated by commas',
    }),
  }),
  consistency: group({
    read: level('How many regions a read asks, unless it says'),
    write: level('How many regions must hold a write, unless it says'),
    timeout: duration('1s', 'How long a call waits for other regions, unless it says'),
  }),
  fsync: choice(['always', 'everysec', 'never'], 'everysec', 'When a commit is told to the disk'),
  maxClockSkew: duration('5s', 'A peer whose clock is off by more is refused'),
  purgeGrace: duration('1m', 'How long a record stays on the disk after its deadline'),
  links: group({
    host: textOr('127.0.0.1', { about: 'Where peers link to', allowed: HOST }),
    port: port('Where peers link to; default: nowhere'),
    tls: tls('this replica, shown to whoever dials it and to whom it dials'),
    allowedOrigins: origins('peers'),
    heartbeat: duration('1s', 'How often a link says that it is there'),
    timeout: duration('5s', 'Silence after which a link is given up; longer than the heartbeat'),
    maxReconnectDelay: duration('5s', 'The longest pause between attempts to dial'),
    digestInterval: duration('1s', 'How often sums over ranges of keys are compared with a peer whose records differ'),
    maxVersion: versionOf(LINK_DIALECT, `The latest version of the link protocol to speak. ${OLDER}`),
  }),
  clients: group({
    host: textOr('127.0.0.1', { about: 'Where clients connect to', allowed: HOST }),
    port: port('Where clients connect to; default: nowhere'),
    tls: tls('the client listener'),
    allowedOrigins: origins('clients'),
    dangerouslyAllowAnyone: flag(
      'Whoever reaches the client listener may read and write every session whose id it knows, without a token',
    ),
    maxVersion: versionOf(CLIENT_DIALECT, `The latest version of the client protocol to speak. ${OLDER}`),
    limits: limitsOf<ClientLimits>(DEFAULT_CLIENT_LIMITS, CLIENT_LIMIT_NOTES),
  }),
  admin: group({
    host: textOr('127.0.0.1', {
      about: 'Where probes, metrics and the command line reach this replica',
      allowed: HOST,
    }),
    port: portOr(7402, 'The same'),
    tls: tls('the admin listener'),
    dangerouslyAllowAnyone: flag(
      'Whoever reaches the admin listener may do all that it offers, take a copy of every session included, without a token',
    ),
    allowedHosts: list(isHostName, {
      about:
        'On loopback, names beside localhost, 127.0.0.1 and [::1] under which it answers without a token: the `Host` of a request',
      allowed: 'host names without a port, such as sojourn.test, separated by commas',
    }),
    limits: limitsOf<AdminLimits>(DEFAULT_ADMIN_LIMITS, ADMIN_LIMIT_NOTES),
    peers: addresses(/^https?:$/, undefined as z.ZodType<never> | undefined, isRegionName, {
      about: 'The admin listeners of the other regions, where `sojourn status` and `verify` go on to',
      allowed: 'region names with http:// or https:// addresses, such as us=https://sessions.us.example.net:7402',
    }),
  }),
  reloadInterval: duration(
    '1m',
    'How often the files of certificates and tokens are looked at; SIGHUP does it at once',
  ),
  readyPeerWait: duration(
    '5s',
    'How long after its start a replica waits for its peers before it is ready; one that is not linked by then is taken for down',
  ),
  restoredDangerouslyServeAtOnce: flag(
    'Serve from a restored backup before every peer has told what happened since: sessions that ended show again until then',
  ),
  shutdownTimeout: duration('20s', 'How long a stop may take: after that, what is in flight is cut'),
  log: group({ level: choice(LOG_LEVELS, 'info', 'What is logged, to standard output, as JSON lines') }),
  limits: limitsOf<Limits>(DEFAULT_LIMITS, LIMIT_NOTES),
})

/** Settings, checked and complete; durations in milliseconds. */
export type Settings = z.output<typeof schema>
export type TlsSettings = Settings['links']['tls']
