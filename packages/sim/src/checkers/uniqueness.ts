/** A checker: no number of a change or a feed is used twice. */
import { decodeChange } from '@automerge/automerge'
import { violation } from '../expectations.js'
import type { Checker } from '../history.js'

/**
 * Read from the wires by Automerge itself: no actor gives one number to two changes, nor leaves one out. No feed id is used by two
 * incarnations, no feed runs backwards, and nobody claims more of a feed than there is.
 */
export const uniqueness: Checker = function* ({ changes, incarnations, samples }) {
  const hashes = new Map<string, string>()
  for (const bytes of changes) {
    const { actor, seq, hash } = decodeChange(bytes)
    const name = `${actor} ${seq}`
    const known = hashes.get(name)
    if (known !== undefined && known !== hash) yield violation('UNIQ-1', `actor ${actor} numbered two changes ${seq}`)
    hashes.set(name, hash!)
  }
  const owners = new Map<string, string>()
  for (const { feed, region, incarnation } of incarnations) {
    const owner = owners.get(feed)
    if (owner !== undefined) yield violation('UNIQ-1', `${owner} and ${region} ${incarnation} call their feeds ${feed}`)
    owners.set(feed, `${region} ${incarnation}`)
  }
  const heads = new Map<string, number>()
  for (const { feed, head, region } of samples) {
    if (head < (heads.get(feed) ?? 0)) yield violation('UNIQ-1', `the feed of ${region} ran backwards, to ${head}`)
    heads.set(feed, head)
  }
  const last = new Map<string, { at: number; head: number }[]>()
  for (const { at, feed, head } of samples) last.set(feed, [...(last.get(feed) ?? []), { at, head }])
  for (const { at, region, vector } of samples)
    for (const [feed, through] of Object.entries(vector)) {
      const owner = last.get(feed)?.find((sample) => sample.at === at)
      if (owner && through > owner.head)
        yield violation('UNIQ-1', `${region} claims ${through} commits of a feed that has ${owner.head}`)
    }
}
