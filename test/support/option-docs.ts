/** What is written from the declarations of options: interfaces with docstrings, and tables for people (ADR 17). */
import { CLIENT_OPTIONS } from '@sojourn/client'
import { CALL_OPTIONS, insideOf, LIMITS, type Option, type Options, wholeRule } from '@sojourn/core/internal'
import { STORE_OPTIONS } from '@sojourn/express'
import * as identity from '@sojourn/identity'
import { REPLICA_OPTIONS } from '@sojourn/replica/options'
import { settingsTable } from '@sojourn/server'

const MAX_COLUMNS = 120

/** A default as a caller would write it; undefined: there is none to be written. */
const fallbackOf = ({ fallback, otherwise }: Option): string | undefined => {
  if (fallback === undefined) return otherwise
  if (typeof fallback !== 'object') return fallback === '' ? 'none' : `\`${fallback}\``
  return Object.keys(fallback as object).length === 0 ? 'none' : JSON.stringify(fallback)
}

/** Whether its type does not say already what is allowed. */
const needsAllowed = ({ type = '', allowed, inside }: Option): boolean => {
  if (inside) return false
  if (type === 'number') return allowed !== wholeRule(1).allowed
  return !type.includes("'") && (/string|^\{/.test(type) || allowed.startsWith('one of '))
}

/** What it does, and what may be given. */
const textOf = (option: Option): string =>
  needsAllowed(option) ? `${option.about}. Give ${option.allowed}` : option.about

const docOf = (option: Option): string => {
  const fallback = option.inside && option.fallback ? undefined : fallbackOf(option)
  const text = option.about === '' ? '' : `${textOf(option)}.`
  return `${text}${fallback === undefined ? '' : ` Default: ${fallback}.`}`
}

/** A docstring, in as many lines as it takes. */
const docstring = (text: string, indent: string): string[] => {
  if (text === '') return []
  const whole = `${indent}/** ${text} */`
  if (whole.length <= MAX_COLUMNS) return [whole]
  const lines = [`${indent} *`]
  for (const word of text.split(' ')) {
    const line = `${lines.at(-1)} ${word}`
    if (line.length <= MAX_COLUMNS) lines[lines.length - 1] = line
    else lines.push(`${indent} * ${word}`)
  }
  return [`${indent}/**`, ...lines, `${indent} */`]
}

/** @param isComplete whether all are there, as of settings */
const membersOf = (options: Options, indent: string, isComplete = false): string[] =>
  Object.entries(options).flatMap(([name, option]) => {
    const inside = insideOf(option)
    const mark = isComplete || option.isRequired ? '' : '?'
    const orNone = mark === '' ? '' : ' | undefined'
    const doc = docstring(docOf(option), indent)
    const { type = 'unknown' } = option
    if (inside === undefined || type !== 'object')
      return [
        ...doc,
        `${indent}readonly ${name}${mark}: ${mark !== '' && type.includes('=>') ? `(${type})` : type}${orNone}`,
      ]
    if (option.named !== undefined)
      return [...doc, `${indent}readonly ${name}${mark}: Partial<${option.named}>${orNone}`]
    const end = mark === '' ? '}' : '} | undefined'
    return [...doc, `${indent}readonly ${name}${mark}: {`, ...membersOf(inside, `${indent}  `), `${indent}${end}`]
  })

const interfaceOf = (name: string, options: Options, isComplete = false): string =>
  [`export interface ${name} {`, ...membersOf(options, '  ', isComplete), '}'].join('\n')

interface Package {
  readonly path: string
  readonly about: string
  readonly imports: readonly string[]
  readonly tables: { readonly [type: string]: Options }
  /** Settings, rather than what is given. */
  readonly complete?: { readonly [type: string]: Options }
}

const PACKAGES: readonly Package[] = [
  {
    path: 'packages/core/src',
    about: 'The limits of a replica, and the options of the calls of the session API',
    imports: [
      "import type { Duration } from './duration.js'",
      "import type { EndReason } from './lifetime.js'",
      "import type { Level } from './quorum.js'",
    ],
    tables: CALL_OPTIONS,
    complete: { Limits: LIMITS },
  },
  {
    path: 'packages/replica/src',
    about: 'The options of a replica',
    imports: [
      "import type { Clock, Duration, Level, Limits, Random, StorageEngine, Transport } from '@sojourn/core/internal'",
      "import type { Encryption, Fsync } from '@sojourn/store'",
    ],
    tables: { ReplicaOptions: REPLICA_OPTIONS },
    complete: { Ports: insideOf(REPLICA_OPTIONS.ports)! },
  },
  {
    path: 'packages/client/src',
    about: 'The options of a client',
    imports: [
      "import type { Clock, Duration, Random } from '@sojourn/core/internal'",
      "import type { LinkChange } from './options.js'",
      "import type { Dial, TlsOptions } from './websocket.js'",
    ],
    tables: CLIENT_OPTIONS,
    complete: { ClientLimits: insideOf(CLIENT_OPTIONS.ClientOptions.limits)! },
  },
  {
    path: 'packages/express/src',
    about: 'The options of a `SojournStore`',
    imports: ["import type { Clock, Duration, SessionApi } from '@sojourn/core/internal'"],
    tables: { SojournStoreOptions: STORE_OPTIONS },
  },
  {
    path: 'packages/identity/src',
    about: 'The options of cookies, of checks of CSRF, of tokens, and of logout tokens',
    imports: [
      "import type { Clock, Duration, Random } from '@sojourn/core/internal'",
      "import type { SecretKey } from './hmac.js'",
      "import type { LogoutKeys } from './issuer-keys.js'",
      "import type { TokenSessions } from './sessions.js'",
      "import type { TokenAlgorithm, TokenKeys } from './token-keys.js'",
      "import type { Audience } from './token-options.js'",
    ],
    tables: {
      SessionCookieOptions: identity.COOKIE_OPTIONS,
      SerializeOptions: identity.SERIALIZE_OPTIONS,
      CsrfTokenOptions: identity.CSRF_TOKEN_OPTIONS,
      CheckCsrfOptions: identity.CHECK_CSRF_OPTIONS,
      CheckOriginOptions: identity.ORIGIN_OPTIONS,
      SessionTokensOptions: identity.TOKENS_OPTIONS,
      IssueOptions: identity.ISSUE_OPTIONS,
      VerifyOptions: identity.VERIFY_OPTIONS,
      RefreshOptions: identity.REFRESH_OPTIONS,
      LogoutTokensOptions: identity.LOGOUT_OPTIONS,
    },
  },
]

/** The text of each generated file, by its path. */
export const generatedTypes = (): ReadonlyMap<string, string> =>
  new Map(
    PACKAGES.map(({ path, about, imports, tables, complete = {} }) => [
      `${path}/options.generated.ts`,
      `${[
        [
          ...docstring(`${about}: \`npm run docs:options\` writes them from where they are declared (ADR 17).`, ''),
          ...imports,
        ].join('\n'),
        ...Object.entries(complete).map(([name, options]) => interfaceOf(name, options, true)),
        ...Object.entries(tables).map(([name, options]) => interfaceOf(name, options)),
      ].join('\n\n')}\n`,
    ]),
  )

const cell = (text: string): string => text.replaceAll('|', '\\|')

const rowsOf = (options: Options, prefix = ''): string[] =>
  Object.entries(options).flatMap(([name, option]) => {
    const inside = option.type === 'object' ? insideOf(option) : undefined
    const row = `| \`${prefix}${name}\` | ${cell(`\`${option.type}\``)} | ${fallbackOf(option) ?? '–'} | ${cell(textOf(option))} |`
    if (inside === undefined) return [row]
    return [...(option.fallback === undefined ? [row] : []), ...rowsOf(inside, `${prefix}${name}.`)]
  })

const tableOf = (options: Options): string =>
  ['| option | type | default | |', '|---|---|---|---|', ...rowsOf(options)].join('\n')

const { limits: _, ...WITHOUT_LIMITS } = REPLICA_OPTIONS
// Atomic subtrees are an option of every write.
const { DataOptions: __, ...CALLS } = CALL_OPTIONS

/** What may stand between `<!-- options: NAME -->` and `<!-- /options -->`, in any page. */
export const TABLES: { readonly [name: string]: () => string } = {
  replica: () => tableOf(WITHOUT_LIMITS),
  limits: () => tableOf(LIMITS),
  client: () => tableOf(CLIENT_OPTIONS.ClientOptions),
  'near cache': () => tableOf(CLIENT_OPTIONS.NearCacheOptions),
  store: () => tableOf(STORE_OPTIONS),
  cookie: () => tableOf(identity.COOKIE_OPTIONS),
  serialize: () => tableOf(identity.SERIALIZE_OPTIONS),
  csrf: () => tableOf(identity.CSRF_TOKEN_OPTIONS),
  origin: () => tableOf(identity.ORIGIN_OPTIONS),
  tokens: () => tableOf(identity.TOKENS_OPTIONS),
  refresh: () => tableOf(identity.REFRESH_OPTIONS),
  logout: () => tableOf(identity.LOGOUT_OPTIONS),
  server: settingsTable,
  ...Object.fromEntries(Object.entries(CALLS).map(([name, options]) => [name, () => tableOf(options)])),
}

const MARKS = /(<!-- options: ([\w ]+) -->\n)[\s\S]*?(<!-- \/options -->)/g

/** A page with its tables as they should be. */
export const withTables = (page: string): string =>
  page.replace(MARKS, (_, begin: string, name: string, end: string) => {
    const table = TABLES[name]
    if (table === undefined)
      throw new Error(`no options are called ${name}; there are ${Object.keys(TABLES).join(', ')}`)
    return `${begin}${table()}\n${end}`
  })
