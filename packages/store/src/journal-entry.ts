/** What an entry of the journal says: the commits of one turn of the event loop, or how far the store is (SPEC, "Journal"). */
import type { SessionKey } from '@sojourn/core/internal'
import { ByteReader, ByteWriter, KEY_BYTES, keyOfItem } from '@sojourn/core/internal'
import type { Origin } from './index/session-index.js'
import {
  checkFormat,
  type Incarnation,
  type Progress,
  readIncarnation,
  readProgress,
  STORE_FORMAT,
  writeIncarnation,
  writeProgress,
} from './store-state.js'

/** A commit as the journal keeps it. */
export interface JournalCommit {
  readonly key: SessionKey
  /** Its place in the feed; of a purge, which has none, that of the commit before. */
  readonly sequence: number
  /** The place of the commit on which it builds; 0 where there was no record, or none that could be read. Of a purge it is not kept. */
  readonly base: number
  /** The encoded item; undefined: the record was purged. */
  readonly item: Uint8Array | undefined
  readonly origin: Origin | undefined
}

/** One entry. Parts come in this order. */
export interface EntryContent {
  /** An incarnation begins. */
  readonly incarnation: Incarnation | undefined
  readonly commits: readonly JournalCommit[]
  /** How far the store was after these commits. */
  readonly progress: Progress | undefined
}

const PART = { incarnation: 1, item: 2, itemOfPeer: 3, purge: 4, progress: 5 } as const

const writer = new ByteWriter(16 * 1024)

export const encodeEntry = ({ incarnation, commits, progress }: EntryContent): Uint8Array => {
  writer.uint(STORE_FORMAT)
  if (incarnation) writeIncarnation(writer.u8(PART.incarnation), incarnation)
  let feed: string | undefined
  for (const { key, sequence, base, item, origin } of commits) {
    const since = base === 0 ? 0 : sequence - base
    if (item === undefined) writer.u8(PART.purge).uint(sequence).hex(key)
    else if (origin) {
      // The commits of a turn came from a peer or two: its feed is named once.
      writer.u8(PART.itemOfPeer).uint(sequence).uint(since).uint(origin.sequence)
      writer.u8(origin.feed === feed ? 0 : 1)
      if (origin.feed !== feed) writer.hex(origin.feed)
      feed = origin.feed
      writer.bytes(item)
    } else writer.u8(PART.item).uint(sequence).uint(since).bytes(item)
  }
  if (progress) writeProgress(writer.u8(PART.progress), progress)
  return writer.borrow()
}

/** Items are views of the entry. @throws STORE_FORMAT, STORE_CORRUPT */
export const decodeEntry = (bytes: Uint8Array): EntryContent => {
  const from = new ByteReader(bytes, 'STORE_CORRUPT')
  checkFormat(from.uint(), 'the journal')
  let incarnation: Incarnation | undefined
  let progress: Progress | undefined
  const commits: JournalCommit[] = []
  let feed: string | undefined
  while (from.left > 0) {
    const part = from.u8()
    if (part === PART.incarnation) incarnation = readIncarnation(from)
    else if (part === PART.progress) progress = readProgress(from)
    else if (part === PART.purge)
      commits.push({ sequence: from.uint(), key: from.hex(KEY_BYTES), base: 0, item: undefined, origin: undefined })
    else if (part === PART.item || part === PART.itemOfPeer) {
      const sequence = from.uint()
      const since = from.uint(sequence)
      const base = since === 0 ? 0 : sequence - since
      let origin: Origin | undefined
      if (part === PART.itemOfPeer) {
        const through = from.uint()
        if (from.u8() === 1) feed = from.hex(16)
        origin = { feed: feed ?? from.fail('an item names no feed'), sequence: through }
      }
      const item = from.bytes(from.left)
      commits.push({ key: keyOfItem(item), sequence, base, item, origin })
    } else from.fail('an entry has an unknown part')
  }
  return { incarnation, commits, progress }
}
