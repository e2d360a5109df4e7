export { decodeItem, encodeItem, type Item } from './item.js'
export {
  type Acks,
  type Ask,
  decodeMessage,
  type Digest,
  encodeMessage,
  type Heartbeat,
  type Hello,
  type Holding,
  LINK_MAGIC,
  LINK_PROTOCOL,
  LINK_VERSION,
  MAX_REGION_BYTES,
  type Message,
  NONCE_BYTES,
  type Records,
  type Resume,
  type Stretch,
  type Tell,
  type Versions,
  type Want,
} from './message.js'
export { prove, sameProof, type Transcript } from './proof.js'
