/** How servers report to each other which regions there are. */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, RequestListener } from 'node:http'
import { type Clock, isSojournError, SojournError, type Timer } from '@sojourn/core/internal'
import {
  answerHttp,
  askHttp,
  certificateRefusal,
  type HostOf,
  parseJson,
  readBody,
  type TlsOptions,
  verifiedCertificate,
} from '@sojourn/net'
import type { Notice } from '@sojourn/wire'
import { parseEntries } from './entry.js'
import type { Members } from './members.js'

/** The path on the peer listener; everything else there is for links. */
const PATH = '/members'
const PROOF_HEADER = 'sojourn-proof'
/** However quiet it is, peers are asked so often: what was missed is found. */
const INTERVAL_MS = 30_000
const TIMEOUT_MS = 5_000

export interface GossipOptions {
  readonly members: Members
  readonly secret: string
  readonly clock: Clock
  readonly credentials: () => TlsOptions
  /** The host name that the certificate of a region must have; undefined: any certificate is good for every region. */
  readonly hostOf: HostOf | undefined
  readonly failed: (error: SojournError) => void
}

/**
 * Carries the list of added and removed regions from region to region, over HTTP on the peer listeners. A body is good with an HMAC
 * of the link secret; a replayed one says nothing new, because versions rise.
 */
export class Gossip {
  readonly #options: GossipOptions
  readonly #asking = new Map<string, Promise<Notice>>()
  #timer: Timer | undefined
  #closed = false

  constructor(options: GossipOptions) {
    this.#options = options
  }

  start(): void {
    this.#timer = this.#options.clock.after(INTERVAL_MS, () => {
      void this.sendAll()
      this.start()
    })
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
  }

  /** Sends to every region that can be dialed, and hears what it knows. */
  async sendAll(): Promise<{ [region: string]: Notice }> {
    const members = this.#options.members.list()
    const notices = await Promise.all(
      members.map(async ({ region, url }) => [region, await this.send(region, url)] as const),
    )
    return Object.fromEntries(notices)
  }

  /** One at a time for each region; who asks meanwhile waits for it, and then for one more. */
  async send(region: string, url: string | null): Promise<Notice> {
    if (url === null) return 'dials this region'
    if (this.#closed) return 'unreachable'
    await this.#asking.get(region)
    const asking = this.#exchange(region, url).catch((error: unknown): Notice => {
      if (!isSojournError(error)) return 'unreachable'
      this.#options.failed(error)
      return 'refused'
    })
    this.#asking.set(region, asking)
    try {
      return await asking
    } finally {
      if (this.#asking.get(region) === asking) this.#asking.delete(region)
    }
  }

  async #exchange(region: string, url: string): Promise<Notice> {
    const { members, credentials } = this.#options
    const target = new URL(url)
    const body = JSON.stringify(members.entries)
    const answer = await askHttp(target, {
      method: 'POST',
      path: PATH,
      headers: { [PROOF_HEADER]: this.#prove('request', body) },
      body,
      timeoutMs: TIMEOUT_MS,
      tls: credentials(),
    })
    this.#checkAnswerer(answer, region)
    const text = await readBody(answer)
    if (answer.statusCode !== 200) return 'refused'
    this.#check('response', text, answer)
    const what = `the answer of ${target.host}`
    const entries = parseEntries(parseJson(text, 'the answer about regions'), 'FRAME_INVALID', what)
    if (this.#countsNewsOf(region)) members.join(entries)
    return 'notified'
  }

  /** Whether a request was for this, and is answered. */
  handle(...[request, response]: Parameters<RequestListener>): boolean {
    if (request.method !== 'POST' || !request.url?.endsWith(PATH)) return false
    const answer = async (): Promise<void> => {
      const isMember = this.#isAskedByMember(request)
      const body = await readBody(request)
      this.#check('request', body, request)
      const entries = parseEntries(parseJson(body, 'a request about regions'), 'FRAME_INVALID', 'the request')
      if (isMember) this.#options.members.join(entries)
      const ours = JSON.stringify(this.#options.members.entries)
      response.setHeader(PROOF_HEADER, this.#prove('response', ours))
      await answerHttp(response, { type: 'application/json', text: ours })
    }
    answer().catch((error: unknown) => {
      if (isSojournError(error) && error.code !== 'LINK_SECRET' && error.code !== 'FRAME_TOO_LARGE')
        this.#options.failed(error)
      // Who does not know the secret is sent nothing.
      response.writeHead(403, { connection: 'close' }).end()
    })
    return true
  }

  /** Why who speaks may not speak as this region; undefined: it may. */
  #refusalOf({ socket }: IncomingMessage, region: string): string | undefined {
    const { hostOf } = this.#options
    return hostOf && certificateRefusal(verifiedCertificate(socket), region, hostOf)
  }

  /** @throws LINK_CERTIFICATE where the region that was asked is another one */
  #checkAnswerer(answer: IncomingMessage, region: string): void {
    const refusal = this.#refusalOf(answer, region)
    if (refusal !== undefined) throw new SojournError('LINK_CERTIFICATE', refusal)
  }

  /**
   * Whether who asks is a member, so that its news counts. One that was removed is only answered: it is to hear that it was, and a stolen
   * key of it must not add it again.
   * @throws LINK_CERTIFICATE where who asks never was a region
   */
  #isAskedByMember(request: IncomingMessage): boolean {
    const { members, hostOf } = this.#options
    if (hostOf === undefined) return true
    const is = ({ region }: { readonly region: string }) => this.#refusalOf(request, region) === undefined
    if (members.list().some(is)) return true
    if (members.entries.some(is)) return false
    throw new SojournError('LINK_CERTIFICATE', 'a request about regions shows a certificate of none of them')
  }

  /** As {@link #isAskedByMember}: a region that was removed meanwhile, or hears that it was, brings no news. */
  #countsNewsOf(region: string): boolean {
    const { members, hostOf } = this.#options
    return hostOf === undefined || members.list().some((member) => member.region === region)
  }

  #prove(role: 'request' | 'response', body: string): string {
    return createHmac('sha256', this.#options.secret).update(`sojourn members ${role}\0${body}`).digest('hex')
  }

  #check(role: 'request' | 'response', body: string, { headers }: IncomingMessage): void {
    const given = Buffer.from(String(headers[PROOF_HEADER] ?? ''))
    const good = Buffer.from(this.#prove(role, body))
    if (given.length !== good.length || !timingSafeEqual(given, good))
      throw new SojournError('LINK_SECRET', `a ${role} about regions does not prove the secret`)
  }
}
