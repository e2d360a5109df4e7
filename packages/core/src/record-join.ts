/** The join: how two states of a session become one. */
import { joinCutoffs } from './cutoff.js'
import { covers, joinFolds } from './document/fold.js'
import { compareAuthentications, joinIdentities, sameIdentity } from './identity.js'
import { type End, joinEnds, joinLeases, joinLimits, type Lease, type Limit } from './lifetime.js'
import { frontierOf, type LiveRecord, type OtherParts, type SessionRecord, sameLimit, sameOthers } from './record.js'
import { liveRecord, type Parts, withParts } from './resting-record.js'
import { compareStamps } from './stamp.js'

/** Associative, commutative, idempotent. An end wins over everything, and remembers the longest horizon. */
export const joinRecords = (a: SessionRecord, b: SessionRecord): SessionRecord => {
  if (a.kind === 'ended' && b.kind === 'ended') {
    const cutoff = joinCutoffs(a.cutoff, b.cutoff)
    const others = joinOthers(a.others, b.others)
    return { kind: 'ended', end: joinEnds(a.end, b.end), ...(cutoff && { cutoff }), ...(others && { others }) }
  }
  if (a.kind === 'ended') return { ...a, end: outlive(a.end, b as LiveRecord) }
  if (b.kind === 'ended') return { ...b, end: outlive(b.end, a) }
  const parts: Parts = {
    lease: joinLeases(a.lease, b.lease),
    limit: joinedLimit(a, b),
    identity: joinIdentities(a.identity, b.identity),
    others: joinOthers(a.others, b.others),
  }
  // The very document where one has seen all that the other has, so that it need not be read, nor encoded again.
  const [ours, theirs] = [frontierOf(a), frontierOf(b)]
  if (covers(theirs, ours)) return holding(b, parts)
  if (covers(ours, theirs)) return holding(a, parts)
  return liveRecord(joinFolds(a.document, b.document), parts)
}

/** The very record where the parts are its own. */
const holding = (record: LiveRecord, parts: Parts): LiveRecord =>
  sameLease(record.lease, parts.lease) &&
  sameLimit(record.limit, parts.limit) &&
  sameIdentity(record.identity, parts.identity) &&
  sameOthers(record.others, parts.others)
    ? record
    : withParts(record, parts)

/** A stamp names a lease, but for how long it must be remembered. */
const sameLease = (a: Lease, b: Lease): boolean =>
  a === b || (a.horizon === b.horizon && compareStamps(a.stamp, b.stamp) === 0)

/** A login starts a new limit: of two authentications, that of the later one counts. */
const joinedLimit = (a: LiveRecord, b: LiveRecord): Limit => {
  const limit = joinLimits(a.limit, b.limit)
  const order = compareAuthentications(a.identity?.authentication, b.identity?.authentication)
  return order === 0 ? limit : { ...limit, deadline: (order > 0 ? a : b).limit.deadline }
}

const joinOthers = (a: OtherParts | undefined, b: OtherParts | undefined): OtherParts | undefined => {
  if (a === undefined || b === undefined) return a ?? b
  const joined = new Map(a)
  for (const [tag, bytes] of b) {
    const ours = joined.get(tag)
    if (ours === undefined || Buffer.compare(ours, bytes) < 0) joined.set(tag, bytes)
  }
  return new Map([...joined].sort(([x], [y]) => x - y))
}

const outlive = (end: End, live: LiveRecord): End =>
  end.horizon >= live.limit.horizon ? end : { ...end, horizon: live.limit.horizon }
