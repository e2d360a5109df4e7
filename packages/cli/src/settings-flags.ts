/** The flag of each setting of a server, and what commands that read settings take. */
import { type ConfigInput, SETTINGS, type Setting } from '@sojourn/server/parts'
import type { Flag, Flags } from './command.js'
import { file } from './flags.js'

/** Set by `sojourn dev`: the server stops when the channel to the process that started it closes. */
export const ENDS_WITH_PARENT = 'SOJOURN_ENDS_WITH_PARENT'

/** Variables with our prefix that are no settings. */
export const OTHER_VARIABLES = ['SOJOURN_CONFIG', 'SOJOURN_TOKEN', 'SOJOURN_ADMIN_URL', ENDS_WITH_PARENT]

export const CONFIG_FLAG = {
  config: file({ about: 'A file of settings in YAML [SOJOURN_CONFIG]', short: 'c' }),
}

const notesOf = ({ about, allowed, env, default: fallback }: Setting): string =>
  `${about}. Give ${allowed}.${fallback === undefined ? '' : ` Default: ${fallback}.`} [${env}]`

const VALUE: { readonly [kind in Setting['kind']]: string } = {
  text: '<text>',
  integer: '<number>',
  boolean: '[true|false]',
  duration: '<duration>',
  level: '<level>',
  map: '<regions>',
  list: '<list>',
}

const CHOICES: { readonly [kind in Setting['kind']]?: readonly string[] } = {
  boolean: ['true', 'false'],
  level: ['local', 'majority', 'all'],
}

const offerOf = ({ kind, path, allowed }: Setting): Pick<Flag, 'choices' | 'files'> => {
  const choices = CHOICES[kind] ?? /^one of ([\w-]+(?:, [\w-]+)+)$/.exec(allowed)?.[1]?.split(', ')
  if (choices !== undefined) return { choices }
  return path.endsWith('File') ? { files: 'file' } : path === 'data' ? { files: 'directory' } : {}
}

/** `--clients-tls-cert-file` → `clientsTlsCertFile` */
const codeName = (flag: string): string => flag.slice(2).replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())

const withFlags = SETTINGS.filter((setting): setting is Setting & { flag: string } => setting.flag !== undefined)

/** Values are left as they are: the schema checks all of them at one time, wherever they come from. */
const flagOf = (setting: Setting): Flag<string | undefined> => {
  const group = setting.path.split('.').slice(0, -1).join('.')
  return {
    about: notesOf(setting),
    value: VALUE[setting.kind],
    group: group === '' ? 'Settings:' : `Settings of ${group}:`,
    ...offerOf(setting),
    read: (given) => (given === undefined ? undefined : String(given)),
  }
}

/** The flag of each setting, grouped as in sojourn.yaml. */
export const SETTING_FLAGS: { readonly [name: string]: Flag<string | undefined> } = Object.fromEntries(
  withFlags.map((setting) => [codeName(setting.flag), flagOf(setting)]),
)

/** The secrets, which no flag takes, for the help. */
export const SECRETS = SETTINGS.filter(({ secret }) => secret)
  .map((setting) => `  ${setting.env}\n      ${setting.about}. Give ${setting.allowed}.`)
  .join('\n')

/** Where settings come from. @param paths those whose flags the command takes; undefined: all */
export const configInput = (
  given: { readonly [name in keyof Flags]: unknown },
  env: NodeJS.ProcessEnv,
): ConfigInput => ({
  file: (given.config as string | undefined) ?? (env.SOJOURN_CONFIG || undefined),
  env,
  flags: new Map(
    withFlags.flatMap(({ flag, path }): [string, string][] => {
      const value = given[codeName(flag)] as string | undefined
      return value === undefined ? [] : [[path, value]]
    }),
  ),
})
