import { CHECKERS, type History, type Loss, type Operation, type SessionName } from '@sojourn/sim'
import { describe, expect, it } from 'vitest'

/** What the checkers demand of a write whose region lost its directory afterwards. */

const SESSION: SessionName = { name: 's1', id: 'an id', ownId: false, base: undefined }
const SEEN = { data: { f0: 'v1', cart: { i1: 1 } }, createdAt: 0, expiresAt: 1_000_000 }

const operation = (more: Partial<Operation>): Operation => ({
  n: 1,
  kind: 'create',
  client: 'c1',
  region: 'eu',
  incarnation: 1,
  session: SESSION,
  level: 'local',
  need: 1,
  members: 3,
  value: 'v1',
  timeoutMs: 1_000,
  invokedAt: 100,
  returnedAt: 110,
  wallLow: 100,
  wallHigh: 110,
  hadWrongClock: false,
  outcome: 'ok',
  code: undefined,
  found: undefined,
  seen: SEEN,
  wasAlive: undefined,
  successor: undefined,
  madeId: undefined,
  usedId: undefined,
  ...more,
})

const EMPTIED: Loss = { region: 'eu', at: 500, from: Number.NEGATIVE_INFINITY, what: 'empty' }

/** A history at whose end no region shows the session. */
const history = (operations: readonly Operation[], loss: Loss): History => ({
  operations,
  sessions: [SESSION],
  losses: [loss],
  troubles: [],
  incarnations: [],
  samples: [],
  changes: [],
  complaints: [],
  settled: ['eu', 'us', 'ap'].map((region) => ({
    region,
    sessions: new Map(),
    unknownKeys: [],
    status: { sessions: 0, expired: 0, tombstones: 0, pending: 0, cacheEntries: 0 },
    diskRows: undefined,
    wall: 2_000,
  })),
  unsettled: undefined,
  afterwards: undefined,
  bounds: {
    maxPendingCommits: 1,
    maxRecentBytes: 1,
    maxCacheEntries: 1,
    maxCacheBytes: 1,
    maxBufferedBytes: 1,
    maxUncheckpointedBytes: 1,
  },
  usualDelayMs: 1,
  maxClockErrorMs: 1,
  purgeGraceMs: 10_000,
  maxLifetimeMs: 2_000_000,
  clocksStepped: false,
})

const broken = (operations: readonly Operation[], loss: Loss): string[] => [
  ...new Set(CHECKERS.flatMap((check) => [...check(history(operations, loss))]).map(({ rule }) => rule)),
]

const read = (invokedAt: number) =>
  operation({
    kind: 'get',
    value: undefined,
    invokedAt,
    returnedAt: invokedAt + 1,
    wallLow: invokedAt,
    wallHigh: invokedAt + 1,
    outcome: 'absent',
    seen: undefined,
  })

describe('a region that lost its directory', () => {
  it('[NEM-2] may have taken with it what nobody else had acknowledged', () => {
    expect(broken([operation({})], EMPTIED)).toEqual([])
    expect(broken([operation({})], { ...EMPTIED, sparedBefore: 50 })).toEqual([])
  })

  it('[NEM-2] gets back what every region had', () => {
    expect(broken([operation({})], { ...EMPTIED, sparedBefore: 200 })).toEqual(['KEEP-1'])
  })

  it('[NEM-2] has not taken what a majority acknowledged', () => {
    expect(broken([operation({ level: 'majority', need: 2 })], EMPTIED)).toEqual(['KEEP-1'])
  })

  it('[NEM-2] need not show what it gets back until it has caught up', () => {
    const loss = { ...EMPTIED, sparedBefore: 200, wholeAt: 900 }
    expect(broken([operation({}), read(600)], loss)).toEqual(['KEEP-1'])
    expect(broken([operation({}), read(950)], loss)).toEqual(['KEEP-1', 'EXP-1'])
  })
})

describe('a clock that was hours off', () => {
  it('[NEM-2] binds nobody by how long it let a session live', () => {
    const never = { ...EMPTIED, at: -1 }
    expect(broken([operation({})], never)).toEqual(['KEEP-1'])
    expect(broken([operation({ hadWrongClock: true })], never)).toEqual([])
  })
})
