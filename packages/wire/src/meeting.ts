/** How two sides that may be of different builds find out what both of them speak. */
import { SojournError } from '@sojourn/core/internal'
import { list, text, uint } from './shape.js'

/** What a side says when it meets another one. */
export interface Speech {
  /** Versions of the protocol: from this one */
  readonly min: number
  /** through this one. */
  readonly max: number
  /** What it can do beyond its oldest version, by name. */
  readonly capabilities: readonly string[]
}

/** What two sides speak with each other. */
export interface Agreement {
  readonly version: number
  /** What both of them can do. Nothing else is sent to the other side. */
  readonly capabilities: readonly string[]
}

const capabilities = list(text(32), 16)

/** The fields of a {@link Speech}, in a greeting, which has the same form in all versions. */
export const speech = { min: uint, max: uint, capabilities }

/** Those of an {@link Agreement}, in the answer to it. */
export const agreement = { version: uint, capabilities }

/** What all builds since `oldest` speak, and what came with which later version. */
export interface Dialect<C extends string> {
  readonly oldest: number
  readonly newest: number
  readonly capabilities: { readonly [name in C]: number }
}

/** @param maxVersion what came later is left out, as an older build would */
export const speechOf = <C extends string>(dialect: Dialect<C>, maxVersion = dialect.newest): Speech => ({
  min: dialect.oldest,
  max: Math.min(dialect.newest, maxVersion),
  capabilities: Object.entries<number>(dialect.capabilities).flatMap(([name, since]) =>
    since <= maxVersion ? name : [],
  ),
})

const rangeOf = ({ min, max }: Speech): string => (min === max ? `version ${min}` : `versions ${min} to ${max}`)

/** The latest version that both speak, and what both can do. @throws LINK_VERSION */
export const meet = (ours: Speech, theirs: Speech): Agreement => {
  const version = Math.min(ours.max, theirs.max)
  if (version < Math.max(ours.min, theirs.min))
    throw new SojournError('LINK_VERSION', `the other side speaks ${rangeOf(theirs)}, this side ${rangeOf(ours)}`)
  return { version, capabilities: ours.capabilities.filter((name) => theirs.capabilities.includes(name)) }
}

/** Whether an answer is one to what was said. @throws LINK_VERSION */
export const checkAgreement = (ours: Speech, { version, capabilities }: Agreement): void => {
  if (version < ours.min || version > ours.max)
    throw new SojournError('LINK_VERSION', `the other side chose version ${version}, this side speaks ${rangeOf(ours)}`)
  const stray = capabilities.some(
    (name, place) => !ours.capabilities.includes(name) || capabilities.indexOf(name) < place,
  )
  if (stray) throw new SojournError('LINK_VERSION', 'the other side chose capabilities that this side did not name')
}
