import type {
  Data,
  Decided,
  Decision,
  Edit,
  Item,
  LiveRecord,
  MergeContext,
  SessionRecord,
} from '@sojourn/core/internal'
import {
  changeSession,
  createSession,
  DEFAULT_LIMITS,
  EMPTY_FOLD,
  encodeRecord,
  endSession,
  materialize,
  succeedSession,
  takeItem,
  takeRecord,
  touchSession,
} from '@sojourn/core/internal'
import { describe, expect, test } from 'vitest'

/** Decisions are functions of a record, a time and a request: no store, no clock and no disk are here. */

const KEY = '5e'.repeat(16)
const OURS = 'aa'.repeat(16)
const THEIRS = 'bb'.repeat(16)
const SECRET = 'cc'.repeat(16)
const T = 1_000_000
const MINUTE = 60_000
const HOUR = 60 * MINUTE
/** How far a written renewal of 30 minutes reaches: a twentieth further. */
const REACH = 31.5 * MINUTE
const writer = { stamps: OURS, actorFor: () => OURS }
const CONTEXT: MergeContext = { limits: DEFAULT_LIMITS, now: T }

const set = (path: string, value: string | number): Edit => ({ kind: 'set', path, value })
const dataOf = (record: SessionRecord | undefined): Data => materialize((record as LiveRecord).document).data

const decided = (made: Decided): Decision => {
  if ('refusal' in made) throw made.refusal
  return made
}

const created = (edits: readonly Edit[] = [set('/n', 1)], now = T): LiveRecord =>
  decided(createSession(undefined, now, { edits, idleTimeoutMs: 30 * MINUTE, lifetimeMs: 24 * HOUR, writer }))
    .next as LiveRecord

const changed = (current: SessionRecord | undefined, now: number, edits: readonly Edit[], touch = true) =>
  changeSession(current, now, {
    key: KEY,
    edit: () => edits,
    view: () => dataOf(current),
    touch,
    renewal: {},
    writer,
  })

const ended = (): SessionRecord => endSession(created(), T, END).next!
const END = { key: KEY, reason: 'logout', stamps: OURS, maxLifetimeMs: 30 * 24 * HOUR } as const

describe('creating', () => {
  test('[API-1] makes a record that lives from now on, for its idle timeout and its lifetime', () => {
    const decision = decided(
      createSession(undefined, T, {
        edits: [set('/n', 1)],
        idleTimeoutMs: 30 * MINUTE,
        lifetimeMs: 24 * HOUR,
        writer,
      }),
    )
    expect(decision).toMatchObject({ item: undefined, event: { name: 'created' } })
    expect(decision.next).toMatchObject({
      kind: 'live',
      lease: { idleTimeoutMs: 30 * MINUTE, deadline: T + 30 * MINUTE, horizon: T + 30 * MINUTE },
      limit: { createdAt: T, deadline: T + 24 * HOUR, horizon: T + 24 * HOUR },
    })
    expect(dataOf(decision.next)).toEqual({ n: 1 })
  })

  test.each<[what: string, current: () => SessionRecord, now: number, state: string]>([
    ['lives', created, T, 'live'],
    ['has expired and is not purged', created, T + HOUR, 'expired'],
    ['has ended', ended, T, 'ended'],
  ])('[END-1] under an id whose session %s is refused', (_, current, now, state) => {
    const made = createSession(current(), now, { edits: [], idleTimeoutMs: HOUR, lifetimeMs: HOUR, writer })
    expect(made).toMatchObject({ refusal: { code: 'SESSION_EXISTS', state } })
  })
})

describe('changing', () => {
  test('[API-1] gives the changes and the renewed lease as one delta', () => {
    const now = T + 10 * MINUTE
    const decision = decided(changed(created(), now, [set('/n', 2)]))
    expect(dataOf(decision.next)).toEqual({ n: 2 })
    expect(decision.event).toEqual({ name: 'updated' })
    expect(decision.item).toMatchObject({ type: 'changes', key: KEY, lease: { deadline: now + REACH } })
    expect((decision.item as Item & { type: 'changes' }).changes).toHaveLength(1)
  })

  test('[EXP-3] without a touch leaves the lease alone', () => {
    const decision = decided(changed(created(), T + 10 * MINUTE, [set('/n', 2)], false))
    expect(decision.item).toMatchObject({ type: 'changes', lease: undefined })
    expect((decision.next as LiveRecord).lease.deadline).toBe(T + 30 * MINUTE)
  })

  test('[EXP-3] that changes nothing renews the lease only; soon after a renewal, not even that', () => {
    const record = created()
    const now = T + 10 * MINUTE
    expect(decided(changed(record, now, []))).toMatchObject({
      item: { type: 'lease', key: KEY, lease: { deadline: now + REACH } },
      event: undefined,
    })
    expect(decided(changed(record, T, [])).next).toBeUndefined()
    expect(decided(changed(record, now, [], false)).next).toBeUndefined()
  })

  test.each<[what: string, current: SessionRecord | undefined, now: number]>([
    ['is unknown', undefined, T],
    ['expires at this millisecond', created(), T + 30 * MINUTE],
    ['has ended', ended(), T],
  ])('[END-1] a session that %s is refused, as are a touch and a rotation of it', (_, current, now) => {
    const refused = { refusal: { code: 'SESSION_NOT_FOUND' } }
    expect(changed(current, now, [set('/n', 2)])).toMatchObject(refused)
    expect(touchSession(current, now, { key: KEY, renewal: {}, stamps: OURS })).toMatchObject(refused)
    expect(succeedSession(current, now, { edits: () => [], writer, secret: SECRET })).toMatchObject(refused)
  })

  test('[API-1] a millisecond earlier it is taken', () => {
    expect(dataOf(decided(changed(created(), T + 30 * MINUTE - 1, [set('/n', 2)])).next)).toEqual({ n: 2 })
  })
})

describe('touching', () => {
  const touched = (now: number, renewal = {}) =>
    decided(touchSession(created(), now, { key: KEY, renewal, stamps: OURS }))

  test('[EXP-3] reaches a twentieth of the idle timeout further, and is written again when that is used up', () => {
    const first = touched(T + 1)
    expect(first).toMatchObject({ item: { type: 'lease', lease: { deadline: T + 1 + REACH } }, event: undefined })
    const again = (now: number, renewal = {}) =>
      decided(touchSession(first.next, now, { key: KEY, renewal, stamps: OURS }))
    const granularity = REACH - 30 * MINUTE
    expect(again(T + 1 + granularity).next).toBeUndefined()
    expect(again(T + 2 + granularity)).toMatchObject({ item: { lease: { deadline: T + 2 + granularity + REACH } } })
    // Another timeout is written at once.
    expect(again(T + 2, { idleTimeoutMs: HOUR })).toMatchObject({ item: { lease: { idleTimeoutMs: HOUR } } })
  })

  test('[EXP-5] with a granularity of 0 is exact', () => {
    expect(touched(T + 1, { granularityMs: 0 })).toMatchObject({ item: { lease: { deadline: T + 1 + 30 * MINUTE } } })
  })

  test('[EXP-2] a shorter idle timeout keeps the horizon, so that who missed it does not show a session that was purged', () => {
    const { next } = touched(T + 2 * MINUTE, { idleTimeoutMs: MINUTE, granularityMs: 0 })
    expect((next as LiveRecord).lease).toMatchObject({ deadline: T + 3 * MINUTE, horizon: T + 30 * MINUTE })
  })
})

describe('ending', () => {
  test('[END-1] leaves no data and lasts as long as any copy could show the session', () => {
    const decision = endSession(created(), T + MINUTE, END)
    expect(decision).toMatchObject({ event: { name: 'ended', reason: 'logout' }, wasVisible: true })
    expect(decision.next).toEqual({
      kind: 'ended',
      end: { reason: 'logout', stamp: { time: T + MINUTE, count: 0, actor: OURS }, horizon: T + 24 * HOUR },
    })
    expect(decision.item).toMatchObject({ type: 'end', key: KEY })
  })

  test('[END-1] of a session that is unknown here holds for one that lives elsewhere', () => {
    const decision = endSession(undefined, T, END)
    expect(decision).toMatchObject({ wasVisible: false, next: { end: { horizon: T + 60 * 24 * HOUR } } })
  })

  test('[END-1] twice is nothing, and an expired one did not show', () => {
    expect(endSession(ended(), T, END)).toMatchObject({ next: undefined, event: undefined, wasVisible: false })
    expect(endSession(created(), T + HOUR, END)).toMatchObject({ next: { kind: 'ended' }, wasVisible: false })
  })
})

test('[API-1] a rotation keeps the limit and the idle timeout, and has the data that it is given', () => {
  const now = T + 10 * MINUTE
  const { next, event } = decided(
    succeedSession(created(), now, { edits: () => [set('/role', 'admin')], writer, secret: SECRET }),
  )
  expect(event).toEqual({ name: 'created' })
  expect(next).toMatchObject({
    lease: { idleTimeoutMs: 30 * MINUTE, deadline: now + 30 * MINUTE },
    limit: { createdAt: T, deadline: T + 24 * HOUR },
  })
  expect(dataOf(next)).toEqual({ role: 'admin' })
})

describe('what a peer sends', () => {
  const record = created()
  const theirWriter = { stamps: THEIRS, actorFor: () => THEIRS }
  const theirs = (current: LiveRecord, now: number, edits: readonly Edit[]) =>
    decided(
      changeSession(current, now, {
        key: KEY,
        edit: () => edits,
        view: () => dataOf(current),
        touch: true,
        renewal: {},
        writer: theirWriter,
      }),
    )

  test('[CONV-1] a change is taken once, and travels on as it came', () => {
    const { item } = theirs(record, T + 10 * MINUTE, [set('/n', 2)])
    const first = takeItem(record, item!, { ...CONTEXT, now: T + 10 * MINUTE })
    expect(dataOf(first.next)).toEqual({ n: 2 })
    expect(first).toMatchObject({ event: { name: 'updated' }, isRevived: false })
    expect(first.item).toBe(item)
    expect(takeItem(first.next, item!, CONTEXT)).toMatchObject({ next: undefined, event: undefined })
  })

  test('[SYNC-1] a change that builds on what is not here asks for the whole record', () => {
    const first = theirs(record, T + 1, [set('/n', 2)])
    const second = theirs(first.next as LiveRecord, T + 2, [set('/n', 3)])
    expect(takeItem(record, second.item!, CONTEXT)).toMatchObject({ isMissing: true, next: undefined })
    expect(takeItem(undefined, first.item!, CONTEXT)).toMatchObject({ isMissing: true, next: undefined })
  })

  test('[END-1] nothing changes a session that has ended', () => {
    const { item, next } = theirs(record, T + 1, [set('/n', 2)])
    expect(takeItem(ended(), item!, CONTEXT).next).toBeUndefined()
    expect(takeRecord(ended(), next!, CONTEXT).next).toBeUndefined()
  })

  test('[END-1] an end is emitted once, under the reason that it came with', () => {
    const { item } = endSession(record, T, { ...END, reason: 'revoked', stamps: THEIRS })
    expect(takeItem(record, item!, CONTEXT)).toMatchObject({
      next: { kind: 'ended' },
      event: { name: 'ended', reason: 'revoked' },
    })
    expect(takeItem(ended(), item!, CONTEXT).event).toBeUndefined()
  })

  test('[EXP-2] a renewal that comes late revives what has expired here, and the record must travel whole', () => {
    const { item, next } = theirs(record, T + 29 * MINUTE, [])
    const late = { ...CONTEXT, now: T + 40 * MINUTE }
    const revived = { isRevived: true, item: undefined, event: { name: 'updated' } }
    expect(takeItem(record, item!, late)).toMatchObject(revived)
    expect(takeRecord(record, next!, late)).toMatchObject(revived)
  })

  test('[CLOCK-2] a lease stamped by a clock that is far ahead is refused, and so is a record with one', () => {
    const { item, next } = theirs(record, T + 10 * MINUTE, [])
    const early = { ...CONTEXT, now: T - 48 * HOUR }
    expect(takeItem(record, item!, early)).toMatchObject({ isRefused: true, next: undefined })
    expect(takeRecord(record, next!, early)).toMatchObject({ isRefused: true, next: undefined })
  })

  test('[CONV-1] a whole record that was unknown is taken with the bytes that it came in', () => {
    const encoded = encodeRecord(record)
    const taken = takeItem(undefined, { type: 'record', key: KEY, record: encoded }, CONTEXT)
    expect(taken).toMatchObject({ event: { name: 'created' } })
    expect(taken.encoded).toBe(encoded)
    expect(dataOf(taken.next)).toEqual({ n: 1 })
  })
})

test('[CONV-1] an empty document is a session, too', () => {
  expect(created([]).document).toBe(EMPTY_FOLD)
})
