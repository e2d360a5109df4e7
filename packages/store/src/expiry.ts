import type { SessionKey, SessionRecord, StorageWrite } from '@sojourn/core'
import { dueAt, expiresAt } from '@sojourn/core'
import { type ExpiryKind, expiryKey, expiryValue } from './keyspace.js'

/** The times at which a record stands in the expiry index, and as what. */
const expiryTimes = (record: SessionRecord | undefined): Map<number, ExpiryKind> => {
  const times = new Map<number, ExpiryKind>()
  if (record?.kind === 'live') times.set(expiresAt(record), 'expiry')
  // Where both are at one time, which is the rule, this row serves for both.
  if (record) times.set(dueAt(record), record.kind)
  return times
}

/** What moves a record in the expiry index. */
export const expiryWrites = (
  key: SessionKey,
  before: SessionRecord | undefined,
  after: SessionRecord | undefined,
): StorageWrite[] => {
  const writes: StorageWrite[] = []
  const was = expiryTimes(before)
  const is = expiryTimes(after)
  for (const at of was.keys()) if (!is.has(at)) writes.push({ type: 'del', key: expiryKey(at, key) })
  for (const [at, kind] of is)
    if (was.get(at) !== kind) writes.push({ type: 'put', key: expiryKey(at, key), value: expiryValue(kind) })
  return writes
}
