/** Worlds of users who log in, get new secrets and end their sessions, in regions that come and go: what each must find is known by the clock. */
import type { Session, SubjectSession } from '@sojourn/core/internal'
import { isSojournError, type Replica } from '@sojourn/replica'
import type { Violation } from './history.js'
import { planOfLogins, REGIONS } from './login-plan.js'
import type { Plan } from './plan.js'
import { Prng } from './prng.js'
import { keyOf } from './users.js'
import { World } from './world.js'

const SUBJECTS = ['ada', 'bob', 'eve'] as const
const STEPS = 60

/** An id under which somebody knows a session. */
interface KnownId {
  readonly id: string
  readonly session: KnownSession
  /** From when on it must open nothing any more, wherever that is known; infinite: nobody superseded it. */
  deadFrom: number
  /** Where it was superseded: that region knows at once. */
  deadIn: string | undefined
}

interface KnownSession {
  readonly handle: string
  readonly ids: KnownId[]
  /** Who logged in last, where, and when by every clock. */
  login: { readonly subject: string; readonly region: string; readonly at: number } | undefined
  /** Logins that may have come to something nobody knows of, or that met others: what is known of the session is not sure. */
  isUnsure: boolean
  ended: boolean
  /** Somebody ended it where it was not known: it may be elsewhere, and end there. */
  mayHaveEnded: boolean
}

interface CutoffMade {
  readonly subject: string
  readonly at: number
  readonly region: string
  readonly except: readonly string[]
}

/** What a world of logins came to. */
export interface LoginsResult {
  readonly seed: number
  readonly violations: readonly Violation[]
  readonly transcript: readonly string[]
}

/** Plays a world of a seed, and judges it. */
export const runLogins = async (seed: number): Promise<LoginsResult> => {
  const random = new Prng(`logins ${seed}`)
  const world = new Logins(planOfLogins(seed, random), random)
  await world.play()
  return { seed, violations: world.violations, transcript: world.transcript }
}

class Logins {
  readonly #world: World
  readonly #random: Prng
  readonly #plan: Plan
  readonly #sessions: KnownSession[] = []
  readonly #cutoffs: CutoffMade[] = []
  readonly violations: Violation[] = []
  readonly transcript: string[] = []

  constructor(plan: Plan, random: Prng) {
    this.#plan = plan
    this.#random = random
    this.#world = new World(plan)
  }

  get #now(): number {
    return this.#world.time.now
  }

  #say(what: string): void {
    this.transcript.push(`${(this.#now / 1_000).toFixed(3).padStart(9)} ${what}`)
  }

  #broken(rule: string, what: string): void {
    this.#say(`!!! [${rule}] ${what}`)
    this.violations.push({ rule, what })
  }

  #replica(region: string): Replica | undefined {
    return this.#world.regions.get(region)!.replica
  }

  async play(): Promise<void> {
    for (const region of this.#world.regions.values()) region.start()
    await this.#world.time.advance(3_000)
    for (let step = 0; step < STEPS; step++) {
      await this.#step()
      // Never at one millisecond: what is stamped alike has no order that anybody could know.
      await this.#world.time.advance(this.#random.pick([2, 5, 50, 400, 3_000]))
    }
    await this.#settle()
    await this.#judge()
  }

  async #settle(): Promise<void> {
    this.#world.network.unblockAll()
    for (const region of this.#world.regions.values()) if (!region.replica) region.start()
    for (let round = 0; round < 60; round++) {
      await this.#world.time.advance(1_000)
      if (this.#world.disagreement() === undefined && round > 12) return
    }
    this.#broken('CONV-5', `the healed regions do not agree: ${this.#world.disagreement()}`)
  }

  async #step(): Promise<void> {
    const region = this.#random.pick([...REGIONS])
    const replica = this.#replica(region)
    const what = this.#random.pick([
      ...['create', 'create', 'login', 'login', 'login', 'rotate', 'rotate', 'rotate', 'look', 'look', 'look'],
      ...['endSubject', 'endOthers', 'end', 'list', 'cut', 'heal', 'kill'],
    ])
    if (what === 'cut') this.#cut(region)
    else if (what === 'heal') this.#world.network.unblockAll()
    else if (what === 'kill') this.#kill(region)
    else if (replica) await this.#call(what, region, replica)
  }

  #cut(region: string): void {
    for (const other of REGIONS) {
      if (other === region) continue
      this.#world.network.block(region, other)
      this.#world.network.block(other, region)
      this.#world.network.reset(region, other)
    }
    this.#say(`${region} is cut off`)
  }

  #kill(region: string): void {
    const machine = this.#world.regions.get(region)!
    if (machine.replica) machine.kill(true)
    machine.start()
    this.#say(`${region} is killed, and starts again`)
  }

  /** A call, whose outcome is known or not: who is killed in the middle of one knows nothing. */
  async #call(what: string, region: string, replica: Replica): Promise<void> {
    try {
      await this.#world.during(this.#perform(what, region, replica))
    } catch (error) {
      if (!isSojournError(error)) throw error
      this.#say(`${region} ${what}: ${error.code}`)
      if (!['SESSION_NOT_FOUND', 'SUBJECT_LIMIT', 'REPLICA_CLOSED', 'STORE_FAILED'].includes(error.code))
        this.#broken('SUBJ-1', `${what} in ${region} came to ${error.message}`)
    }
  }

  async #perform(what: string, region: string, replica: Replica): Promise<void> {
    const subject = this.#random.pick([...SUBJECTS])
    const known = this.#pick()
    if (what === 'create') {
      const login = this.#random.chance(0.5) ? subject : undefined
      this.#made(
        region,
        await replica.create({ n: 0 }, login === undefined ? {} : { subject: login }),
        login,
        this.#now,
      )
    } else if (what === 'list') await this.#list(region, replica, subject)
    else if (what === 'endSubject') await this.#endSubject(region, replica, subject)
    else if (known === undefined) return
    else if (what === 'login') await this.#login(region, replica, known, subject)
    else if (what === 'rotate') await this.#rotate(region, replica, known)
    else if (what === 'endOthers') await this.#endOthers(region, replica, known)
    else if (what === 'end') {
      const ended = await replica.end(known.id)
      this.#say(`${region} end ${known.session.handle.slice(0, 6)}: ${ended}`)
      if (ended) known.session.ended = true
      else known.session.mayHaveEnded = true
    } else await this.#look(region, replica, known)
  }

  #pick(): KnownId | undefined {
    const ids = this.#sessions.flatMap((session) => session.ids)
    return ids.length === 0 ? undefined : this.#random.pick(ids)
  }

  #made(region: string, { id, handle }: Session, subject: string | undefined, at: number): KnownSession {
    if (handle !== keyOf(id)) this.#broken('CRED-1', `the handle of a session is not the key of its id`)
    const session: KnownSession = {
      handle,
      ids: [],
      login: subject === undefined ? undefined : { subject, region, at },
      isUnsure: false,
      ended: false,
      mayHaveEnded: false,
    }
    session.ids.push({ id, session, deadFrom: Number.POSITIVE_INFINITY, deadIn: undefined })
    this.#sessions.push(session)
    this.#say(`${region} create ${handle.slice(0, 6)}${subject ? ` for ${subject}` : ''}`)
    return session
  }

  async #login(region: string, replica: Replica, known: KnownId, subject: string): Promise<void> {
    const { session } = known
    const at = this.#now
    session.isUnsure = true
    const made = await replica.elevate(known.id, { subject, device: region })
    this.#say(`${region} login of ${subject} in ${session.handle.slice(0, 6)} gives ${made.handle.slice(0, 6)}`)
    if (made.handle !== session.handle) {
      session.ended = true
      this.#made(region, made, subject, at)
      return
    }
    // Logins in two regions meet, and one of them counts: only the one who knew all before it is sure.
    session.isUnsure = session.login !== undefined || this.#hasOtherLogins(session)
    session.login = { subject, region, at }
    for (const old of session.ids) this.#supersede(old, region, at)
    session.ids.push({ id: made.id, session, deadFrom: Number.POSITIVE_INFINITY, deadIn: undefined })
  }

  /** Whether an id of it stems from a rotation that a region elsewhere made: which of the two it knows is not known here. */
  #hasOtherLogins({ ids }: KnownSession): boolean {
    return ids.some(({ deadIn }) => deadIn !== undefined)
  }

  #supersede(old: KnownId, region: string, at: number): void {
    if (at >= old.deadFrom) return
    old.deadFrom = at
    old.deadIn = region
  }

  async #rotate(region: string, replica: Replica, known: KnownId): Promise<void> {
    const { session } = known
    const graceMs = this.#random.pick([0, 0, 1_000, 20_000])
    // A login elsewhere, of which this region has not heard, wins over it.
    if (known.deadFrom <= this.#now) session.isUnsure = true
    const made = await replica.rotate(known.id, { grace: graceMs })
    this.#say(`${region} rotate ${session.handle.slice(0, 6)}, grace ${graceMs} ms`)
    if (made.handle !== session.handle) this.#broken('CRED-1', `a rotation in ${region} changed the handle`)
    this.#supersede(known, region, this.#now + graceMs)
    session.ids.push({ id: made.id, session, deadFrom: Number.POSITIVE_INFINITY, deadIn: undefined })
  }

  async #look(region: string, replica: Replica, known: KnownId): Promise<void> {
    const { session } = known
    const began = this.#now
    const found = await replica.get(known.id)
    this.#say(`${region} get ${session.handle.slice(0, 6)}: ${found ? 'shown' : 'absent'}`)
    if (!found) return
    if (known.deadFrom < began && known.deadIn === region)
      this.#broken('CRED-1', `${region} shows ${session.handle} under an id that was superseded there`)
    const cutoff = this.#cutoffOf(session)
    if (cutoff?.region === region && cutoff.at < began && !session.isUnsure && found.subject === cutoff.subject)
      this.#broken('CUT-1', `${region} shows ${session.handle}, which it had cut off`)
    const [locator, secret] = known.id.split('.')
    for (const wrong of [`${locator}.${'A'.repeat(22)}`, locator!, `${locator}.${secret!.slice(0, 21)}`])
      if (await replica.get(wrong)) this.#broken('CRED-1', `${region} shows ${session.handle} under a wrong id`)
  }

  /** The cutoff that ends a session for sure: its login was before it, by clocks that agree. */
  #cutoffOf({ login, handle }: KnownSession): CutoffMade | undefined {
    return this.#cutoffs.find(
      ({ subject, at, except }) =>
        login !== undefined && login.subject === subject && login.at < at && !except.includes(handle),
    )
  }

  async #endSubject(region: string, replica: Replica, subject: string): Promise<void> {
    const at = this.#now
    const listed = await collect(replica.sessionsOf(subject))
    const except = this.#random.chance(0.3) ? listed.slice(0, 1).map(({ handle }) => handle) : []
    const receipt = await replica.endSubject(subject, { except, reason: 'revoked' })
    this.#say(`${region} endSubject ${subject}, ${except.length} exceptions: ${JSON.stringify(receipt)}`)
    if (receipt.regions[region] !== 'held') this.#broken('CUT-1', `${region} does not hold its own cutoff`)
    this.#cutoffs.push({ subject, at, region, except })
    const left = await collect(replica.sessionsOf(subject))
    if (left.some(({ handle }) => listed.some((one) => one.handle === handle) && !except.includes(handle)))
      this.#broken('CUT-1', `${region} lists a session of ${subject} after it ended them`)
  }

  async #endOthers(region: string, replica: Replica, known: KnownId): Promise<void> {
    const { session } = known
    const at = this.#now
    const subject = (await replica.get(known.id))?.subject
    if (subject === undefined) return
    const receipt = await replica.endOthers(known.id, { reason: 'revoked' })
    this.#say(`${region} endOthers of ${session.handle.slice(0, 6)}: ${JSON.stringify(receipt)}`)
    this.#cutoffs.push({ subject, at, region, except: [session.handle] })
    const isSure = !session.isUnsure && !session.mayHaveEnded && !this.#mayBeReused(session)
    const isDisplaced = this.#mayBeDisplaced(region, session)
    const isOver = known.deadFrom <= this.#now || session.ended || !isSure || isDisplaced || this.#cutoffOf(session)
    if (!isOver && !(await replica.get(known.id)))
      this.#broken('CUT-1', `${region} ended the session that ended the others`)
  }

  async #list(region: string, replica: Replica, subject: string): Promise<void> {
    const listed = await collect(replica.sessionsOf(subject))
    this.#say(`${region} lists ${listed.length} sessions of ${subject}`)
    for (const { handle } of listed)
      if (!(await replica.isLive(handle)))
        this.#broken('SUBJ-1', `${region} lists ${handle}, which does not live there`)
  }

  // What must be so when all has settled.

  async #judge(): Promise<void> {
    const now = this.#now
    const listings = new Map<string, string>()
    for (const region of REGIONS) {
      const replica = this.#replica(region)!
      for (const subject of SUBJECTS) await this.#judgeListing(region, replica, subject, listings)
      for (const session of this.#sessions) await this.#judgeSession(region, replica, session, now)
    }
  }

  async #judgeListing(region: string, replica: Replica, subject: string, first: Map<string, string>): Promise<void> {
    const listed = await this.#world.during(collect(replica.sessionsOf(subject)))
    const shown = listed.map(({ handle, device }) => `${handle} ${device ?? ''}`).join('\n')
    const other = first.get(subject)
    if (other === undefined) first.set(subject, shown)
    else if (other !== shown) this.#broken('CUT-2', `${region} lists other sessions of ${subject} than ${REGIONS[0]}`)
    const { maxPerSubject } = this.#plan.options[region]!.session!
    if (maxPerSubject !== undefined && listed.length > maxPerSubject)
      this.#broken('SUBJ-2', `${subject} has ${listed.length} sessions in ${region}`)
    // A scan over all records: what shows there and is the subject's, by an id that opens it.
    const scanned = new Set<string>()
    for (const { ids } of this.#sessions)
      for (const { id } of ids) {
        const found = await this.#world.during(replica.get(id))
        if (found?.subject === subject) scanned.add(found.handle)
      }
    const handles = new Set(listed.map(({ handle }) => handle))
    for (const handle of scanned)
      if (!handles.has(handle)) this.#broken('SUBJ-1', `${region} does not list ${handle} of ${subject}`)
  }

  async #judgeSession(region: string, replica: Replica, session: KnownSession, now: number): Promise<void> {
    const { handle, ids } = session
    const cutoff = this.#cutoffOf(session)
    for (const known of ids) {
      const found = await this.#world.during(replica.get(known.id))
      if (!found) continue
      if (known.deadFrom < now && !session.isUnsure)
        this.#broken('CRED-2', `${region} shows ${handle} under an id that was superseded in ${known.deadIn}`)
      if (session.ended) this.#broken('END-1', `${region} shows ${handle}, which was ended`)
      if (cutoff && !session.isUnsure)
        this.#broken('CUT-1', `${region} shows ${handle} of ${cutoff.subject}, which ${cutoff.region} had cut off`)
    }
    await this.#judgeLife(region, replica, session, cutoff)
  }

  /** Whether somebody may have shown an id that was superseded, where that ends the session. */
  #mayBeReused({ ids }: KnownSession): boolean {
    return ids.length > 1 && Object.values(this.#plan.options).some(({ reuse }) => reuse === 'end')
  }

  /** Whether nobody logged in later as the same subject, as far as anybody knows. */
  #isLast({ login }: KnownSession): boolean {
    return this.#sessions.every((other) => other.login?.subject !== login!.subject || other.login.at <= login!.at)
  }

  /** Whether it may be one of too many. Of these the oldest logins go, so the last one stays. */
  #mayBeDisplaced(region: string, session: KnownSession): boolean {
    const { maxPerSubject } = this.#plan.options[region]!.session!
    return maxPerSubject !== undefined && session.login !== undefined && !this.#isLast(session)
  }

  /** What nobody ended is there: under the last id of a session that was made, and only logged in, in one region. */
  async #judgeLife(
    region: string,
    replica: Replica,
    session: KnownSession,
    cutoff: CutoffMade | undefined,
  ): Promise<void> {
    const { login, ids, handle } = session
    const isDisplaced = this.#mayBeDisplaced(region, session)
    if (
      session.ended ||
      session.mayHaveEnded ||
      session.isUnsure ||
      isDisplaced ||
      this.#mayBeReused(session) ||
      cutoff
    )
      return
    const later = this.#cutoffs.some(
      ({ subject, at, except }) => login?.subject === subject && at === login.at && !except.includes(handle),
    )
    if (later) return
    for (const { id, deadFrom } of ids)
      if (deadFrom === Number.POSITIVE_INFINITY && !(await this.#world.during(replica.get(id))))
        this.#broken('KEEP-1', `${region} does not show ${handle}, which nobody ended`)
  }
}

const collect = async (list: AsyncIterable<SubjectSession>): Promise<SubjectSession[]> => {
  const all: SubjectSession[] = []
  for await (const each of list) all.push(each)
  return all.sort((a, b) => (a.handle < b.handle ? -1 : 1))
}
