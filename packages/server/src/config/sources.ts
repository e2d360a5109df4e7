/** Where the values of settings come from. */
import { SojournError } from '@sojourn/core/internal'
import { parseDocument } from 'yaml'
import { SETTINGS, type Setting } from './catalogue.js'

/** Where a value came from, as it is said in an error: `SOJOURN_REGION`, `--region`, or the name of the file. */
export interface Given {
  readonly value: unknown
  readonly from: string
}

/** Values by the path of their setting. */
export type Source = ReadonlyMap<string, Given>

/** Text into what the schema takes; what does not pass is left as it is, for the schema to refuse. */
const fromText = ({ kind }: Setting, text: string): unknown => {
  switch (kind) {
    case 'integer':
      return /^-?\d+$/.test(text) ? Number(text) : text
    case 'duration':
    case 'level':
      return /^\d+$/.test(text) ? Number(text) : text
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : text
    case 'map':
      return mapFromText(text)
    case 'list':
      return text.split(',').map((entry) => entry.trim())
    case 'text':
      return text
  }
}

/** `us=wss://…,ap=null`; anything else is left as it is. */
const mapFromText = (text: string): unknown => {
  const entries = text.split(',').flatMap((part): [string, string | null][] => {
    const at = part.indexOf('=')
    const value = part.slice(at + 1).trim()
    return at < 1 ? [] : [[part.slice(0, at).trim(), value === 'null' ? null : value]]
  })
  return text === '' ? {} : entries.length === text.split(',').length ? Object.fromEntries(entries) : text
}

/** An empty variable is as good as none: container tools set those that they have no value for. */
export const fromEnvironment = (env: NodeJS.ProcessEnv): Source => {
  const source = new Map<string, Given>()
  for (const setting of SETTINGS) {
    const text = env[setting.env]
    if (text !== undefined && text !== '')
      source.set(setting.path, { value: fromText(setting, text), from: setting.env })
  }
  return source
}

/** Variables that look as if they were meant for a setting. Other programs use the prefix, too, so they are reported, not refused. */
export const strangeVariables = (env: NodeJS.ProcessEnv, known: readonly string[]): string[] => {
  const names = new Set([...SETTINGS.map((setting) => setting.env), ...known])
  return Object.keys(env).filter((name) => name.startsWith('SOJOURN_') && !names.has(name))
}

/** @param flags text by the path of its setting */
export const fromFlags = (flags: ReadonlyMap<string, string>): Source =>
  new Map(
    SETTINGS.flatMap((setting): [string, Given][] => {
      const text = flags.get(setting.path)
      return text === undefined ? [] : [[setting.path, { value: fromText(setting, text), from: setting.flag! }]]
    }),
  )

/**
 * The settings of a file, and the paths in it that must not be there: no settings, or secrets.
 * @throws INVALID_OPTION where it is no YAML, or no map
 */
export const fromYaml = (text: string, file: string): { source: Source; refusedPaths: string[] } => {
  const document = parseDocument(text, { prettyErrors: true })
  const [fault] = document.errors
  if (fault)
    throw new SojournError('INVALID_OPTION', `${file} is not valid YAML: ${fault.message}`, { option: 'config' })
  const root = read(() => document.toJS({ maxAliasCount: 16 }) as unknown, file)
  if (root !== null && !isMap(root))
    throw new SojournError('INVALID_OPTION', `${file} must hold settings, such as \`region: eu\``, { option: 'config' })
  const source = new Map<string, Given>()
  const refusedPaths: string[] = []
  const scan = (object: Record<string, unknown>, prefix: string): void => {
    for (const [name, value] of Object.entries(object)) {
      const path = `${prefix}${name}`
      const setting = SETTINGS.find((each) => each.path === path)
      if (setting?.secret) refusedPaths.push(path)
      else if (setting) source.set(path, { value, from: file })
      else if (!SETTINGS.some((each) => each.path.startsWith(`${path}.`))) refusedPaths.push(path)
      // A group that is named and left empty sets nothing.
      else if (isMap(value)) scan(value, `${path}.`)
      else if (value !== null) refusedPaths.push(path)
    }
  }
  scan(root ?? {}, '')
  return { source, refusedPaths }
}

const read = <T>(make: () => T, file: string): T => {
  try {
    return make()
  } catch (cause) {
    throw new SojournError('INVALID_OPTION', `${file} is not valid YAML: ${(cause as Error).message}`, {
      option: 'config',
      cause,
    })
  }
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
