/** What JWTs can be given: each option once, with its rule, default and text. */
import {
  DURATION_OR_ZERO_RULE,
  DURATION_RULE,
  group,
  limit,
  type OptionRule,
  option,
  optional,
  portRule,
  required,
  secretOption,
  textRule,
  typedOption,
  wholeRule,
} from '@sojourn/core/internal'
import { CLOCK, RANDOM } from './options.js'
import type { TokenSessions } from './sessions.js'
import { type TokenKeys, TokenRing } from './token-keys.js'

const MAX_TEXT_CHARS = 512
export const TEXT = textRule(
  `a string of 1 to ${MAX_TEXT_CHARS} characters`,
  (text) => text !== '' && text.length <= MAX_TEXT_CHARS,
)
const isText = (value: unknown): boolean => TEXT.takes(value, '', '')

export type Audience = string | readonly string[]

export const AUDIENCE = typedOption<Audience>('Audience', {
  allowed: 'the name of a service, or a list of them',
  takes: (value) => isText(value) || (Array.isArray(value) && value.length > 0 && value.every(isText)),
})

const SESSIONS = typedOption<TokenSessions>('TokenSessions', {
  ...portRule('get', 'rotate', 'isLive'),
  allowed: 'an open replica, or a client',
})

const TOKEN_KEYS: OptionRule<TokenKeys, TokenRing> = {
  ...secretOption(
    typedOption<TokenKeys>('TokenKeys', {
      allowed: "{ active: kid, keys: [{ kid, alg: 'EdDSA', privateKey }] }",
      takes: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    }),
  ),
  read: (given) => new TokenRing(given),
}

export const TOKENS_OPTIONS = {
  sessions: required(SESSIONS, 'An open replica, or another implementation of the session API'),
  issuer: required(TEXT, 'Who issues the tokens, as a URL: their `iss`'),
  audience: required(AUDIENCE, 'For whom the tokens are: their `aud`, and what `verify` asks for'),
  keys: required(TOKEN_KEYS, 'What signs and verifies. The active key signs; retired keys go on verifying'),
  clientId: optional(TEXT, 'The `client_id` of the tokens, which RFC 9068 requires', 'the issuer'),
  ttl: option(DURATION_RULE, '5m', 'How long a token lives, if its session lives that long'),
  clockTolerance: option(
    DURATION_OR_ZERO_RULE,
    '5s',
    'How far the clock of the issuer may be ahead. A token never outlives its `exp` by it',
  ),
  clock: CLOCK,
  random: RANDOM,
  limits: group({
    maxTokenBytes: limit(4_096, 'Bytes of a token that is read. A longer one is refused'),
    maxRememberedTokens: option(wholeRule(2), 20_000, 'Tokens in memory whose signature is known to be good'),
  }),
}

export const ISSUE_OPTIONS = {
  audience: optional(AUDIENCE, 'For whom this token is', 'that of the issuer'),
  ttl: optional(DURATION_RULE, 'How long this token lives, if its session lives that long', 'that of the issuer'),
}

export const VERIFY_OPTIONS = {
  audience: optional(AUDIENCE, 'For whom the token must be. Of several, one is enough', 'that of the issuer'),
}

export const REFRESH_OPTIONS = {
  ...ISSUE_OPTIONS,
  grace: option(
    DURATION_OR_ZERO_RULE,
    '10s',
    'How long the old secret works on, for requests under way and answers that were lost',
  ),
}
