import { z } from 'zod'
import { schema } from './schema.js'
import { notes, type SettingNotes } from './setting.js'

/** One thing that can be set, with its three names. */
export interface Setting extends SettingNotes {
  /** As in sojourn.yaml: `clients.tls.certFile`. */
  readonly path: string
  /** `SOJOURN_CLIENTS_TLS_CERT_FILE` */
  readonly env: string
  /** `--clients-tls-cert-file`; undefined for a secret, because the arguments of a process are for all to see. */
  readonly flag: string | undefined
}

const words = (path: string): string[] =>
  path.split('.').flatMap((part) => part.split(/(?=[A-Z])/).map((word) => word.toLowerCase()))

const isGroup = (type: z.core.SomeType): type is z.ZodPrefault<z.ZodObject> =>
  type instanceof z.ZodPrefault && type.def.innerType instanceof z.ZodObject

const walk = (object: z.ZodObject, prefix: string): Setting[] =>
  Object.entries(object.shape).flatMap(([name, type]) => {
    const path = `${prefix}${name}`
    if (isGroup(type)) return walk(type.def.innerType, `${path}.`)
    const given = notes.get(type as z.ZodType)!
    const parts = words(path)
    return {
      ...given,
      path,
      env: ['SOJOURN', ...parts].join('_').toUpperCase(),
      flag: given.secret ? undefined : `--${parts.join('-')}`,
    }
  })

/** Every setting, in the order of the schema. */
export const SETTINGS: readonly Setting[] = walk(schema, '')

/** The names that a place of sojourn.yaml may hold: settings and groups. `''` is the top. */
export const namesAt = (path: string): string[] => {
  const prefix = path === '' ? '' : `${path}.`
  const names = SETTINGS.filter((setting) => setting.path.startsWith(prefix) && !setting.secret)
  return [...new Set(names.map((setting) => setting.path.slice(prefix.length).split('.')[0]!))]
}
