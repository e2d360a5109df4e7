/** The parts of an open replica, put together, and what passes between them. */
import type { SessionKey } from '@sojourn/core/internal'
import { isSojournError, SojournError } from '@sojourn/core/internal'
import { type Commit, RecordStore, Rekey } from '@sojourn/store'
import { Actors } from './actors.js'
import { CertificateWatch } from './certificate-watch.js'
import { Digests } from './digests.js'
import { Events } from './events.js'
import { Healing } from './healing.js'
import { LastFrame } from './last-frame.js'
import type { LinkChange } from './link-failures.js'
import { Links } from './links.js'
import { Logins } from './logins.js'
import type { Settings } from './options.js'
import { OwnEnds } from './own-ends.js'
import { QuorumReads } from './quorum-reads.js'
import { Reaper } from './reaper.js'
import { RecordRepair, type RepairCause } from './record-repair.js'
import { ReplicationProgress } from './replication-progress.js'
import { Subjects } from './subjects.js'
import { WriteQuorum } from './write-quorum.js'

/** How long a closing replica waits for links in step to take the tail. */
const DRAIN_MS = 1_000
const DRAIN_STEP_MS = 5

/** The parts of an open replica, put together, and what passes between them. */
export class Runtime {
  readonly settings: Settings
  readonly store: RecordStore
  readonly actors: Actors
  readonly events: Events
  readonly progress: ReplicationProgress
  readonly writes: WriteQuorum
  readonly repair: RecordRepair
  readonly reads: QuorumReads
  readonly links: Links
  readonly reaper: Reaper
  readonly digests: Digests
  readonly healing: Healing
  /** Ends that nobody asks for. */
  readonly own: OwnEnds
  readonly subjects: Subjects
  readonly logins: Logins
  readonly #certificates: CertificateWatch
  /** Undefined where the store is in the clear. */
  readonly rekey: Rekey | undefined
  readonly totals = {
    commits: 0,
    refused: {} as Record<string, number>,
    repaired: { read: 0, digest: 0, corrupt: 0 } as Record<RepairCause, number>,
    refusedItems: 0,
    catchUps: 0,
    fullCatchUps: 0,
    corrupt: 0,
  }
  /** Peers whose clock, or ours, was off when they were last not linked. */
  readonly #skewed = new Set<string>()
  #closing = false

  private constructor(settings: Settings, store: RecordStore) {
    const { clock } = settings.ports
    this.settings = settings
    this.store = store
    const { seal } = settings.ports.storage
    this.rekey = seal && new Rekey(seal, store, clock)
    this.actors = new Actors(store.actor)
    this.events = new Events(clock)
    this.writes = this.#makeWrites()
    this.progress = this.#makeProgress()
    this.repair = this.#makeRepair()
    this.reads = this.#makeReads()
    this.digests = new Digests({
      store,
      clock,
      intervalMs: settings.digestIntervalMs,
      targetFrameBytes: settings.limits.targetFrameBytes,
      region: settings.region,
      repair: (keys) => this.repair.repair(keys),
      failed: (error) => this.failed(error),
    })
    this.reaper = new Reaper({
      store,
      clock,
      purgeGraceMs: settings.purgeGraceMs,
      expired: (key, cause) => this.events.emit('expired', { key, origin: 'local', cause }),
      failed: (error) => this.failed(error),
    })
    this.healing = new Healing({
      clock,
      links: () => this.links,
      found: (key) => {
        this.totals.corrupt++
        this.events.emit('fault', { code: 'STORE_CORRUPT', message: `the stored record ${key} cannot be read` })
      },
    })
    this.own = new OwnEnds({ store, settings, events: this.events, failed: (error) => this.failed(error) })
    this.subjects = new Subjects({
      ...settings,
      store,
      clock,
      displace: (key) => this.own.end(key, 'displaced'),
      failed: (error) => this.failed(error),
    })
    this.logins = new Logins(settings, store.actor, this.subjects)
    this.links = this.#makeLinks()
    const { certificates } = settings
    this.#certificates = new CertificateWatch({ certificates, clock, failed: (error) => this.failed(error) })
    clock.watch(() => this.#clockChanged())
  }

  #makeWrites(): WriteQuorum {
    const { settings } = this
    const { limits, region } = settings
    const { clock } = settings.ports
    return new WriteQuorum({
      clock,
      region,
      members: () => settings.members,
      maxPending: limits.maxPendingQuorums,
      maxPendingBytes: limits.maxPendingQuorumBytes,
      began: () => {
        for (const link of this.links) link.pump()
      },
    })
  }

  #makeProgress(): ReplicationProgress {
    const { settings, store } = this
    const { limits, region, peers } = settings
    return new ReplicationProgress({
      region,
      feed: store.actor,
      restored: store.recovered.progress.vector,
      maxFeeds: limits.maxVectorFeeds,
      committed: () => store.committed,
      claimed: (feed) => {
        store.progressed()
        for (const link of this.links) link.claimed(feed)
      },
      acked: (by, through) => {
        if (peers.has(by)) this.writes.acked(by, through)
      },
    })
  }

  #makeRepair(): RecordRepair {
    const { settings, store, actors } = this
    const { limits } = settings
    const { clock } = settings.ports
    return new RecordRepair({
      store,
      limits,
      now: () => clock.now(),
      actors,
      refused: (region, count) => this.#refusedItems(region, count),
      repaired: (cause, count) => {
        this.totals.repaired[cause] += count
      },
    })
  }

  #makeReads(): QuorumReads {
    const { settings, repair } = this
    const { limits, region, peers } = settings
    const { clock } = settings.ports
    return new QuorumReads({
      clock,
      region,
      peers,
      maxPending: limits.maxPendingQuorums,
      linkTo: (name) => this.links.get(name)?.peer,
      ask: (peer, ask) => {
        const link = this.links.get(peer.region)
        if (link?.peer === peer) link.send(ask)
      },
      repair,
    })
  }

  #makeLinks(): Links {
    const { settings, store, progress, repair, reads, digests } = this
    const { limits, region, peers } = settings
    const { clock, random, transport } = settings.ports
    return new Links({
      region,
      peers,
      secret: settings.secret,
      speech: settings.speech,
      random,
      transport,
      maxReconnectDelayMs: settings.maxReconnectDelayMs,
      hello: () => ({
        type: 'hello',
        feed: store.actor,
        lineage: store.lineage,
        ...clock.shown(),
        vector: progress.held(),
        scanned: progress.scans(),
      }),
      host: {
        region,
        store,
        progress,
        frames: new LastFrame(),
        clock,
        limits,
        heartbeatMs: settings.heartbeatMs,
        linkTimeoutMs: settings.linkTimeoutMs,
        maxClockSkewMs: settings.maxClockSkewMs,
        isAwaited: () => this.writes.pending > 0,
        awaits: (after, through) => this.writes.awaits(after, through),
        repair,
        reads,
        digests,
        failed: (error) => this.failed(error),
      },
      replaced: (old, link) => {
        reads.replaced(old.peer, link.peer)
        this.healing.askAll(link)
      },
      changed: (change) => this.#linkChanged(change),
    })
  }

  /** Opens the store, then the links. @throws STORE_LOCKED, STORE_FOREIGN, STORE_CORRUPT, STORE_FORMAT, STORE_FAILED, ENCRYPTION_KEY, INVALID_OPTION */
  static async open(settings: Settings): Promise<Runtime> {
    // The store emits its commits, and asks for the vector, from the moment it is open; both need the rest.
    let runtime: Runtime | undefined
    const { ports, location, fsync, limits } = settings
    const store = await RecordStore.open({
      engine: ports.storage,
      location,
      region: settings.region,
      clock: ports.clock,
      random: ports.random,
      fsync,
      limits,
      maxLifetimeMs: settings.maxLifetimeMs,
      committed: (commits) => runtime?.committed(commits),
      refused: (keys) => runtime?.refused(keys),
      failed: (error) => runtime?.failed(error),
      corrupt: (key) => runtime?.healing.corrupt(key),
      vector: () => runtime?.progress.held() ?? [],
    })
    runtime = new Runtime(settings, store)
    try {
      if (settings.listen) await runtime.links.listen(settings.listen)
    } catch (error) {
      await store.close()
      throw error
    }
    await runtime.subjects.start()
    runtime.#reportRecovery()
    runtime.reaper.start()
    runtime.digests.start()
    runtime.#certificates.start()
    runtime.links.dialAll()
    return runtime
  }

  addPeer(region: string, url: string | null): void {
    const { peers } = this.settings
    if (peers.has(region) && peers.get(region) === url) return
    peers.set(region, url)
    this.links.add(region, url)
  }

  removePeer(region: string): void {
    // First the member goes, so that nothing which comes over the closing link counts.
    this.settings.peers.delete(region)
    this.writes.forget(region)
    this.links.remove(region)
  }

  /** Commits are in the journal: now, and not before, others hear of them. */
  committed(commits: readonly Commit[]): void {
    this.subjects.committed(commits)
    for (const { key, entry } of commits) {
      if (entry) this.totals.commits++
      else this.actors.removed(key)
      if (this.healing.healed(key) && entry) this.totals.repaired.corrupt++
    }
    this.reaper.poke()
    for (const link of this.links) link.pump()
    if (this.events.has('committed'))
      this.events.emit(
        'committed',
        commits.flatMap((commit) => (commit.entry ? this.subjects.changedBy(commit) : [])),
      )
    for (const { key, event, source } of commits)
      if (event) {
        const { name, ...more } = event
        this.events.emit(name, { key, origin: source, ...more } as never)
      }
  }

  /** The disk took none of these. */
  refused(keys: readonly SessionKey[]): void {
    if (this.events.has('refused')) this.events.emit('refused', keys)
  }

  failed(error: unknown): void {
    // What was under way when it was closed.
    if (this.#closing && isSojournError(error, 'REPLICA_CLOSED')) return
    const code = isSojournError(error) ? error.code : 'STORE_FAILED'
    this.events.emit('fault', { code, message: error instanceof Error ? error.message : String(error) })
  }

  #refusedItems(region: string, count: number): void {
    this.totals.refusedItems += count
    const text = `${region} sent ${count} sessions that were stamped more than a day ahead of the local clock, or are larger than limits.maxRecordBytes. The replica left them out`
    this.failed(new SojournError('ITEM_REFUSED', text))
  }

  #clockChanged(): void {
    const { clock } = this.settings.ports
    if (this.#closing) return
    this.reaper.wake()
    if (clock.isTrusted) return
    const off = `the wall clock is off by ${(clock.offByMs / 1_000).toFixed(1)} s: it jumped, or most regions disagree with it`
    this.failed(new SojournError('CLOCK_UNTRUSTED', `${off}. The replica purges nothing until they agree`))
  }

  /** Regions whose clocks had differed may hold what the others do not: compares all with them, once. */
  #compareAfterSkew({ region, state, code }: LinkChange): void {
    if (code === 'LINK_SKEW') this.#skewed.add(region)
    if (state === 'live' && this.#skewed.delete(region))
      this.compareDigests().catch((error: unknown) => this.failed(error))
  }

  /** Reads all records, and compares them with every peer in step, at once. */
  async compareDigests(): Promise<void> {
    await this.digests.readAll()
    for (const link of this.links)
      if (link.isLive && link.hasRoom && link.can('digest')) link.send(this.digests.all(true))
  }

  /** What was lost with the disk's help is said when there is somebody to hear it; peers are asked as soon as there are links. */
  #reportRecovery(): void {
    const { corrupt, lostEntries, isStateLost } = this.store.recovered
    this.settings.ports.clock.soon(() => {
      if (isStateLost)
        this.failed(
          new SojournError(
            'STORE_CORRUPT',
            'the state of the store is lost or corrupt. This region and its peers exchange all records again',
          ),
        )
      if (lostEntries > 0)
        this.failed(
          new SojournError(
            'STORE_CORRUPT',
            `${lostEntries} entries of the journal are lost or corrupt. The peers send their records again`,
          ),
        )
      for (const key of corrupt) if (this.store.index.isCorrupt(key)) this.healing.corrupt(key)
    })
  }

  #linkChanged(change: LinkChange): void {
    const { refused } = this.totals
    this.#compareAfterSkew(change)
    if (change.code && change.code !== 'LINK_CLOSED' && change.state !== 'unreachable')
      refused[change.code] = (refused[change.code] ?? 0) + 1
    if (change.state === 'lagging') this.totals.catchUps++
    if (change.whole) this.totals.fullCatchUps++
    const link = change.state === 'up' ? this.links.get(change.region) : undefined
    if (link) this.healing.askAll(link)
    if (change.state === 'down') this.reads.lost(change.region)
    // Whoever closes the replica knows that its links go down.
    if (!this.#closing) this.events.emit('link', change)
  }

  async close(): Promise<void> {
    this.#closing = true
    this.healing.close()
    this.digests.close()
    await this.subjects.close()
    this.#certificates.close()
    await this.reaper.close()
    this.reads.close()
    await this.#drain()
    await this.links.close()
    this.writes.close()
    await this.rekey?.close()
    await this.store.close()
  }

  /** Gives links in step a moment to take what was committed last. */
  async #drain(): Promise<void> {
    const { clock } = this.settings.ports
    const until = clock.monotonic() + DRAIN_MS
    const isOwed = () => [...this.links].some((link) => link.isLive && link.status.unacked > 0)
    while ((this.store.pendingCommits > 0 || isOwed()) && clock.monotonic() < until)
      await new Promise<void>((resolve) => clock.after(DRAIN_STEP_MS, resolve).hold())
  }
}
