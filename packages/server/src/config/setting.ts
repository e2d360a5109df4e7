import { DURATION_ALLOWED, durationMs, isLevel, type Level } from '@sojourn/core/internal'
import { z } from 'zod'

/** How a setting is written where everything is text: in the environment and in flags. */
export type SettingKind = 'text' | 'integer' | 'boolean' | 'duration' | 'level' | 'map' | 'list'

/** What the reference, the help and an error say of a setting. */
export interface SettingNotes {
  readonly about: string
  readonly kind: SettingKind
  /** Ends the sentence "give …". */
  readonly allowed: string
  /** The default as it would be written; undefined: none. */
  readonly default?: string | undefined
  /** Given by the environment alone, and never shown. */
  readonly secret?: true
}

/** The notes of every setting, by its schema. */
export const notes = z.registry<SettingNotes>()

const noted = <T extends z.ZodType>(schema: T, given: SettingNotes): T => {
  notes.add(schema, given)
  return schema
}

type Less = Omit<SettingNotes, 'kind'>

export const text = (given: Less) => noted(z.string().min(1).optional(), { kind: 'text', ...given })

export const requiredText = (given: Less, check: (value: string) => boolean) =>
  noted(z.string().min(1).refine(check), { kind: 'text', ...given })

export const textOr = (fallback: string, given: Less) =>
  noted(z.string().min(1).default(fallback), { kind: 'text', default: fallback, ...given })

export const secretText = (given: Less, check: (value: string) => boolean) =>
  noted(z.string().refine(check).optional(), { kind: 'text', secret: true, ...given })

export const choice = <const C extends readonly [string, ...string[]]>(
  choices: C,
  fallback: C[number],
  about: string,
) =>
  noted(z.enum(choices).default(fallback as never), {
    kind: 'text',
    about,
    default: fallback,
    allowed: `one of ${choices.join(', ')}`,
  })

const PORT = 'a port, a whole number from 0 to 65535; 0 picks a free one'
const portNumber = () => z.int().min(0).max(65_535)
export const port = (about: string) => noted(portNumber().optional(), { kind: 'integer', about, allowed: PORT })
export const portOr = (fallback: number, about: string) =>
  noted(portNumber().default(fallback), { kind: 'integer', about, allowed: PORT, default: String(fallback) })

export const count = (fallback: number, about: string) =>
  noted(z.int().min(1).default(fallback), {
    kind: 'integer',
    about,
    allowed: 'a whole number, 1 or more',
    default: String(fallback),
  })

/** A version of a protocol that this build speaks. */
export const versionOf = ({ oldest, newest }: { readonly oldest: number; readonly newest: number }, about: string) =>
  noted(z.int().min(oldest).max(newest).default(newest), {
    kind: 'integer',
    about,
    allowed: `a whole number from ${oldest} to ${newest}`,
    default: String(newest),
  })

export const flag = (about: string) =>
  noted(z.boolean().default(false), { kind: 'boolean', about, allowed: 'true or false', default: 'false' })

const isDuration = (value: unknown): boolean => durationMs(value) !== undefined

/** Milliseconds, once it is read. */
export const duration = (fallback: string, about: string) =>
  noted(
    z
      .union([z.number(), z.string()])
      .refine(isDuration)
      .transform((value) => durationMs(value)!)
      .prefault(fallback),
    { kind: 'duration', about, default: fallback, allowed: DURATION_ALLOWED },
  )

/** As {@link duration}, where 0 means none, and undefined whatever is said of the default. */
export const durationOrNone = (about: string) =>
  noted(
    z
      .union([z.number(), z.string()])
      .refine((value) => value === 0 || isDuration(value))
      .transform((value) => (value === 0 ? 0 : durationMs(value)!))
      .optional(),
    { kind: 'duration', about, allowed: `0, ${DURATION_ALLOWED}` },
  )

/** Whether it is within the number of regions is for the replica to say: that number changes. */
export const level = (about: string) =>
  noted(z.custom<Level>(isLevel).default('local'), {
    kind: 'level',
    about,
    default: 'local',
    allowed: 'local, majority, all, or a number of regions',
  })

/** In text: `one,two`. */
export const list = (isEntry: (entry: string) => boolean, given: Less) =>
  noted(z.array(z.string().refine(isEntry)).default([]), { kind: 'list', ...given })

/** Region → address. In text: `us=wss://…,ap=wss://…`; `null` is written `us=null`. */
export const addresses = <N extends null | never>(
  protocols: RegExp,
  nullable: z.ZodType<N> | undefined,
  isRegion: (name: string) => boolean,
  given: { readonly about: string; readonly allowed: string },
) => {
  const address = z.string().refine((url) => URL.canParse(url) && protocols.test(new URL(url).protocol))
  return noted(
    z
      // zod passes over a key that is called `__proto__`, so it is looked for first.
      .custom<Record<string, unknown>>((value) => !Object.hasOwn(Object(value), '__proto__'))
      .pipe(
        z.record(
          z.string().refine(isRegion),
          nullable ? z.union([address, nullable]) : (address as z.ZodType<string | N>),
        ),
      )
      .default({}),
    { kind: 'map', ...given },
  )
}
