import type { ChangeDelta, End, Lease, SessionKey } from '@sojourn/core'
import { ByteReader, ByteWriter, KEY_BYTES, readEnd, readLease, writeEnd, writeLease } from '@sojourn/core'
import type { Shape } from './shape.js'
import { bytes, hex, list, optional, struct, uint, union } from './shape.js'

/**
 * One commit as it travels: a delta (changes of the document, a renewed lease, an end), or a whole record, which is
 * joined. A delta of changes names the context of each, so that a receiver can tell whether it lacks something.
 */
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

const lease: Shape<Lease> = { write: (out, value) => void writeLease(out, value), read: readLease }
const end: Shape<End> = { write: (out, value) => void writeEnd(out, value), read: readEnd }
const key = hex(KEY_BYTES)
const actor = hex(16)

const change: Shape<ChangeDelta> = struct<ChangeDelta>({
  bytes,
  context: list(struct<{ actor: string; seq: number }>({ actor, seq: uint }), 1_024),
})

const item: Shape<Item> = union<Item>({
  record: [0, struct<{ key: string; record: Uint8Array }>({ key, record: bytes })],
  changes: [
    1,
    struct<{ key: string; changes: readonly ChangeDelta[]; lease: Lease | undefined }>({
      key,
      changes: list(change, 64),
      lease: optional(lease),
    }),
  ],
  lease: [2, struct<{ key: string; lease: Lease }>({ key, lease })],
  end: [3, struct<{ key: string; end: End }>({ key, end })],
})

const writer = new ByteWriter(1024)

/** An item is encoded once, however many links it is sent on. */
export const encodeItem = (value: Item): Uint8Array => {
  item.write(writer, value)
  return writer.finish()
}

/** @throws FRAME_INVALID */
export const decodeItem = (value: Uint8Array): Item => {
  const reader = new ByteReader(value, 'FRAME_INVALID')
  const decoded = item.read(reader)
  reader.end()
  return decoded
}
