/** The hash of a record's version, sums of which regions compare. */
import { hash } from 'node:crypto'
import { cutoffText } from './cutoff.js'
import { eachHeadWord } from './document-codec.js'
import type { Identity } from './identity.js'
import type { SessionKey } from './key.js'
import { END_REASONS } from './lifetime.js'
import { othersText, type SessionRecord } from './record.js'
import { RestingRecord } from './resting-record.js'

/**
 * A hash of a key and the version of its record, in two halves of 32 bits, cheap enough to be made at every commit: sums of them over
 * many records are what regions compare. It must notice accidents, not adversaries: who sends records has the secret.
 */
export const versionHash = (
  key: SessionKey,
  record: SessionRecord,
): { readonly high: number; readonly low: number } => {
  high = 0x9e3779b1
  low = 0x85ebca6b
  for (let at = 0; at < key.length; at += WORD_DIGITS) mix(wordOf(key, at))
  const stamped = record.kind === 'ended' ? record.end : record.lease
  const { time, count, actor } = stamped.stamp
  for (let at = 0; at < actor.length; at += WORD_DIGITS) mix(wordOf(actor, at))
  mix(count)
  mixNumber(time)
  mixNumber(stamped.horizon)
  if (record.kind === 'ended') mix(END_REASONS.indexOf(record.end.reason))
  else {
    const { lease, limit } = record
    // A document that rests is not woken for that: a use of a session changes its lease only.
    if (record instanceof RestingRecord) eachHeadWord(record.bytes, mix)
    else
      for (const { hash: head } of record.document.heads) {
        mix(wordOf(head, 0))
        mix(wordOf(head, WORD_DIGITS))
      }
    mixNumber(lease.idleTimeoutMs)
    mixNumber(lease.deadline)
    mixNumber(limit.createdAt)
    mixNumber(limit.deadline)
    mixNumber(limit.horizon)
    if (record.identity) mixIdentity(record.identity)
  }
  if (record.kind === 'ended' && record.cutoff) mix(wordOf(hash('sha256', cutoffText(record.cutoff), 'hex'), 0))
  if (record.others) mix(wordOf(hash('sha256', othersText(record.others), 'hex'), 0))
  return { high: finished(high), low: finished(low) }
}

/** An authentication is named by its stamp. */
const mixIdentity = ({ authentication, credentials }: Identity): void => {
  if (authentication) {
    const { time, count, actor } = authentication.stamp
    for (let at = 0; at < actor.length; at += WORD_DIGITS) mix(wordOf(actor, at))
    mix(count)
    mixNumber(time)
  }
  if (credentials)
    for (let at = 0; at < credentials.length; at += 4)
      mix((credentials[at]! << 24) | (credentials[at + 1]! << 16) | (credentials[at + 2]! << 8) | credentials[at + 3]!)
}

/** Hex digits of a word of 32 bits. */
const WORD_DIGITS = 8

/** The word that eight lower-case hex digits make. */
const wordOf = (hex: string, at: number): number => {
  let word = 0
  for (let digit = at; digit < at + WORD_DIGITS; digit++) {
    const code = hex.charCodeAt(digit)
    word = (word << 4) | (code < 0x3a ? code - 0x30 : code - 0x57)
  }
  return word
}

// MurmurHash3 for 32 bits (Appleby, 2011), twice with different seeds. The state stands here, so that a hash makes no garbage.
let high = 0
let low = 0

const mix = (word: number): void => {
  const scrambled = Math.imul(word, 0xcc9e2d51)
  const mixed = Math.imul((scrambled << 15) | (scrambled >>> 17), 0x1b873593)
  high ^= mixed
  high = (Math.imul((high << 13) | (high >>> 19), 5) + 0xe6546b64) | 0
  low ^= mixed
  low = (Math.imul((low << 13) | (low >>> 19), 5) + 0x38b34ae5) | 0
}

const mixNumber = (value: number): void => {
  mix((value % 2 ** 32) | 0)
  mix(Math.floor(value / 2 ** 32))
}

const finished = (state: number): number => {
  let hash = Math.imul(state ^ (state >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
