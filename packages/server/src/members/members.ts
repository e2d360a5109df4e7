/** Which regions there are, as this server knows it. */
import { SojournError } from '@sojourn/core/internal'
import type { Member } from '@sojourn/wire'
import { readIfThere, writeWhole } from '../files.js'
import { checkMember, joinEntries, type MemberEntry, parseEntries } from './entry.js'

/** What a replica accepts about its regions. */
interface Regions {
  addPeer(region: string, url: string | null): void
  removePeer(region: string): boolean
}

export interface MembersOptions {
  readonly own: string
  /** The regions and addresses of the settings: what counts where nobody has added or removed. */
  readonly peers: { readonly [region: string]: string | null }
  readonly adminPeers: { readonly [region: string]: string }
  /** Where additions and removals are kept; undefined: nowhere. */
  readonly file: string | undefined
  /** Something was added or removed, here or elsewhere. */
  readonly changed: (entries: readonly MemberEntry[]) => void
}

/**
 * Which regions there are: the settings, and over them what was added and removed at run time. That is a list which regions join, so
 * it does not matter who heard first, or who was away.
 */
export class Members {
  readonly #options: MembersOptions
  #entries: ReadonlyMap<string, MemberEntry>
  #regions: Regions | undefined

  /** @throws STORE_CORRUPT, STORE_FAILED */
  constructor(options: MembersOptions) {
    this.#options = options
    const { file } = options
    const text = file === undefined ? undefined : readIfThere(file)
    this.#entries = new Map((text === undefined ? [] : parseFile(text, file!)).map((entry) => [entry.region, entry]))
  }

  /** What the replica opens with. */
  get peers(): { [region: string]: string | null } {
    return Object.fromEntries(this.list().map(({ region, url }) => [region, url]))
  }

  get entries(): readonly MemberEntry[] {
    return [...this.#entries.values()]
  }

  /** Whether this region has heard that it is none any more. */
  get isRemoved(): boolean {
    return this.#entries.get(this.#options.own)?.present === false
  }

  /** Every other region. */
  list(): Member[] {
    const { own, peers, adminPeers } = this.#options
    const adminOf = (region: string) => (Object.hasOwn(adminPeers, region) ? adminPeers[region] : undefined)
    const members = new Map<string, Member>()
    for (const [region, url] of Object.entries(peers))
      members.set(region, { region, url, admin: adminOf(region), from: 'settings' })
    for (const { region, present, url, admin } of this.#entries.values()) {
      if (present) members.set(region, { region, url, admin: admin ?? adminOf(region), from: 'added' })
      else members.delete(region)
    }
    members.delete(own)
    return [...members.values()]
  }

  /** From now on, changes reach the replica. */
  serve(regions: Regions): void {
    this.#regions = regions
  }

  /** @throws INVALID_OPTION, STORE_FAILED; nothing is changed then */
  add(region: string, url: string | null, admin: string | undefined): void {
    const { own } = this.#options
    checkMember(region, url, admin)
    if (region === own)
      throw new SojournError('INVALID_OPTION', `${JSON.stringify(region)} is this region`, { option: 'region' })
    const known = this.list().find((member) => member.region === region)
    if (known?.url === url && (admin === undefined || known.admin === admin)) return
    this.#change({ region, url, present: true, ...(admin !== undefined && { admin }) })
  }

  /** Returns whether it was one. @throws INVALID_OPTION, STORE_FAILED; nothing is changed then */
  remove(region: string): boolean {
    const known = this.list().find((member) => member.region === region)
    if (known === undefined) return false
    this.#change({ region, url: known.url, present: false })
    return true
  }

  #change(change: Omit<MemberEntry, 'version'>): void {
    const version = (this.#entries.get(change.region)?.version ?? 0) + 1
    const [entry] = parseEntries([{ ...change, version }], 'INVALID_OPTION', 'the region')
    this.join([entry!])
  }

  /**
   * Takes in what another region knows, and gives the replica what is new. Returns whether anything was.
   * @throws INVALID_OPTION, STORE_FAILED, OVERLOADED; nothing is changed then
   */
  join(entries: readonly MemberEntry[]): boolean {
    const joined = joinEntries(this.#entries, entries)
    if (joined === undefined) return false
    const before = this.#entries
    const old = this.peers
    this.#entries = joined
    try {
      this.#apply(old, this.peers)
      this.#save()
    } catch (error) {
      // The replica may have been given whatever either list names.
      const tried = { ...old, ...this.peers }
      this.#entries = before
      this.#apply(tried, old)
      throw error
    }
    this.#options.changed([...joined.values()].filter((entry) => before.get(entry.region) !== entry))
    return true
  }

  #apply(from: MembersOptions['peers'], to: MembersOptions['peers']): void {
    const regions = this.#regions
    if (regions === undefined) return
    // First those that come: between the two, no level asks for more regions than there are.
    for (const [region, url] of Object.entries(to)) regions.addPeer(region, url)
    for (const region of Object.keys(from)) if (!Object.hasOwn(to, region)) regions.removePeer(region)
  }

  #save(): void {
    const { file } = this.#options
    if (file !== undefined) writeWhole(file, `${JSON.stringify({ format: 1, regions: this.entries }, undefined, 2)}\n`)
  }
}

const parseFile = (text: string, file: string): readonly MemberEntry[] => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    value = undefined
  }
  const { format, regions } = (value ?? {}) as { format?: unknown; regions?: unknown }
  if (format !== 1)
    throw new SojournError(
      'STORE_CORRUPT',
      `${file} is damaged. Without it, the server uses the regions of the settings`,
    )
  return parseEntries(regions, 'STORE_CORRUPT', file)
}
