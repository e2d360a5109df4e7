import type { Recorded } from './proxy.js'

/** What a listener on the network reads of connections: their bytes, and what those are where they are WebSockets without TLS. */

const HEAD_END = '\r\n\r\n'

/** The payloads of the frames of RFC 6455, section 5.2; those of who dialed are masked. */
const payloadsOf = (frames: Buffer): Buffer[] => {
  const payloads: Buffer[] = []
  let at = 0
  while (at + 2 <= frames.length) {
    const isMasked = (frames[at + 1]! & 0x80) !== 0
    let length = frames[at + 1]! & 0x7f
    at += 2
    if (length === 126) {
      if (at + 2 > frames.length) break
      length = frames.readUInt16BE(at)
      at += 2
    } else if (length === 127) {
      if (at + 8 > frames.length) break
      length = Number(frames.readBigUInt64BE(at))
      at += 8
    }
    const mask = isMasked ? frames.subarray(at, at + 4) : Buffer.alloc(4)
    if (isMasked) at += 4
    payloads.push(Buffer.from(frames.subarray(at, at + length).map((byte, index) => byte ^ mask[index % 4]!)))
    at += length
  }
  return payloads
}

/** All that was said, raw and, as far as it can be read, unmasked. */
export const overheard = (recorded: readonly Recorded[]): Buffer =>
  Buffer.concat(
    recorded.flatMap(({ bytes }) => {
      const isReadable = /^(GET|HTTP)/.test(bytes.toString('latin1', 0, 4))
      const end = bytes.indexOf(HEAD_END)
      return isReadable && end >= 0 ? [bytes, ...payloadsOf(bytes.subarray(end + HEAD_END.length))] : [bytes]
    }),
  )
