/** The regions of a server, and the news of them: who was added or removed here or elsewhere is so everywhere. */
import type { RequestListener } from 'node:http'
import type { Clock } from '@sojourn/core/internal'
import type { HostOf, TlsOptions } from '@sojourn/net'
import type { Replica } from '@sojourn/replica'
import type { Notice } from '@sojourn/wire'
import type { Config } from '../config/load.js'
import type { Logger } from '../log.js'
import type { LogThrottle } from '../log-throttle.js'
import type { Part } from '../part.js'
import type { MemberEntry } from './entry.js'
import { Gossip } from './gossip.js'
import { Members } from './members.js'

export interface RegionsOptions {
  readonly config: Config
  /** Where additions and removals are kept; undefined: nowhere. */
  readonly file: string | undefined
  readonly clock: Clock
  readonly log: Logger
  /** For what may fail again and again. */
  readonly throttle: LogThrottle
  /** What other regions are asked with. */
  readonly credentials: () => TlsOptions
  readonly hostOf: HostOf | undefined
  /** Asked for at the start. */
  readonly replica: () => Replica
}

export class Regions implements Part {
  readonly name = 'regions'
  readonly members: Members
  readonly #options: RegionsOptions
  /** Undefined without a secret, which is needed to be believed. */
  #gossip: Gossip | undefined

  /** @throws STORE_CORRUPT, STORE_FAILED */
  constructor(options: RegionsOptions) {
    const { region, peers, admin } = options.config.settings
    this.#options = options
    this.members = new Members({
      own: region,
      peers,
      adminPeers: admin.peers,
      file: options.file,
      changed: (entries) => this.#changed(entries),
    })
  }

  start(): void {
    const { config, clock, credentials, hostOf, throttle, replica } = this.#options
    const { secret } = config
    const { members } = this
    members.serve(replica())
    if (secret === undefined) return
    const gossip = new Gossip({
      members,
      secret,
      clock,
      credentials,
      hostOf,
      failed: ({ code, message }) =>
        throttle.write({ name: `regions ${code}`, level: 'warn', body: { code }, message }),
    })
    this.#gossip = gossip
    gossip.start()
    // Whoever was away hears of what was missed at once.
    replica().on('link', ({ region, state }) => {
      const member = state === 'up' ? members.list().find((each) => each.region === region) : undefined
      if (member) void gossip.send(region, member.url)
    })
  }

  stop(): void {
    this.#gossip?.close()
  }

  /** Whether a request on the listener of links was news of regions, and is answered. */
  handle(...request: Parameters<RequestListener>): boolean {
    return this.#gossip?.handle(...request) ?? false
  }

  async sendAll(): Promise<{ readonly [region: string]: Notice }> {
    return (await this.#gossip?.sendAll()) ?? {}
  }

  #changed(entries: readonly MemberEntry[]): void {
    const { config, log } = this.#options
    for (const { region: peer, present, version } of entries)
      log.info({ peer, version }, present ? 'region added' : 'region removed')
    // Who goes gets the news, too: else it would try for ever.
    for (const { region, present, url } of entries)
      if (!present && region !== config.settings.region) void this.#gossip?.send(region, url)
    void this.#gossip?.sendAll()
  }
}
