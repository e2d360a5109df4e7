/** One commit as it travels and as the journal keeps it: a delta, or a whole record, which is joined. */
import { ByteReader, ByteWriter } from './bytes.js'
import type { ChangeDelta } from './document/mutate.js'
import type { SessionKey } from './key.js'
import { KEY_BYTES } from './key.js'
import type { End, Lease } from './lifetime.js'
import { readEnd, readLease, writeEnd, writeLease } from './record-codec.js'

/** A delta of changes names the context of each, so that a receiver can decide whether it lacks something. */
export type Item =
  | { readonly type: 'record'; readonly key: SessionKey; readonly record: Uint8Array }
  | {
      readonly type: 'changes'
      readonly key: SessionKey
      readonly changes: readonly ChangeDelta[]
      readonly lease: Lease | undefined
    }
  | { readonly type: 'lease'; readonly key: SessionKey; readonly lease: Lease }
  | { readonly type: 'end'; readonly key: SessionKey; readonly end: End }

const TYPES = ['record', 'changes', 'lease', 'end'] as const
const ACTOR_BYTES = 16
const MAX_CHANGES = 64
const MAX_CONTEXT = 1_024

/** A change of fewer bytes has no more operations, predecessors and dependencies than a receiver takes. */
const FEW_CHANGE_BYTES = 16_384

/**
 * Whether a receiver takes an item: what it would refuse travels as a record.
 * @param isTaken whether it takes the bytes of a change
 */
export const fitsReceiver = (item: Item, isTaken: (change: Uint8Array) => boolean): boolean =>
  item.type !== 'changes' ||
  (item.changes.length <= MAX_CHANGES &&
    item.changes.every(
      ({ bytes, context }) => context.length <= MAX_CONTEXT && (bytes.length < FEW_CHANGE_BYTES || isTaken(bytes)),
    ))

const writer = new ByteWriter(1024)

/** An item is encoded once, however many links it is sent on. Its memory is its own: it is kept until all links have sent it. */
export const encodeItem = (item: Item): Uint8Array => {
  writer.u8(TYPES.indexOf(item.type)).hex(item.key)
  if (item.type === 'record') writer.bytes(item.record)
  else if (item.type === 'lease') writeLease(writer, item.lease)
  else if (item.type === 'end') writeEnd(writer, item.end)
  else {
    writer.uint(item.changes.length)
    for (const { bytes, context } of item.changes) {
      writer.bytes(bytes).uint(context.length)
      for (const { actor, seq } of context) writer.hex(actor).uint(seq)
    }
    writer.u8(item.lease === undefined ? 0 : 1)
    if (item.lease) writeLease(writer, item.lease)
  }
  return writer.finish()
}

/** The key of an encoded item, without decoding the rest. */
export const keyOfItem = (bytes: Uint8Array): SessionKey =>
  Buffer.from(bytes.buffer, bytes.byteOffset + 1, KEY_BYTES).toString('hex')

/** Byte strings in the item are views of `bytes`. @throws FRAME_INVALID */
export const decodeItem = (bytes: Uint8Array): Item => {
  const from = new ByteReader(bytes, 'FRAME_INVALID')
  const type = TYPES[from.u8()] ?? from.fail('an unknown type')
  const key = from.hex(KEY_BYTES)
  const item = readBody(from, type, key)
  from.end()
  return item
}

const readBody = (from: ByteReader, type: Item['type'], key: SessionKey): Item => {
  if (type === 'record') return { type, key, record: from.bytes(from.left) }
  if (type === 'lease') return { type, key, lease: readLease(from) }
  if (type === 'end') return { type, key, end: readEnd(from) }
  const changes: ChangeDelta[] = []
  for (let count = from.uint(Math.min(MAX_CHANGES, from.left)); count > 0; count--) changes.push(readChange(from))
  return { type, key, changes, lease: from.flag() ? readLease(from) : undefined }
}

const readChange = (from: ByteReader): ChangeDelta => {
  const bytes = from.bytes(from.left)
  const context: { actor: string; seq: number }[] = []
  for (let count = from.uint(Math.min(MAX_CONTEXT, from.left)); count > 0; count--)
    context.push({ actor: from.hex(ACTOR_BYTES), seq: from.uint() })
  return { bytes, context }
}
