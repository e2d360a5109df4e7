import type { ErrorCode, LinkStatus } from '@sojourn/replica'
import { Readiness } from '@sojourn/server'
import { expect, it } from 'vitest'
import { steppedClock } from '../support/region.js'

const link = (state: LinkStatus['state'], toReceive?: number, held = 0): LinkStatus => ({
  state,
  toReceive,
  held,
  unacked: 0,
  lag: 0,
  rtt: undefined,
  version: undefined,
  capabilities: [],
  skew: 0,
  bufferedBytes: 0,
  bytes: { sent: 0, received: 0 },
  lastError: undefined,
  nextTryAt: undefined,
  failures: {},
})

const open = (regions: readonly string[], awaitsAll = false) => {
  const stepped = steppedClock()
  const links: Record<string, LinkStatus> = Object.fromEntries(regions.map((region) => [region, link('down')]))
  const removed = { is: false }
  const clock = { isTrusted: true, offBy: 0 }
  const takenAt: string[] = []
  const readiness = new Readiness({
    clock: stepped,
    replica: () => ({ links, clock, takenAt }),
    peerWaitMs: 60_000,
    awaitsAll,
    isRemoved: () => removed.is,
  })
  /** The reasons once the link to us is so. */
  const hear = (us: LinkStatus) => {
    links.us = us
    return readiness.reasons()
  }
  return { readiness, links, clock, takenAt, hear, removed, advance: stepped.advance }
}

it('[ADM-1] waits for what each linked peer has reported, and once, not for ever', () => {
  const { readiness, links, advance } = open(['us', 'ap'])
  expect(readiness.reasons()).toEqual(['no link to "us" yet', 'no link to "ap" yet'])
  links.us = link('live')
  expect(readiness.reasons()).toContain('catching up with "us"')
  links.us = link('live', 7)
  expect(readiness.reasons()).toContain('catching up with "us", 7 commits to come')
  links.us = link('lagging', 0)
  // It has been in step: what comes later is not waited for.
  expect(readiness.reasons()).toEqual(['no link to "ap" yet'])
  links.us = link('down')
  expect(readiness.reasons()).toEqual(['no link to "ap" yet'])
  advance(60_000)
  expect(readiness.reasons()).toEqual([])
  links.us = link('live', 9)
  links.ap = link('live', 9)
  expect(readiness.reasons()).toEqual([])
})

it('[ADM-1] waits for a peer that is there, however long that takes', () => {
  const { readiness, links, advance } = open(['us'])
  links.us = link('live', 1)
  advance(1_000_000)
  expect(readiness.isCaughtUp).toBe(false)
  links.us = link('down')
  expect(readiness.isCaughtUp).toBe(true)
})

it('[ADM-1] waits for what a peer had when it was first heard, not for a moment at which nothing is under way', () => {
  const { hear } = open(['us'])
  expect(hear(link('live', 7, 100))).toEqual(['catching up with "us", 7 commits to come'])
  expect(hear(link('live', 9, 105))).toEqual(['catching up with "us", 2 commits to come'])
  expect(hear(link('live', 9, 107))).toEqual([])
})

it('[ADM-1] does not wait for what a peer has lost', () => {
  const { hear } = open(['us'])
  expect(hear(link('live', 50, 100))).toEqual(['catching up with "us", 50 commits to come'])
  // It begins anew, with an empty store.
  expect(hear(link('live', 3, 0))).toEqual(['catching up with "us", 3 commits to come'])
  expect(hear(link('live', 1, 3))).toEqual([])
})

it('[ADM-1] is ready alone, and not while it stops or where it was removed', () => {
  const { readiness, removed } = open([])
  expect(readiness.reasons()).toEqual([])
  removed.is = true
  expect(readiness.reasons()).toEqual(['this region was removed from the others'])
  removed.is = false
  readiness.stop()
  expect(readiness.reasons()).toEqual(['the server is stopping'])
})

const refused = (code: ErrorCode): LinkStatus => ({
  ...link('down'),
  lastError: { code, reason: code, why: 'because', at: 0 },
})

it('[ADM-1] is not ready while its clock cannot be trusted, and lets clients in all the same', () => {
  const { readiness, clock } = open([])
  Object.assign(clock, { isTrusted: false, offBy: 3_600_000 })
  expect(readiness.reasons()).toEqual(['its clock is ahead by 3600 s: it jumped, or most regions disagree with it'])
  expect(readiness.mayOpen).toBe(true)
  Object.assign(clock, { isTrusted: true, offBy: 0 })
  expect(readiness.reasons()).toEqual([])
})

it('[ADM-1] is not ready where no region gets on with it, but where they are away, or only one of them does not', () => {
  const { readiness, links, advance } = open(['us', 'ap'])
  advance(1_000_000)
  links.us = refused('LINK_SKEW')
  expect(readiness.reasons()).toEqual([])
  links.ap = refused('LINK_SECRET')
  expect(readiness.reasons()).toEqual(['all links fail: us: LINK_SKEW, ap: LINK_SECRET'])
  links.us = refused('LINK_UNREACHABLE')
  expect(readiness.reasons()).toEqual([])
  // Of two regions nobody knows which is wrong.
  delete links.us
  expect(readiness.reasons()).toEqual([])
})

it('[REGION-2] is not ready where every peer is linked with another process of its name, and until all let it in', () => {
  const { readiness, links, takenAt } = open(['us', 'ap'])
  links.us = link('live', 0)
  links.ap = refused('LINK_REGION_TAKEN')
  takenAt.push('ap')
  expect(readiness.reasons()).not.toContainEqual(expect.stringContaining('another process'))
  takenAt.push('us')
  const other = 'another process runs as this region, and is linked with ap, us'
  expect(readiness.reasons()).toContain(other)
  expect(readiness.mayOpen).toBe(false)
  takenAt.pop()
  expect(readiness.reasons()).toContain('another process runs as this region, and is linked with ap')
  takenAt.pop()
  links.ap = link('live', 0)
  expect(readiness.reasons()).toEqual([])
})

it('[BACKUP-3] a restored replica waits for every peer, down or not', () => {
  const { readiness, links, advance } = open(['us', 'ap'], true)
  advance(1_000_000)
  links.us = link('live', 0)
  expect(readiness.reasons()).toEqual(['restored from a backup, and "ap" has not reported what ended since'])
  delete links.ap
  expect(readiness.reasons()).toEqual([])
})
