/** Whether each option is declared once: its default and its name stand in a declaration, and nowhere else. */
import { CLIENT_OPTIONS } from '@sojourn/client'
import { CALL_OPTIONS, insideOf, type Option, type Options } from '@sojourn/core/internal'
import { STORE_OPTIONS } from '@sojourn/express'
import {
  COOKIE_OPTIONS,
  CSRF_TOKEN_OPTIONS,
  ISSUE_OPTIONS,
  LOGOUT_OPTIONS,
  ORIGIN_OPTIONS,
  REFRESH_OPTIONS,
  SERIALIZE_OPTIONS,
  TOKENS_OPTIONS,
} from '@sojourn/identity'
import { REPLICA_OPTIONS } from '@sojourn/replica/options'
import { SERVER_OPTIONS } from '@sojourn/server'
import { describe, expect, it } from 'vitest'
import { filesBelow, readSource } from '../support/sources.js'

/** Every declared option, by its path. */
const pathsOf = (options: Options, prefix = ''): [path: string, option: Option][] =>
  Object.entries(options).flatMap(([name, option]) => {
    const inside = insideOf(option)
    const path = `${prefix}${name}`
    return [[path, option] as [string, Option], ...(inside ? pathsOf(inside, `${path}.`) : [])]
  })

const declared = new Map(
  [
    REPLICA_OPTIONS,
    STORE_OPTIONS,
    COOKIE_OPTIONS,
    SERIALIZE_OPTIONS,
    CSRF_TOKEN_OPTIONS,
    ORIGIN_OPTIONS,
    TOKENS_OPTIONS,
    ISSUE_OPTIONS,
    LOGOUT_OPTIONS,
    REFRESH_OPTIONS,
    SERVER_OPTIONS,
    ...Object.values(CLIENT_OPTIONS),
    ...Object.values(CALL_OPTIONS),
  ].flatMap((options) => pathsOf(options)),
)
const names = new Set([...declared.keys()].map((path) => path.split('.').at(-1)!))

/** What a call takes beside its options, what names a group as a whole, and the file of settings. */
const OTHERS = [
  'by',
  'update',
  'id',
  'expiresAt',
  'handle',
  'keys.active',
  'keys.keys',
  'options',
  'event',
  'listener',
  'clock',
  'config',
]

const ROOMS = ['core', 'wire', 'store', 'replica', 'express', 'identity', 'client', 'server']

/** Commands have flags of their own, which they declare to commander. */
const isCommand = (path: string): boolean => path.includes('/cli/')

const sources = ROOMS.flatMap((room) => filesBelow(`packages/${room}/src`, '.ts'))
  .filter((path) => !isCommand(path) && !path.endsWith('.generated.ts'))
  .map(readSource)

/** Where options are declared: who asks `option-table.ts` for a way to do it. */
const DECLARES = /\b(?:option|optional|required|limit)\((?:[A-Z\w.]+\(|[A-Z]\w*|\d|\n)/
const isDeclaration = ({ code, path }: { code: string; path: string }): boolean =>
  DECLARES.test(code) && !path.endsWith('core/src/option-table.ts')

/** A listener that no settings describe: tests open it by itself. */
const UNSET = ["packages/server/src/clients/listener.ts: .host ?? '1"]
/** How durations are written, and the ones that NIST names. */
const DURATIONS = ['packages/core/src/duration.ts', 'packages/core/src/profiles.ts']
/** The names of classes and of methods: a cookie's `name` is an option. */
const OTHER_NAMES = [
  "packages/core/src/document/value.ts: .name ?? 'a",
  "packages/replica/src/websocket.ts: , name = 'listen'",
]

/** `?? '5s'`, `timeout = 5_000`, `DEFAULT_WAIT = …`. */
const defaultsIn = (code: string): string[] => [
  ...[...code.matchAll(/'\d+(?:\.\d+)?(?:ms|s|m|h|d)'/g)].map(([text]) => text),
  ...[...code.matchAll(/\.(\w+) \?\? (?:'[^']|\d)/g)].flatMap(([text, name]) => (names.has(name!) ? [text] : [])),
  ...[...code.matchAll(/[{,]\s*(\w+) = (?:'[^']|\d)[^,}\n]*/g)].flatMap(([text, name]) =>
    names.has(name!) ? [text] : [],
  ),
  ...[...code.matchAll(/\bDEFAULT_\w+(?:: [\w<>]+)? = ['"\d{]/g)].map(([text]) => text),
]

/** Names of options in what checks them and refuses them. */
const namedIn = (code: string): string[] =>
  [
    /\boption: '([\w.]+)'/g,
    /\brefuse(?:Option)?\(\s*'([\w.]+)'/g,
    /\b(?:parse|optional)Duration\([^()]*(?:\([^()]*\)[^()]*)*,\s*'([\w.]+)'/g,
    /\bcheckOption\([^,]+, '([\w.]+)'/g,
    /\b(?:regionsNeeded|checkPatience)\([^()]*(?:\([^()]*\)[^()]*)*,\s*'([\w.]+)'/g,
  ].flatMap((pattern) => [...code.matchAll(pattern)].map((match) => match[1]!))

describe('[ARCH-5] an option is declared once', () => {
  it('defaults stand in declarations', () => {
    const declaring = sources.filter(isDeclaration).map(({ path }) => path)
    expect(declaring).toEqual([
      'packages/core/src/call-options.ts',
      'packages/core/src/limits.ts',
      'packages/replica/src/option-table.ts',
      'packages/replica/src/tls-options.ts',
      'packages/express/src/options.ts',
      'packages/identity/src/logout-options.ts',
      'packages/identity/src/options.ts',
      'packages/identity/src/token-options.ts',
      'packages/client/src/options.ts',
      'packages/server/src/clients/limits.ts',
      'packages/server/src/config/schema.ts',
      'packages/server/src/http-limits.ts',
      'packages/server/src/identity/limits.ts',
    ])
    const elsewhere = sources.filter(({ path }) => !declaring.includes(path) && !DURATIONS.includes(path))
    expect(
      elsewhere.flatMap(({ path, code }) => defaultsIn(code).map((text) => `${path}: ${text.replace(/\s+/g, ' ')}`)),
    ).toEqual([...OTHER_NAMES, ...UNSET])
  })

  it('what checks and refuses names declared options', () => {
    const known = new Set([...declared.keys(), ...OTHERS])
    const named = sources.flatMap(({ path, code }) => namedIn(code).map((name) => [path, name] as const))
    expect(named.length).toBeGreaterThan(20)
    expect(named.filter(([, name]) => !known.has(name)).map(([path, name]) => `${path}: ${name}`)).toEqual([])
  })

  it('a bound says its unit in its name', () => {
    const UNITS = [
      [/^(Encoded )?[Bb]ytes\b/, /Bytes(InAll)?$/],
      [/^Milliseconds\b/, /Ms$/],
      [/^Percent\b/, /Percent$/],
    ] as const
    const wrong = [...declared].filter(([path, { kind, about }]) => {
      return kind === 'integer' && UNITS.some(([says, named]) => says.test(about) !== named.test(path))
    })
    expect(wrong.map(([path]) => path)).toEqual([])
  })

  it('and no option is declared twice with two texts', () => {
    const server = new Map(pathsOf(SERVER_OPTIONS))
    for (const [path, option] of pathsOf(REPLICA_OPTIONS)) {
      const setting = server.get(path)
      if (setting && path !== 'links') expect(setting.about.startsWith(option.about), path).toBe(true)
    }
  })

  it('and the search finds what it looks for', () => {
    expect(defaultsIn("parseDuration(given.timeout ?? '5s', 'timeout')")).toEqual(["'5s'", ".timeout ?? '5"])
    expect(defaultsIn('const { maxEntries = 10_000, other = 5 } = given')).toEqual(['{ maxEntries = 10_000'])
    expect(defaultsIn("settings.fsync ?? 'always'")).toEqual([".fsync ?? 'a"])
    expect(defaultsIn('const DEFAULT_LIMITS: Limits = {')).toHaveLength(1)
    expect(namedIn("optionalDuration(options.idleTimeot, 'idleTimeot')")).toEqual(['idleTimeot'])
    expect(namedIn("throw new SojournError('INVALID_OPTION', what, { option: 'sesions' })")).toEqual(['sesions'])
  })
})
