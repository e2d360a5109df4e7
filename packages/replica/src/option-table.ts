/** What a replica is opened with: each option once. A server's settings are made of them, too, without loading a replica. */
import {
  type Clock,
  checkOption,
  choiceRule,
  DURATION_OR_ZERO_RULE,
  DURATION_RULE,
  group,
  isAddress,
  LEVEL_RULE,
  LIMITS,
  type OptionRule,
  option,
  optional,
  optionalGroup,
  pointersRule,
  portRule,
  type Random,
  refuseOption,
  required,
  type StorageEngine,
  secretOption,
  type Transport,
  textRule,
  typedOption,
  wholeRule,
} from '@sojourn/core/internal'
import type { Encryption, Fsync } from '@sojourn/store'
import { encryptionFault } from '@sojourn/store/keys'
import { isRegionName, LINK_DIALECT, REGION_NAMES } from '@sojourn/wire'
import { LINK_TLS_OPTIONS } from './tls-options.js'

export { bindingFaults, FILE_RULE, LINK_TLS_OPTIONS, tlsFaults, tlsOptions } from './tls-options.js'

/** What both sides of a link know. */
export const MIN_SECRET_CHARS = 16
const MAX_SHOWN_NAME_CHARS = 64

/** The name of a region and, if not `null`, an address. */
export interface Addresses {
  readonly [region: string]: string | null
}

const REGION = textRule(REGION_NAMES, isRegionName)

/** Addresses of regions, by name. `null` is taken where the rule of an address takes it. */
export const addressesRule = <A extends Addresses>(
  address: OptionRule,
  words: Pick<OptionRule, 'allowed' | 'allowedText' | 'type'>,
): OptionRule<A, A> => ({
  ...words,
  kind: 'map',
  takes: (value, option, owner) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
    for (const [name, url] of Object.entries(value)) {
      checkOption(name, `${option}.${name.slice(0, MAX_SHOWN_NAME_CHARS)}`, REGION, owner)
      checkOption(url, `${option}.${name}`, address, owner)
    }
    return true
  },
})

export const PEERS_RULE = addressesRule<Addresses>(
  {
    allowed: "an address such as 'ws://127.0.0.1:7102', or null for a region that is not dialed from here",
    type: 'string | null',
    takes: (value) => value === null || isAddress(value, /^wss?:$/),
  },
  {
    allowed: "an object of region names and addresses, such as { us: 'wss://sessions.us.example.net:7400' }",
    allowedText:
      'region names with ws:// or wss:// addresses, such as us=wss://sessions.us.example.net:7400, or us=null',
    type: '{ readonly [region: string]: string | null }',
  },
)

export const SESSION_OPTIONS = {
  idleTimeout: option(
    DURATION_RULE,
    '30m',
    'An unused session expires after this, or at most `session.touchGranularity` later. At most `session.maxLifetime`, to which the default is lowered',
  ),
  maxLifetime: option(
    DURATION_RULE,
    '30d',
    'Every session expires after this, however often it is used. Regions remember ended sessions as long. Set the same in all regions',
  ),
  touchGranularity: optional(
    DURATION_OR_ZERO_RULE,
    'A use that moves the deadline by less is not written. Each written renewal adds this to the deadline, so no session expires early. Values above the idle timeout count as the idle timeout. With 0, deadlines are exact, and every use is written',
    "a twentieth of the session's idle timeout",
  ),
  atomic: option(
    pointersRule('/user'),
    [],
    'JSON pointers of objects that are one value, as arrays are. Of concurrent edits inside one, one wins. Set the same in all regions',
  ),
  maxPerSubject: optional(
    wholeRule(1),
    'How many sessions a subject may have. After regions were apart, each ends the same ones that are too many. Set the same in all regions',
    'any number',
  ),
  atLimit: option(
    choiceRule(['endOldest', 'refuse'] as const),
    'endOldest',
    'What a login does to a subject with `session.maxPerSubject` sessions: it ends the one with the oldest login, or is refused',
  ),
}

export const LINK_OPTIONS = {
  heartbeat: option(DURATION_RULE, '1s', 'How often a link sends a heartbeat'),
  timeout: option(
    DURATION_RULE,
    '5s',
    'How long a peer may be silent before the link is closed. Longer than the heartbeat',
  ),
  maxReconnectDelay: option(DURATION_RULE, '5s', 'The longest pause between attempts to dial'),
  digestInterval: option(DURATION_RULE, '1s', 'How often digests are compared with a peer whose records differ'),
  maxVersion: option(
    wholeRule(LINK_DIALECT.oldest, LINK_DIALECT.newest),
    LINK_DIALECT.newest,
    'The latest version of the link protocol to speak. Two sides speak the latest that both know. Set an older one until all regions are upgraded',
  ),
}

/** A key ring, or what keys are asked of. */
export const ENCRYPTION_RULE = secretOption(
  typedOption<Encryption>('Encryption', {
    allowed:
      'an object with `keys`, 32 bytes each by an id of A-Z, a-z, 0-9, ., _ and -, and `active`, the id of one; or with `active` and a function `key`',
    takes(value, option) {
      if (typeof value !== 'object' || value === null) return false
      const fault = encryptionFault(value)
      if (fault) refuseOption(`${option}.${fault.option}`, fault.what)
      return true
    },
  }),
)

export const REPLICA_OPTIONS = {
  region: required(REGION, 'The name of this region'),
  location: required(
    textRule("the path of a directory, or ':memory:'"),
    "A directory for this replica alone, created if it is missing. It has a journal and LevelDB rows. `':memory:'` keeps nothing",
  ),
  listen: optionalGroup(
    {
      host: option(
        textRule('a host name or an IP address of this machine'),
        '127.0.0.1',
        'The host where links are accepted',
      ),
      port: required(
        wholeRule(0, 65_535),
        'The port where links are accepted. 0 picks a free one, which `replica.address` reports',
      ),
    },
    'Where links from peers are accepted',
    'nowhere',
  ),
  peers: option(
    PEERS_RULE,
    {},
    'Every other region, by name, with the address of its replica (`ws://` or `wss://`). This replica does not dial a region with `null`. All regions count in majorities',
  ),
  secret: optional(
    secretOption(textRule(`at least ${MIN_SECRET_CHARS} characters`, (text) => text.length >= MIN_SECRET_CHARS)),
    'The secret that peers prove to each other. Set the same in all regions. Links need it',
    'none',
  ),
  subjectKey: optional(
    secretOption(textRule(`at least ${MIN_SECRET_CHARS} characters`, (text) => text.length >= MIN_SECRET_CHARS)),
    'The key under which subjects are hashed and sealed. Set the same in all regions. With another one, subjects of before are not found',
    'the `secret`',
  ),
  reuse: option(
    choiceRule(['refuse', 'end'] as const),
    'refuse',
    'What follows where a superseded id is shown after its grace: it is refused, or the session ends, too. Both emit `reused`',
  ),
  tls: optionalGroup(
    {
      ...LINK_TLS_OPTIONS,
      reloadInterval: option(
        DURATION_RULE,
        '1m',
        'How often the replica checks the files. New connections use what is in them then. A file that cannot be used is reported as a `fault`, and the old one stays in force',
      ),
    },
    'TLS of links, those that are accepted and those that are dialed (`wss://`)',
    'plain links',
  ),
  encryption: optional(
    ENCRYPTION_RULE,
    'Encryption at rest: the key ring that seals everything in the directory, or a provider of keys. A store is encrypted from its beginning, or never',
    'none: the store is in the clear',
  ),
  session: group(SESSION_OPTIONS),
  consistency: group({
    read: option(LEVEL_RULE, 'local', 'How many regions a read asks, by default'),
    write: option(LEVEL_RULE, 'local', 'How many regions must hold a write, by default'),
    timeout: option(DURATION_RULE, '1s', 'How long a call waits for other regions, by default'),
  }),
  fsync: option(
    typedOption<Fsync>('Fsync', choiceRule<Fsync>(['always', 'everysec', 'never'])),
    'everysec',
    'When commits are fsynced: `always` before they are acknowledged, `everysec` once a second, `never` by the operating system only',
  ),
  maxClockSkew: option(DURATION_RULE, '5s', 'The replica refuses a peer whose clock is off by more'),
  purgeGrace: option(DURATION_RULE, '1m', 'How long a record stays on the disk after its deadline, for late renewals'),
  links: group(LINK_OPTIONS),
  limits: group(LIMITS, 'Limits of the replica. Regions should agree on the first four', 'Limits'),
  ports: group(
    {
      clock: optional(
        typedOption<Clock>('Clock', portRule('now', 'monotonic', 'after', 'soon', 'endOfTurn')),
        'Time and timers',
        "the system's",
      ),
      random: optional(typedOption<Random>('Random', portRule('bytes')), 'Entropy', "the system's"),
      storage: optional(typedOption<StorageEngine>('StorageEngine', portRule('open')), 'The engine', '`levelEngine`'),
      transport: optional(
        typedOption<Transport>('Transport', portRule('dial', 'listen')),
        'The transport of links',
        'WebSockets',
      ),
    },
    'Where the world plugs in. See `ports.ts` of @sojourn/core',
    'Ports',
  ),
}
