/** Every state that a record of a store ever had, and which of them a reading is. */
import { recordVersion, type SessionKey, versionHash } from '@sojourn/core/internal'
import type { Reading, RecordStore } from '@sojourn/store'
import { expect } from 'vitest'

/** The version of a record that is not there. */
export const ABSENT = 'absent'

/** What a record was after a commit. */
export interface State {
  /** Names the state; {@link ABSENT} where there is no record. */
  readonly version: string
  /** Of a purge: that of the commit before. */
  readonly sequence: number
  readonly actor: string
  /** As what it came from the peer. */
  readonly origin: number | undefined
  /** The last entry of the journal that may have it; undefined: it is not known to be there. */
  entry: number | undefined
  /** Its caller was answered. */
  isAcked: boolean
  /** Its caller was refused, and it is not in the journal. */
  isRefused: boolean
}

/** Before anything was committed. */
export const firstState = (): State => ({
  version: ABSENT,
  sequence: 0,
  actor: '',
  origin: undefined,
  entry: 0,
  isAcked: true,
  isRefused: false,
})

/** The latest state that a reading can be. */
export const placeOf = (history: readonly State[], reading: Reading): number =>
  history.findLastIndex(({ version, sequence, isRefused }) =>
    reading.state === 'held'
      ? !isRefused && version === recordVersion(reading.record) && sequence === reading.sequence
      : !isRefused && reading.state === 'absent' && version === ABSENT,
  )

export const describeReading = (reading: Reading): string =>
  reading.state === 'held' ? `${recordVersion(reading.record)} at ${reading.sequence}` : reading.state

export const describeStates = (history: readonly State[], from: number): string =>
  history
    .map(({ version, sequence, entry, isAcked, isRefused }, place) => {
      const how = isRefused ? ', refused' : isAcked ? ', acknowledged' : ''
      return `${place >= from ? '' : 'formerly '}${version} at ${sequence} in entry ${entry}${how}`
    })
    .join('; ')

/** The index says what reading all records says. */
export const expectIndex = ({ index, counts }: RecordStore, readings: ReadonlyMap<SessionKey, Reading>): void => {
  const held = [...readings].flatMap(([key, reading]) => (reading.state === 'held' ? [{ key, ...reading }] : []))
  const known = [...readings].filter(([, { state }]) => state !== 'absent').map(([key]) => key)
  expect([...index.keys()].flat()).toEqual(known.sort())
  const sum = (half: 'high' | 'low') =>
    held.reduce((total, { key, record }) => (total + versionHash(key, record)[half]) >>> 0, 0)
  expect(index.sum).toEqual({ high: sum('high'), low: sum('low') })
  const tombstones = held.filter(({ record }) => record.kind === 'ended').length
  expect(counts).toEqual({ sessions: known.length - tombstones, expired: 0, tombstones })
  const feed = []
  const cursor = index.openFeed(0)
  for (let next = index.nextInFeed(cursor); next; next = index.nextInFeed(cursor)) feed.push(next)
  index.closeFeed(cursor)
  const bySequence = held.sort((a, b) => a.sequence - b.sequence)
  expect(
    feed.filter(({ key }) => readings.get(key)?.state === 'held').map(({ key, sequence }) => ({ key, sequence })),
  ).toEqual(bySequence.map(({ key, sequence }) => ({ key, sequence })))
}
