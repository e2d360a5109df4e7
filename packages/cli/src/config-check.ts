/** `sojourn config check`: what is wrong with the settings of a server, or what is in force, and where that comes from. */
import { isSojournError, nearestName, type SojournError } from '@sojourn/core/internal'
import {
  type Config,
  type ConfigInput,
  certificatesOf,
  checkKeyFiles,
  loadConfig,
  SETTINGS,
  type Setting,
  strangeVariables,
} from '@sojourn/server/parts'
import { EXIT } from './exit-codes.js'
import type { Output } from './output.js'
import { OTHER_VARIABLES } from './settings-flags.js'
import { table } from './table.js'

export interface CheckOptions {
  readonly isJson: boolean
  /** Leaves out what nobody set. */
  readonly isGivenOnly: boolean
}

/** One setting as it is in force. */
interface InForce {
  readonly path: string
  /** A secret is a sentence about it, never itself. */
  readonly value: unknown
  /** A file, a variable, a flag, or `default`; undefined: it is not set. */
  readonly from: string | undefined
}

const valueAt = (settings: object, path: string): unknown =>
  path.split('.').reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], settings)

/** Addresses may hold the password of a proxy. */
const withoutPasswords = (value: unknown): unknown => {
  if (typeof value === 'string') return value.replace(/\/\/[^/@]*@/, '//…@')
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, withoutPasswords(each)]))
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
] as const

/** As it would be given: `90s`. */
const durationText = (ms: number): string => {
  const [unit, size] = UNITS.find(([, size]) => ms >= size && ms % size === 0) ?? ['ms', 1]
  return ms === 0 ? '0' : `${ms / size}${unit}`
}

const inForce = ({ settings, from }: Config, { path, secret, kind }: Setting): InForce => {
  const value = valueAt(settings, path)
  if (value === undefined) return { path, value, from: undefined }
  const source = from.get(path) ?? 'default'
  if (secret) return { path, value: 'set, and not shown', from: source }
  return { path, value: kind === 'duration' ? durationText(value as number) : withoutPasswords(value), from: source }
}

const WARNING = 'no setting has this variable'

const warningsOf = (env: NodeJS.ProcessEnv): string[] =>
  strangeVariables(env, OTHER_VARIABLES).map((name) => {
    const near = nearestName(
      name,
      SETTINGS.map((setting) => setting.env),
    )
    return `${name}: ${WARNING}${near === undefined ? '' : `; did you mean ${near}?`}`
  })

/** What is in the files that settings name. */
const checksOf = (settings: Config['settings']): (() => unknown)[] => [
  ...(['links', 'clients', 'admin', 'identity'] as const).map((name) => () => certificatesOf(settings, name)),
  () => checkKeyFiles(settings),
]

/** An error about settings has a line for each. */
const faultsOf = ({ message }: SojournError): string[] =>
  message
    .replace(/^INVALID_OPTION: /, '')
    .trim()
    .split('\n')
    .map((line) => line.trim())

const shown = (value: unknown): string => {
  if (value === undefined) return '–'
  if (typeof value === 'string') return value
  if (Array.isArray(value)) return value.join(', ') || '–'
  if (typeof value !== 'object' || value === null) return String(value)
  return (
    Object.entries(value)
      .map(([name, each]) => `${name}=${each}`)
      .join(', ') || '–'
  )
}

/** Ends with 2 where something is wrong. A variable that no setting has is a warning: other programs may use the prefix. */
export const checkConfig = (input: ConfigInput, { isJson, isGivenOnly }: CheckOptions, out: Output): number => {
  const warnings = warningsOf(input.env)
  let config: Config
  try {
    config = loadConfig({ ...input, checks: checksOf })
  } catch (error) {
    if (!isJson || !isSojournError(error, 'INVALID_OPTION')) throw error
    out.json({ valid: false, faults: faultsOf(error), warnings })
    return EXIT.usage
  }
  const all = SETTINGS.map((setting) => inForce(config, setting))
  const rows = all.filter(({ path }) => !isGivenOnly || config.from.has(path))
  if (isJson) {
    const settings = Object.fromEntries(rows.map(({ path, value, from }) => [path, { value, from }]))
    out.json({ valid: true, settings, warnings })
  } else {
    const cells = rows.map(({ path, value, from }) => [path, shown(value), from])
    out.text(table(['SETTING', 'VALUE', 'FROM'], cells, out.paint))
    for (const warning of warnings) out.aside(out.paintAside('yellow', `sojourn: ${warning}`))
  }
  return EXIT.ok
}
