/** What `sojourn serve` can be set to: each setting once. The order is that of the reference. */
import {
  choiceRule,
  DURATION_RULE,
  FLAG_RULE,
  group,
  isAddress,
  listRule,
  type OptionRule,
  option,
  optional,
  type SettingsOf,
  secretOption,
  textRule,
  wholeRule,
} from '@sojourn/core/internal'
import { LOGOUT_RULES } from '@sojourn/identity'
import {
  addressesRule,
  FILE_RULE,
  LINK_OPTIONS,
  LINK_TLS_OPTIONS,
  REPLICA_OPTIONS,
  SESSION_OPTIONS,
  tlsOptions,
} from '@sojourn/replica/options'
import { isKeyId, KEY_IDS } from '@sojourn/store/keys'
import { CLIENT_DIALECT } from '@sojourn/wire'
import { isLoopback, namesThisMachine } from '../admin/hosts.js'
import { CLIENT_LIMITS } from '../clients/limits.js'
import { HTTP_LIMITS } from '../http-limits.js'
import { IDENTITY_LIMITS } from '../identity/limits.js'
import { isKeyList, KEY_LIST } from '../key-list.js'
import { isTokenList, MIN_TOKEN_CHARS } from '../tokens.js'

const HOST = textRule('a host name or an IP address of this machine; 0.0.0.0 or :: for all of them')
const PORT = { ...wholeRule(0, 65_535), allowed: 'a port, a whole number from 0 to 65535; 0 picks a free one' }
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const

const textsRule = (allowed: string, isAllowed: (text: string) => boolean) =>
  listRule(textRule(allowed, isAllowed), { allowed })

const ORIGINS = textsRule(
  'origins, such as https://app.example.net, separated by commas',
  (text) => URL.canParse(text) && new URL(text).origin === text,
)
const HOST_NAMES = textsRule('host names without a port, such as sojourn.test, separated by commas', (text) =>
  namesThisMachine(text, [text]),
)
const ADMIN_PEERS = addressesRule<{ readonly [region: string]: string }>(
  { allowed: 'an address', type: 'string', takes: (value) => isAddress(value, /^https?:$/) },
  {
    allowed: 'region names with http:// or https:// addresses, such as us=https://sessions.us.example.net:7402',
    type: '{ readonly [region: string]: string }',
  },
)
const TOKENS: OptionRule<string, string> = secretOption(
  textRule(
    `name:scope:token, where scope is read, write or admin, and token has at least ${MIN_TOKEN_CHARS} characters or is sha256: and a hash`,
    isTokenList,
  ),
)

const MAX_TEXT_CHARS = 512
const isShort = (text: string): boolean => text !== '' && text.length <= MAX_TEXT_CHARS
const ISSUER = textRule(`the iss of the tokens, as it stands, such as https://login.example.net`, isShort)
const AUDIENCES = textsRule('names as the aud of the tokens has them, separated by commas', isShort)
const KEYS_URL = textRule('an https:// address, or an http:// address of this machine, without a password', (text) => {
  if (!URL.canParse(text)) return false
  const { protocol, hostname, username, password } = new URL(text)
  const isSafe = protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname.replace(/^\[(.*)\]$/, '$1')))
  return isSafe && username === '' && password === ''
})

const originsOf = (who: string) =>
  option(
    ORIGINS,
    [],
    `Origins of web pages that may connect as ${who}. Connections without an origin come from other programs, and are not affected`,
  )

const flag = (about: string) => option(FLAG_RULE, false, about)

export const SERVER_OPTIONS = {
  region: REPLICA_OPTIONS.region,
  data: option(
    textRule('the path of a directory that this process can write, or :memory:'),
    './sojourn-data',
    'The directory of this replica alone, created if it is missing. `:memory:` keeps nothing',
  ),
  peers: {
    ...REPLICA_OPTIONS.peers,
    about: `${REPLICA_OPTIONS.peers.about}. \`sojourn region add\` and \`remove\` change it at run time`,
  },
  secret: REPLICA_OPTIONS.secret,
  secretFile: optional(FILE_RULE, 'A file with the secret, instead of SOJOURN_SECRET'),
  subjectKey: REPLICA_OPTIONS.subjectKey,
  subjectKeyFile: optional(FILE_RULE, 'A file with the key of subjects, instead of SOJOURN_SUBJECT_KEY'),
  tokens: optional(
    TOKENS,
    'Who may use the client and the admin listener: `name:scope:token`, separated by spaces, commas or lines',
  ),
  tokensFile: optional(
    FILE_RULE,
    'A file with the tokens, instead of SOJOURN_TOKENS. Each line has one, and `#` begins a comment',
  ),
  encryptionKeys: optional(
    secretOption(textRule(KEY_LIST, isKeyList)),
    'Encryption at rest: the key ring that seals the store and its backups, separated by spaces, commas or lines',
    'none: the store is in the clear',
  ),
  encryptionKeysFile: optional(
    FILE_RULE,
    'A file with the key ring, instead of SOJOURN_ENCRYPTION_KEYS. Each line has one key, and `#` begins a comment. Only its owner and group may open it',
  ),
  encryptionActive: optional(
    textRule(KEY_IDS, isKeyId),
    'The id of the key under which everything is sealed from now on',
    'the last key of the ring',
  ),
  session: group({
    profile: optional(
      choiceRule(['aal1', 'aal2', 'aal3'] as const),
      'The longest timeouts that NIST SP 800-63B-4 allows at this assurance level, as `session.idleTimeout` and `session.maxLifetime`. Shorter ones may stand beside it',
      'none',
    ),
    ...SESSION_OPTIONS,
  }),
  reuse: REPLICA_OPTIONS.reuse,
  consistency: REPLICA_OPTIONS.consistency,
  fsync: REPLICA_OPTIONS.fsync,
  maxClockSkew: REPLICA_OPTIONS.maxClockSkew,
  purgeGrace: REPLICA_OPTIONS.purgeGrace,
  links: group({
    host: option(HOST, '127.0.0.1', 'Where peers link to'),
    port: optional(PORT, 'The port where peers link to', 'nowhere'),
    tls: group(LINK_TLS_OPTIONS),
    allowedOrigins: originsOf('peers'),
    ...LINK_OPTIONS,
  }),
  clients: group({
    host: option(HOST, '127.0.0.1', 'Where clients connect to'),
    port: optional(PORT, 'The port where clients connect to', 'nowhere'),
    tls: group(tlsOptions('the client listener')),
    allowedOrigins: originsOf('clients'),
    dangerouslyAllowAnyone: flag('Without a token, any client may read and write every session whose id it knows'),
    maxVersion: option(
      wholeRule(CLIENT_DIALECT.oldest, CLIENT_DIALECT.newest),
      CLIENT_DIALECT.newest,
      'The latest version of the client protocol to speak. Two sides speak the latest that both know. Set an older one until all regions are upgraded',
    ),
    limits: group(CLIENT_LIMITS),
  }),
  admin: group({
    host: option(HOST, '127.0.0.1', 'Where probes, metrics and the command line reach this replica'),
    port: option(PORT, 7402, 'The port of the admin listener'),
    tls: group(tlsOptions('the admin listener')),
    dangerouslyAllowAnyone: flag(
      'Without a token, any client may use the whole admin API, which includes a copy of every session',
    ),
    allowedHosts: option(
      HOST_NAMES,
      [],
      'On loopback, further `Host` names that need no token, besides localhost, 127.0.0.1 and [::1]',
    ),
    limits: group(HTTP_LIMITS),
    peers: option(
      ADMIN_PEERS,
      {},
      'The admin listeners of the other regions, which `sojourn status` and `verify` also ask',
    ),
  }),
  identity: group({
    host: option(HOST, '127.0.0.1', 'Where services ask whether a token is active'),
    port: optional(PORT, 'The port where services ask of tokens', 'nowhere'),
    tls: group(tlsOptions('the identity listener')),
    issuer: optional(ISSUER, 'Who issues the JWTs of your sessions', 'no JWT is known here'),
    audience: option(AUDIENCES, [], 'Whom these JWTs are for. Of several, one is enough'),
    keysFile: optional(
      FILE_RULE,
      'A file with the JWKS that verifies these JWTs. A file with private keys must have the mode 600',
    ),
    logout: group({
      issuer: optional(ISSUER, 'The OpenID provider whose logout tokens end sessions', 'no logout token is taken'),
      audience: option(AUDIENCES, [], 'Whom the logout tokens are for: your client id at the provider'),
      keysFile: optional(FILE_RULE, 'A file with the JWKS of the provider'),
      keysUrl: optional(KEYS_URL, 'Where the provider publishes its JWKS, instead of a file'),
      ...LOGOUT_RULES,
    }),
    limits: group(IDENTITY_LIMITS),
  }),
  reloadInterval: option(
    DURATION_RULE,
    '1m',
    'How often the server checks its files of certificates, tokens and keys. SIGHUP checks them at once',
  ),
  readyPeerWait: option(
    DURATION_RULE,
    '5s',
    'How long a starting replica waits for its peers before it is ready. It then counts unlinked peers as down',
  ),
  restoredDangerouslyServeAtOnce: flag(
    'Serve from a restored backup before every peer has reported later changes. Until then, ended sessions may show again',
  ),
  shutdownTimeout: option(
    DURATION_RULE,
    '20s',
    'How long a stop may take. After that, the server cuts requests in flight',
  ),
  log: group({
    level: option(choiceRule(LOG_LEVELS), 'info', 'The lowest level that is logged, as JSON lines on standard output'),
  }),
  limits: REPLICA_OPTIONS.limits,
}

/** Settings, checked and complete; durations in milliseconds. */
export type Settings = SettingsOf<typeof SERVER_OPTIONS>
