/** What the list of regions says of one region. */
import { isAddress, SojournError } from '@sojourn/core/internal'
import { isRegionName, REGION_NAMES } from '@sojourn/wire'
import { z } from 'zod'

/** How many regions may have been added or removed, ever. */
const MAX_MEMBERS = 64
const MAX_URL_CHARS = 256

const PEER = /^wss?:$/
const ADMIN = /^https?:$/

const isUrl = (text: string, protocols: RegExp): boolean => text.length <= MAX_URL_CHARS && isAddress(text, protocols)

const url = (protocols: RegExp) => z.string().refine((text) => isUrl(text, protocols))

const entry = z.strictObject({
  region: z.string().refine(isRegionName),
  /** Rises with each change; of two entries of one region, the higher one counts. */
  version: z
    .int()
    .min(1)
    .max(Number.MAX_SAFE_INTEGER - 1),
  present: z.boolean(),
  /** Where its peer listener is; `null`: it dials the others. */
  url: z.union([url(PEER), z.null()]),
  /** Where its admin listener is, if anybody has said so. */
  admin: url(ADMIN).optional(),
})

/** A region was added (`present`) or removed, by `sojourn region`. */
export type MemberEntry = Readonly<z.output<typeof entry>>

const list = z.array(entry).max(MAX_MEMBERS)

/** Total, so that all regions choose the same: the higher version, then removal, then the text. */
const wins = (a: MemberEntry, b: MemberEntry): boolean => {
  if (a.version !== b.version) return a.version > b.version
  if (a.present !== b.present) return !a.present
  return textOf(a) > textOf(b)
}

const textOf = ({ url, admin = '' }: MemberEntry): string => `${url} ${admin}`

/** The join of two lists: associative, commutative, idempotent. Undefined where `ours` has it all. */
export const joinEntries = (
  ours: ReadonlyMap<string, MemberEntry>,
  theirs: readonly MemberEntry[],
): ReadonlyMap<string, MemberEntry> | undefined => {
  const news = theirs.filter((each) => {
    const known = ours.get(each.region)
    return known === undefined || wins(each, known)
  })
  if (news.length === 0) return undefined
  const joined = new Map(ours)
  for (const each of news) {
    const known = joined.get(each.region)
    if (known === undefined || wins(each, known)) joined.set(each.region, each)
  }
  if (joined.size > MAX_MEMBERS)
    throw new SojournError('OVERLOADED', `more than ${MAX_MEMBERS} regions have been added or removed`, {
      limit: MAX_MEMBERS,
    })
  return joined
}

/** @throws INVALID_OPTION, saying what somebody who adds a region should give instead */
export const checkMember = (region: string, url: string | null, admin: string | undefined): void => {
  const refuse = (option: string, text: string, give: string): never => {
    throw new SojournError('INVALID_OPTION', `${option} is ${JSON.stringify(text)}; give ${give}`, { option })
  }
  if (!isRegionName(region)) refuse('region', region, REGION_NAMES)
  const longest = `of at most ${MAX_URL_CHARS} characters`
  if (url !== null && !isUrl(url, PEER))
    refuse(
      'url',
      url,
      `the address of its peer listener, ws:// or wss://, ${longest}, or null where it dials the others${isUrl(url, ADMIN) ? '; its admin listener is --admin-url' : ''}`,
    )
  if (admin !== undefined && !isUrl(admin, ADMIN))
    refuse('admin', admin, `the address of its admin listener, http:// or https://, ${longest}`)
}

/** @throws `code`, where the text is no list of entries */
export const parseEntries = (
  value: unknown,
  code: 'STORE_CORRUPT' | 'FRAME_INVALID' | 'INVALID_OPTION',
  where: string,
) => {
  const parsed = list.safeParse(value)
  if (parsed.success) return parsed.data as readonly MemberEntry[]
  const { path, message } = parsed.error.issues[0]!
  throw new SojournError(code, `${where} is not a list of regions (${path.join('.')}: ${message})`, {
    ...(code === 'INVALID_OPTION' && { option: String(path.at(-1)) }),
  })
}
