/** What can be set of a server: its options, each with its three names. */
import { insideOf, type Option, type Options, type TextKind } from '@sojourn/core/internal'
import { SERVER_OPTIONS } from './schema.js'

/** One thing that can be set, with its three names. */
export interface Setting {
  /** As in sojourn.yaml: `clients.tls.certFile`. */
  readonly path: string
  /** `SOJOURN_CLIENTS_TLS_CERT_FILE` */
  readonly env: string
  /** `--clients-tls-cert-file`; undefined for a secret, because the arguments of a process are for all to see. */
  readonly flag: string | undefined
  readonly option: Option
  readonly kind: TextKind
  readonly about: string
  /** Ends the sentence "give …". */
  readonly allowed: string
  /** The default as it would be written; undefined: none. */
  readonly default: string | undefined
  /** Given by the environment alone, and never shown. */
  readonly secret: boolean
}

const words = (path: string): string[] =>
  path.split('.').flatMap((part) => part.split(/(?=[A-Z])/).map((word) => word.toLowerCase()))

const settingOf = (path: string, option: Option): Setting => {
  const { kind = 'text', allowed, allowedText = allowed, fallback, otherwise, isSecret = false } = option
  const parts = words(path)
  return {
    path,
    env: ['SOJOURN', ...parts].join('_').toUpperCase(),
    flag: isSecret ? undefined : `--${parts.join('-')}`,
    option,
    kind,
    about: otherwise === undefined || otherwise === 'none' ? option.about : `${option.about}. Default: ${otherwise}`,
    allowed: allowedText,
    default: fallback === undefined || typeof fallback === 'object' ? undefined : String(fallback),
    secret: isSecret,
  }
}

const settingsBelow = (options: Options, prefix: string): Setting[] =>
  Object.entries(options).flatMap(([name, option]) => {
    const inside = insideOf(option)
    return inside ? settingsBelow(inside, `${prefix}${name}.`) : settingOf(`${prefix}${name}`, option)
  })

/** Every setting, in the order of the schema. */
export const SETTINGS: readonly Setting[] = settingsBelow(SERVER_OPTIONS, '')

/** The names that a place of sojourn.yaml may hold: settings and groups. `''` is the top. */
export const namesAt = (path: string): string[] => {
  const prefix = path === '' ? '' : `${path}.`
  const names = SETTINGS.filter((setting) => setting.path.startsWith(prefix) && !setting.secret)
  return [...new Set(names.map((setting) => setting.path.slice(prefix.length).split('.')[0]!))]
}
