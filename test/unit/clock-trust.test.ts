/** When a wall clock is trusted, and what time it is else. */
import type { Clock } from '@sojourn/core/internal'
import { describe, expect, it } from 'vitest'
import { type ClockView, doubtOf } from '../../packages/replica/src/clock-trust.js'
import { TrustedClock } from '../../packages/replica/src/trusted-clock.js'

const SKEW = 5_000
const HOUR = 3_600_000
const view = (more: Partial<ClockView> = {}): ClockView => ({
  offset: 0,
  trusted: 0,
  wasVerified: true,
  peers: [],
  maxSkewMs: SKEW,
  ...more,
})
const around = (center: number) => ({ min: center - SKEW, max: center + SKEW })

describe('[CLOCK-1] the judgment', () => {
  it.each<[string, Partial<ClockView>, ReturnType<typeof doubtOf>]>([
    ['nobody is heard, and it did not jump', {}, undefined],
    ['nobody is heard, and it moved by as much as clocks may', { offset: SKEW }, undefined],
    ['nobody is heard, and it jumped', { offset: HOUR }, around(0)],
    ['nobody is heard, and it jumped back', { offset: -HOUR }, around(0)],
    ['the only peer agrees', { peers: [SKEW] }, undefined],
    ['the only peer agrees with what it jumped to', { offset: HOUR, peers: [HOUR] }, undefined],
    ['it jumped, and the only peer did not', { offset: HOUR, peers: [1] }, around(1)],
    ['both jumped, apart', { offset: HOUR, peers: [2 * HOUR] }, around(0)],
    ['the only peer jumped', { peers: [HOUR] }, undefined],
    [
      'it never agreed with the only peer',
      { wasVerified: false, peers: [-HOUR] },
      { min: Number.NEGATIVE_INFINITY, max: SKEW - HOUR },
    ],
    ['two disagree', { peers: [HOUR, HOUR + 1] }, around(HOUR)],
    ['two disagree, though it never jumped', { peers: [-HOUR, -HOUR] }, around(-HOUR)],
    ['one of two disagrees', { peers: [HOUR, 0] }, undefined],
    ['two of three disagree', { peers: [HOUR, 0, HOUR] }, around(HOUR)],
    ['two of four disagree', { peers: [HOUR, 0, HOUR, 0] }, undefined],
  ])('%s', (_, more, doubt) => {
    expect(doubtOf(view(more))).toEqual(doubt)
  })
})

const START = 1_800_000_000_000

const sure = (clock: number) => ({ clock, isClockSure: true })
const unsure = (clock: number) => ({ clock, isClockSure: false })

const machine = (peers: readonly string[]) => {
  const time = { wall: START, monotonic: 0 }
  const later: (() => void)[] = []
  const raw: Clock = {
    now: () => time.wall,
    monotonic: () => time.monotonic,
    after: () => ({ cancel() {}, hold() {}, release() {} }),
    soon: (callback) => void later.push(callback),
    endOfTurn: (callback) => void later.push(callback),
  }
  const clock = new TrustedClock({
    clock: raw,
    maxSkewMs: SKEW,
    isPeer: (region) => peers.includes(region),
    peerCount: () => peers.length,
  })
  const changes: boolean[] = []
  clock.watch(() => changes.push(clock.isTrusted))
  const pass = (ms: number) => {
    time.wall += ms
    time.monotonic += ms
  }
  return {
    clock,
    changes,
    pass,
    jump(ms: number) {
      time.wall += ms
    },
    /** A peer whose clock is right is heard. */
    hear: (region: string, ageMs = 0) => clock.heard(region, sure(START + time.monotonic - ageMs / 2), ageMs),
    settle() {
      for (const run of later.splice(0)) run()
    },
  }
}

describe('[CLOCK-1] the time that a replica goes by', () => {
  it('is the wall clock, where that drifts, too', () => {
    const { clock, pass, jump } = machine(['us'])
    for (let n = 0; n < 100; n++) {
      pass(1_000)
      jump(SKEW - 1)
      expect(clock.now()).toBe(clock.wall())
    }
    expect(clock.isTrusted).toBe(true)
  })

  it('is held to the peers where it jumps, and purges nothing until they agree', () => {
    const { clock, pass, jump, hear, changes, settle } = machine(['us', 'ap'])
    for (const peer of ['us', 'ap']) hear(peer)
    settle()
    expect(clock.mayPurge).toBe(true)
    pass(1_000)
    jump(49 * HOUR)
    expect(clock.now()).toBe(START + 1_000 + SKEW)
    expect(clock.mayPurge).toBe(false)
    expect(clock.offByMs).toBe(49 * HOUR - SKEW)
    pass(80_000)
    for (const peer of ['us', 'ap']) hear(peer)
    expect(clock.now()).toBe(START + 81_000 + SKEW)
    jump(-49 * HOUR)
    expect(clock.now()).toBe(START + 81_000)
    expect(clock.mayPurge).toBe(true)
    settle()
    expect(changes).toEqual([true, true, true])
  })

  it('believes a jump that the peers made, too: a machine that slept', () => {
    const { clock, jump } = machine(['us', 'ap'])
    jump(HOUR)
    expect(clock.isTrusted).toBe(false)
    for (const peer of ['us', 'ap']) clock.heard(peer, sure(START + HOUR), 20)
    expect(clock.now()).toBe(START + HOUR)
    expect(clock.mayPurge).toBe(true)
  })

  it('is not taken for wrong by a peer that doubts its own clock: after a start nobody else may be heard', () => {
    const { clock } = machine(['us', 'ap'])
    clock.heard('us', unsure(START - HOUR), 20)
    expect(clock.now()).toBe(START)
    expect(clock.isTrusted).toBe(true)
    clock.heard('us', sure(START - HOUR), 20)
    expect(clock.isTrusted).toBe(false)
  })

  it('says that it is in doubt while it is, and what the machine shows', () => {
    const { clock, jump, hear } = machine(['us', 'ap'])
    for (const peer of ['us', 'ap']) hear(peer)
    jump(-HOUR)
    expect(clock.shown()).toEqual(unsure(START - HOUR))
    // All machines were set back: each still doubts, and all agree.
    for (const peer of ['us', 'ap']) clock.heard(peer, unsure(START - HOUR), 20)
    expect(clock.shown()).toEqual(sure(START - HOUR))
  })

  it('alone goes by its clock at once, and purges by it after ten minutes', () => {
    const { clock, jump, pass } = machine([])
    jump(HOUR)
    expect(clock.now()).toBe(START + HOUR)
    expect(clock.mayPurge).toBe(false)
    pass(599_000)
    expect(clock.mayPurge).toBe(false)
    pass(1_000)
    expect(clock.mayPurge).toBe(true)
  })

  it('goes by its clock after ten minutes in which no peer was heard', () => {
    const { clock, jump, pass } = machine(['us'])
    jump(HOUR)
    expect(clock.now()).toBe(START + SKEW)
    pass(599_000)
    expect(clock.isTrusted).toBe(false)
    pass(1_000)
    expect(clock.now()).toBe(START + HOUR + 600_000)
    expect(clock.mayPurge).toBe(true)
  })

  it('purges nothing before it has heard a peer, for a minute at most', () => {
    const { clock, pass, hear } = machine(['us'])
    expect(clock.isKnown).toBe(false)
    hear('us', SKEW + 1)
    expect(clock.mayPurge).toBe(false)
    pass(60_000)
    expect(clock.mayPurge).toBe(true)
    const other = machine(['us'])
    other.hear('us', 200)
    expect(other.clock.mayPurge).toBe(true)
  })

  it('is not misled by what waited for long because this process stood still', () => {
    const { clock, pass } = machine(['us', 'ap'])
    pass(30_000)
    // Written half a minute ago, and read only now.
    for (const peer of ['us', 'ap']) clock.heard(peer, sure(START), 30_000)
    expect(clock.isTrusted).toBe(true)
    // A slow network: it may be right now.
    for (const peer of ['us', 'ap']) clock.heard(peer, sure(START + 30_000 - SKEW - 2_000), 4_000)
    expect(clock.isTrusted).toBe(true)
  })

  it('forgets who is no longer a member, or was not heard for a minute', () => {
    const members = ['us', 'ap']
    const { clock, pass } = machine(members)
    for (const peer of ['us', 'ap']) clock.heard(peer, sure(START + HOUR), 0)
    expect(clock.isTrusted).toBe(false)
    pass(61_000)
    expect(clock.isTrusted).toBe(true)
  })
})
