/** What logout tokens are verified by: each option once, with its rule, default and text. */
import {
  choiceRule,
  DURATION_OR_ZERO_RULE,
  DURATION_RULE,
  group,
  limit,
  listRule,
  option,
  optional,
  required,
  typedOption,
} from '@sojourn/core/internal'
import type { LogoutKeys } from './issuer-keys.js'
import { CLOCK } from './options.js'
import { FITS, type TokenAlgorithm } from './token-keys.js'
import { AUDIENCE, TEXT } from './token-options.js'

const ALGORITHMS = Object.keys(FITS) as TokenAlgorithm[]

const LOGOUT_KEYS = typedOption<LogoutKeys>('LogoutKeys', {
  allowed: 'a JSON Web Key Set, or a function that returns one',
  takes: (value) => typeof value === 'function' || (typeof value === 'object' && value !== null && 'keys' in value),
})

/** Options that a server has as settings, too. */
export const LOGOUT_RULES = {
  algorithms: optional(
    listRule(typedOption<TokenAlgorithm>('TokenAlgorithm', choiceRule(ALGORITHMS)), {
      allowed: `a list of ${ALGORITHMS.map((name) => `'${name}'`).join(', ')}`,
      allowedText: `some of ${ALGORITHMS.join(', ')}, separated by commas`,
      min: 1,
    }),
    'Algorithms that the issuer may sign logout tokens with',
    'all of these',
  ),
  maxAge: option(DURATION_RULE, '5m', 'How old a logout token may be, whatever its `exp` says'),
}

export const LOGOUT_OPTIONS = {
  issuer: required(TEXT, 'Who issues the tokens: their `iss`, as it stands'),
  audience: required(AUDIENCE, 'Whom the tokens are for: the client id that the issuer has for the app'),
  keys: required(LOGOUT_KEYS, 'The public keys of the issuer, or what gets them'),
  ...LOGOUT_RULES,
  clockTolerance: option(DURATION_OR_ZERO_RULE, '5s', 'How far the clocks of both sides may differ'),
  clock: CLOCK,
  limits: group({
    maxTokenBytes: limit(8_192, 'Bytes of a token that is read. A longer one is refused'),
    maxRememberedIds: limit(
      20_000,
      'Tokens that are remembered, so that none counts twice. Beyond that, the oldest one is forgotten',
    ),
  }),
}
