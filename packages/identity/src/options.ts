/** What cookies and checks of CSRF can be given: each option once, with its rule, default and text. */
import {
  type Clock,
  choiceRule,
  FLAG_RULE,
  group,
  limit,
  listRule,
  type OptionRule,
  option,
  optional,
  portRule,
  type Random,
  required,
  secretOption,
  textRule,
  typedOption,
  wholeRule,
} from '@sojourn/core/internal'
import { MAX_KEYS, MIN_KEY_LENGTH, type SecretKey } from './hmac.js'

/** RFC 6265: a cookie's name is a token. */
const NAME = /^__(?:Host|Secure)-[\w!#$%&'*+.^`|~-]{1,64}$/
const DOMAIN = /^(?=.{1,253}$)(?:[a-z\d](?:[a-z\d-]*[a-z\d])?\.)+[a-z](?:[a-z\d-]*[a-z\d])?$/i
const PATH = /^\/[\x21-\x3a\x3c-\x7e]{0,255}$/
/** What `get(id, { after })` takes. */
const AFTER = /^[\w.-]{1,128}$/

export const isAfter = (text: string): boolean => AFTER.test(text)

const SECRETS = secretOption(
  listRule(
    secretOption(
      typedOption<SecretKey>('SecretKey', {
        allowed: `a secret of ${MIN_KEY_LENGTH} or more random characters or bytes`,
        takes: (key) => (typeof key === 'string' || key instanceof Uint8Array) && key.length >= MIN_KEY_LENGTH,
      }),
    ),
    { allowed: `a list of 1 to ${MAX_KEYS} secrets, of which the first one signs`, min: 1 },
  ),
)

const KEYS: OptionRule<readonly SecretKey[], readonly SecretKey[]> = {
  ...SECRETS,
  takes: (value, name, owner) => Array.isArray(value) && value.length <= MAX_KEYS && SECRETS.takes(value, name, owner),
}

export const CLOCK = optional(
  typedOption<Clock>('Clock', { ...portRule('now'), allowed: 'a Clock of @sojourn/core' }),
  'What tells the time',
  "the system's",
)
export const RANDOM = optional(
  typedOption<Random>('Random', { ...portRule('bytes'), allowed: 'a Random of @sojourn/core' }),
  'What gives unpredictable bytes',
  "the system's",
)
const SAME_SITE = choiceRule(['lax', 'strict', 'none'])
const WITHOUT_ORIGIN = choiceRule(['refuse', 'allow'])

/** An option that is there to say what it must be. */
const always = (why: string): OptionRule<true, true> =>
  typedOption<true>('true', { allowed: `true, or leave it out: ${why}`, takes: (value) => value === true })

export const COOKIE_OPTIONS = {
  name: option(
    textRule('__Host- or __Secure-, and 1 to 64 letters, digits and other characters of a cookie name', (name) =>
      NAME.test(name),
    ),
    '__Host-sid',
    'The name of the cookie. A browser lets `__Host-` be set by this host only; `__Secure-` goes with a domain or a path',
  ),
  domain: optional(
    textRule('a domain such as shop.example, without a dot before it', (domain) => DOMAIN.test(domain)),
    'Hosts below this domain get the cookie, too. It needs a name that begins with `__Secure-`',
    'this host alone',
  ),
  path: option(
    textRule('a path such as /, without spaces and semicolons', (path) => PATH.test(path)),
    '/',
    'Where the cookie is sent. Another path than / needs a name that begins with `__Secure-`',
  ),
  sameSite: option(
    SAME_SITE,
    'lax',
    'Which requests from other sites carry it: links only, none, or all. With `none`, check each write for CSRF',
  ),
  httpOnly: option(
    always('scripts must never read a session cookie'),
    true,
    'Scripts in the page cannot read the cookie',
  ),
  secure: option(
    always('only HTTPS may carry a session cookie. For http://localhost, set insecureLocalhost'),
    true,
    'Browsers send the cookie over HTTPS only',
  ),
  insecureLocalhost: optional(
    FLAG_RULE,
    'For development on http://localhost: a name without prefix, no `Secure`, and a warning',
    'true where `url` is http://localhost',
  ),
  url: optional(
    textRule('a whole URL, such as https://shop.example', (url) => URL.canParse(url)),
    'The URL under which browsers see the app',
    'an HTTPS address',
  ),
  keys: optional(KEYS, 'Secrets that sign the cookie: the first one signs, and each of them verifies', 'no signature'),
  clock: CLOCK,
  limits: group({
    maxHeaderBytes: limit(16_384, 'Bytes of a Cookie header that is read. A longer one holds no session'),
    maxSameName: limit(4, 'Cookies of this name in one header. A header with more of them holds no session'),
  }),
}

export const SERIALIZE_OPTIONS = {
  after: optional(
    textRule('1 to 128 letters, digits, and . _ -', isAfter),
    "The session's last write, as a token. `read` returns it with the next request",
    'none',
  ),
  now: optional(wholeRule(0), 'The time in milliseconds since the epoch', "the clock's"),
}

const CSRF_KEYS = { keys: required(KEYS, 'Secrets that sign tokens: the first one signs, and each of them verifies') }

export const CSRF_TOKEN_OPTIONS = { ...CSRF_KEYS, random: RANDOM }

export const CHECK_CSRF_OPTIONS = CSRF_KEYS

/** As an Origin header has it. */
const isOrigin = (origin: unknown): boolean =>
  typeof origin === 'string' &&
  /^https?:/.test(origin) &&
  URL.canParse(origin) &&
  new URL(origin).origin === origin.toLowerCase()

export const ORIGIN_OPTIONS = {
  origins: required(
    listRule(
      typedOption<string>('string', {
        allowed: 'an origin as browsers send it, such as https://shop.example, without a path',
        takes: isOrigin,
      }),
      { allowed: "a list of origins, such as ['https://shop.example']", min: 1 },
    ),
    'Origins whose pages may write: those of the app itself, and others that it trusts',
  ),
  withoutOrigin: option(
    WITHOUT_ORIGIN,
    'refuse',
    'What to do with a write that names neither its site nor its origin. Browsers name them; other programs need not',
  ),
}
