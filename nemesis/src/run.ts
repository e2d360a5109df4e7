import { createWriteStream, mkdirSync, mkdtempSync, rmSync, type WriteStream, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Loss, Prng, type Trouble, type Violation } from '@sojourn/sim'
import { Archive, common } from './archive.js'
import { bugEnv } from './bugs.js'
import { Crowd } from './crowd.js'
import { Faults, type Tally } from './faults.js'
import { judge } from './judge.js'
import { watchMachine } from './machine.js'
import { newSignal, pause } from './pause.js'
import { Region } from './region.js'
import { findFaketime } from './region-clock.js'
import { type FaultKind, planOf, REGIONS, type RoundPlan, showStep, smallRegionOf } from './schedule.js'
import { agree, namesOf, type Settled, settle } from './settling.js'
import { Watch } from './watch.js'
import { Wires } from './wires.js'

/** A run: three regions and their users, round after round of things that go wrong, each judged when all is well again. */

/** What a round needs beside the time in which things go wrong: everything is healed, and compared. */
const SETTLING_MS = 12_000
const START_MS = 60_000

export interface RunOptions {
  readonly seed: number
  readonly ms: number
  /** Only this round, again and again. */
  readonly round: number | undefined
  /** Calls a second. */
  readonly rate: number
  readonly faults: readonly FaultKind[]
  readonly bug: string | undefined
  /** Where the run's own directory is made. */
  readonly dir: string
}

export interface Totals extends Tally {
  rounds: number
  sessions: number
  /** Calls that clients asked again. */
  repeated: number
  starts: number
  /** By outcome, and the codes of those that failed. */
  readonly outcomes: Map<string, number>
  readonly codes: Map<string, number>
  settleMs: number
  ms: number
}

/** What runs, in a few words. */
export interface Standing {
  readonly ms: number
  readonly round: number
  readonly phase: 'starting' | 'going wrong' | 'settling'
  readonly operations: number
  readonly active: readonly string[]
}

/** A round that broke a rule. */
export interface Failure {
  readonly plan: RoundPlan
  readonly violations: readonly Violation[]
}

export class Run {
  readonly home: string
  readonly #options: RunOptions
  readonly #log: WriteStream
  readonly #start = performance.now()
  readonly #losses: Loss[] = []
  readonly #troubles: Trouble[] = []
  #complaints: string[] = []
  readonly #archive = new Archive()
  readonly #regions: readonly Region[]
  readonly #watch: Watch
  readonly #machine: ReturnType<typeof watchMachine>
  #wires: Wires | undefined
  #crowd: Crowd | undefined
  #plan: RoundPlan
  #faults: Faults | undefined
  #phase: Standing['phase'] = 'starting'
  #operations = 0
  #isClosed = false
  /** Why a kind of fault cannot be brought about here. */
  readonly missing = new Map<FaultKind, string>()
  readonly totals: Totals = {
    rounds: 0,
    sessions: 0,
    repeated: 0,
    starts: 0,
    outcomes: new Map(),
    codes: new Map(),
    injected: new Map(),
    skipped: new Map(),
    settleMs: 0,
    ms: 0,
  }

  constructor(options: RunOptions) {
    this.#options = options
    const env = bugEnv(options.bug)
    this.home = mkdtempSync(join(options.dir, 'sojourn-nemesis-'))
    mkdirSync(join(this.home, 'logs'))
    this.#log = createWriteStream(join(this.home, 'logs', 'run.log'))
    this.#plan = this.#planOf(options.round ?? 1)
    const faketime = findFaketime()
    if (!faketime) this.missing.set('clock', 'libfaketime is not installed (Debian: apt-get install faketime)')
    this.#regions = REGIONS.map(
      (name) =>
        new Region(name, this.home, faketime, {
          wires: () => this.#wires!,
          settings: (region) => this.#plan.settings[region],
          bugEnv: env,
          opened: (region) => {
            this.totals.starts++
            void this.#watch.opened(region)
          },
          complain: (what) => this.#complain(what),
        }),
    )
    this.#watch = new Watch(this.#regions, this.#now, this.#losses)
    this.#machine = watchMachine(REGIONS, this.#now, this.#troubles)
    const why = this.#region(smallRegionOf(options.seed)).directory.mount()
    if (why) this.missing.set('fill', `no small file system can be mounted: ${why}`)
  }

  /** Milliseconds since the run began. */
  readonly #now = (): number => performance.now() - this.#start

  #planOf(round: number): RoundPlan {
    return planOf(this.#options.seed, round, this.#options.faults)
  }

  #region(name: string): Region {
    return this.#regions.find((region) => region.name === name)!
  }

  #report(what: string): void {
    this.#log.write(`${(this.#now() / 1_000).toFixed(3).padStart(9)} ${what}\n`)
  }

  #complain(what: string): void {
    this.#report(`!!! ${what}`)
    this.#complaints.push(what)
  }

  get standing(): Standing {
    return {
      ms: this.#now(),
      round: this.#plan.round,
      phase: this.#phase,
      operations: this.#operations + (this.#crowd?.users.operations.length ?? 0),
      active: this.#faults?.active ?? [],
    }
  }

  /** Plays rounds until the time is over, the signal is given, or one breaks a rule; that one is returned. */
  async play(signal: AbortSignal): Promise<Failure | undefined> {
    await this.#open(signal)
    for (let index = 0; !signal.aborted; index++) {
      this.#plan = this.#planOf(this.#options.round ?? index + 1)
      if (index > 0 && this.#now() + this.#plan.ms + SETTLING_MS > this.#options.ms) return undefined
      const violations = await this.#playRound(signal)
      this.totals.ms = this.#now()
      if (violations.length > 0) return { plan: this.#plan, violations }
    }
    return undefined
  }

  async #open(signal: AbortSignal): Promise<void> {
    this.#wires = await Wires.open((region, listener) => this.#region(region).server.address(listener))
    await Promise.all(this.#regions.map(({ server }) => server.start(signal)))
    if (signal.aborted) return
    const why = await agree({ watch: this.#watch, now: this.#now }, START_MS)
    if (why) throw new Error(`the regions do not start: ${[why, ...this.#complaints].join('; ')}`)
    this.#crowd = new Crowd({
      regions: this.#regions,
      wires: this.#wires,
      rate: this.#options.rate,
      now: this.#now,
      report: (region, what) => this.#report(`${region.padEnd(3)} ${what}`),
      complain: (what) => this.#complain(what),
    })
    this.#watch.start()
  }

  async #playRound(signal: AbortSignal): Promise<readonly Violation[]> {
    const plan = this.#plan
    const crowd = this.#crowd!
    const random = new Prng(`round ${plan.seed} ${plan.round}`)
    this.#beginRound(plan, crowd)
    const lossesBefore = this.#losses.length
    const faults = new Faults(
      {
        now: this.#now,
        region: (name) => this.#region(name),
        wires: this.#wires!,
        watch: this.#watch,
        losses: this.#losses,
        troubles: this.#troubles,
        missing: this.missing,
        report: (what) => this.#report(what),
        failed: (error) => this.#complain(`the nemesis failed: ${error instanceof Error ? error.stack : error}`),
      },
      this.totals,
    )
    this.#faults = faults
    this.#phase = 'going wrong'
    const ending = newSignal()
    const onSignal = () => ending.abort()
    signal.addEventListener('abort', onSignal)
    const working = crowd.work(plan.users, random.fork('users'), ending.signal)
    void faults.play(plan.steps)
    await pause(plan.ms, signal)

    this.#phase = 'settling'
    this.#report('=== everything is healed')
    await faults.heal()
    ending.abort()
    signal.removeEventListener('abort', onSignal)
    await working
    if (signal.aborted) return []
    const settled = await settle({
      regions: this.#regions,
      watch: this.#watch,
      crowd,
      archive: this.#archive,
      random: random.fork('looks'),
      now: this.#now,
      complain: (what) => this.#complain(what),
    })
    const violations = this.#judge(settled, faults, lossesBefore)
    this.#endRound(settled, crowd)
    return violations
  }

  #beginRound(plan: RoundPlan, crowd: Crowd): void {
    this.#report(`=== round ${plan.round} of seed ${plan.seed}: ${plan.faults.join(' ')}`)
    for (const step of plan.steps) this.#report(`    ${showStep(step)}`)
    crowd.begin()
    this.#watch.samples = []
    this.#complaints = []
  }

  #judge(settled: Settled, faults: Faults, lossesBefore: number): Violation[] {
    const { users } = this.#crowd!
    this.#report(
      settled.unsettled ? `=== no agreement: ${settled.unsettled}` : `=== agreed after ${settled.ms.toFixed(0)} ms`,
    )
    const violations = judge({
      operations: users.operations,
      sessions: users.sessions,
      losses: this.#losses.slice(lossesBefore),
      troubles: this.#troubles,
      incarnations: this.#watch.incarnations,
      samples: this.#watch.samples,
      complaints: this.#complaints,
      unsettled: settled.unsettled,
      settled: settled.states,
      clocksStepped: faults.clocksStepped,
      filled: new Set(this.#plan.faults.includes('fill') ? [smallRegionOf(this.#options.seed)] : []),
    })
    for (const { region, wall, archived } of settled.states ?? [])
      violations.push(...this.#archive.check(region, wall, archived))
    for (const { rule, what } of violations) this.#report(`!!! [${rule}] ${what}`)
    return violations
  }

  #endRound(settled: Settled, crowd: Crowd): void {
    const { operations, sessions } = crowd.users
    this.totals.rounds++
    this.totals.sessions += sessions.length
    this.totals.repeated = crowd.repeated
    this.totals.settleMs = Math.max(this.totals.settleMs, settled.ms)
    for (const { outcome, code } of operations) {
      count(this.totals.outcomes, outcome)
      if (code) count(this.totals.codes, code)
    }
    this.#operations += operations.length
    if (settled.states) this.#archive.add(this.totals.rounds, namesOf(crowd), common(settled.states))
    this.#archive.expire(Date.now())
    crowd.begin()
  }

  /** How late this process was at most, milliseconds. */
  get lateMs(): number {
    return this.#machine.worstMs()
  }

  /** Writes down what somebody needs to find out why. Of the last round. */
  keep({ plan, violations }: Failure): void {
    const text = violations.map(({ rule, what }) => `[${rule}] ${what}\n`).join('')
    writeFileSync(join(this.home, 'violations.txt'), text)
    writeFileSync(join(this.home, 'schedule.json'), `${JSON.stringify(plan, undefined, 2)}\n`)
  }

  /** Ends every process, and removes everything, or, where it is kept, everything but files. */
  async close(keep: boolean): Promise<void> {
    this.#machine.stop()
    await this.#faults?.heal()
    await this.#watch.stop()
    await this.#crowd?.close()
    await Promise.all(this.#regions.map(({ server }) => server.kill()))
    await this.#wires?.close()
    await new Promise<void>((resolve) => this.#log.end(resolve))
    for (const { directory } of this.#regions) directory.unmount(keep)
    if (!keep) rmSync(this.home, { recursive: true, force: true })
    this.#isClosed = true
  }

  /** The same, at once, for when nothing can be waited for. */
  abandon(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const { server } of this.#regions) server.destroy()
    for (const { directory } of this.#regions) directory.unmount(false)
    rmSync(this.home, { recursive: true, force: true, maxRetries: 5 })
  }
}

const count = (of: Map<string, number>, name: string): void => {
  of.set(name, (of.get(name) ?? 0) + 1)
}
