/** One connection to one server: who is there, what is said, and whether it lives. */
import type { Clock, Connection, SessionKey, Timer } from '@sojourn/core/internal'
import { isSojournError, SojournError } from '@sojourn/core/internal'
import { FrameBatch } from '@sojourn/net'
import {
  type Answer,
  CLIENT_MAGIC,
  type ClientCapability,
  checkAgreement,
  type FromClient,
  type FromServer,
  readFromServer,
  type Welcome,
  writeFromClient,
} from '@sojourn/wire'
import type { Settings } from './options.js'

/** What a channel reports to its owner. `closed` comes exactly once, and nothing after it. */
export interface ChannelHandler {
  /** The server has let the client in. */
  welcomed(channel: Channel): void
  /** The server answered its first ping: it works. */
  proven(channel: Channel): void
  answered(channel: Channel, answer: Answer): void
  changed(channel: Channel, keys: readonly SessionKey[]): void
  /** The server wants to be asked nothing more. */
  drain(channel: Channel): void
  /** The number of the oldest call that waits, which every frame carries. */
  settled(): number
  closed(channel: Channel, why: string): void
}

/** What a request has beside its data, at most. */
const HEADROOM_BYTES = 8 * 1024

/** One connection to one server, from the first word to the last. */
export class Channel {
  readonly url: string
  /** How many calls wait for an answer from here. */
  waiting = 0
  readonly #settings: Settings
  readonly #clock: Clock
  readonly #handler: ChannelHandler
  readonly #connection: Connection
  /** All that is asked in one turn goes in one frame. */
  readonly #batch: FrameBatch
  #welcome: Welcome | undefined
  #timer: Timer | undefined
  #isClosed = false
  #isProven = false
  #settled = 0
  #heardAt: number
  #pings = 0
  /** When the pings were sent that are not answered yet, from `#answered` + 1 on. */
  #pingTimes: number[] = []
  #freshAt = Number.NEGATIVE_INFINITY
  /** The server's clock minus ours (monotonic), at most. */
  #ahead = Number.POSITIVE_INFINITY

  constructor(url: string, client: string, settings: Settings, handler: ChannelHandler) {
    const { clock, dial, limits, silenceMs, speech, token, tls } = settings
    this.url = url
    this.#settings = settings
    this.#clock = clock
    this.#handler = handler
    this.#heardAt = clock.monotonic()
    this.#batch = new FrameBatch({
      clock,
      initialBytes: 16 * 1024,
      targetBytes: limits.targetFrameBytes,
      flush: () => this.#flush(),
    })
    this.#connection = dial(
      url,
      {
        opened: () => this.send({ type: 'join', magic: CLIENT_MAGIC, ...speech, client, token }),
        received: (frame) => this.#received(frame),
        drained: () => {},
        closed: (why, code) => this.#ended(code === undefined ? why : `${code}: ${why}`),
      },
      { maxFrameBytes: limits.maxFrameBytes, connectTimeoutMs: silenceMs, tls },
    )
    this.#watch()
  }

  /** @throws never before `welcomed` */
  get welcome(): Welcome {
    return this.#welcome!
  }

  /** Whether both sides can do it: what the server does not know is not sent to it. */
  can(capability: ClientCapability): boolean {
    return this.welcome.capabilities.includes(capability)
  }

  /** When the last ping was sent that has been answered: whatever changed before it is known here. Monotonic. */
  get freshAt(): number {
    return this.#freshAt
  }

  /** The server's wall clock is not later than this. */
  get latestServerTime(): number {
    return this.#clock.monotonic() + this.#ahead
  }

  /** Bytes of the data of one request that fit into a frame, whatever is in it already. */
  get maxDataBytes(): number {
    return Math.max(0, this.welcome.maxFrameBytes - this.#settings.limits.targetFrameBytes - HEADROOM_BYTES)
  }

  get bufferedBytes(): number {
    return this.#connection.bufferedBytes + this.#batch.out.length
  }

  send(message: FromClient): void {
    if (this.#isClosed) return
    writeFromClient(this.#batch.out, message)
    this.#batch.written()
  }

  #flush(): void {
    const { out } = this.#batch
    if (this.#isClosed || out.length === 0) return
    const settled = this.#handler.settled()
    if (this.#welcome && settled > this.#settled) {
      this.#settled = settled
      writeFromClient(out, { type: 'settled', below: settled })
    }
    this.#connection.send(out.borrow())
  }

  #received(frame: Uint8Array): void {
    if (this.#isClosed) return
    this.#heardAt = this.#clock.monotonic()
    try {
      for (const message of readFromServer(frame, this.#settings.limits.maxFrameBytes)) {
        if (this.#isClosed) return
        this.#heard(message)
      }
    } catch (error) {
      this.close(isSojournError(error) ? error.message : `FRAME_INVALID: ${String(error)}`)
    }
  }

  #heard(message: FromServer): void {
    if (message.type === 'welcome') this.#welcomed(message)
    else if (this.#welcome === undefined)
      throw new SojournError('FRAME_UNEXPECTED', 'the first frame of a server must be a welcome')
    else if (message.type === 'pong') this.#ponged(message.number, message.clock)
    else if (message.type === 'changed') this.#handler.changed(this, message.keys)
    else if (message.type === 'drain') this.#handler.drain(this)
    else this.#handler.answered(this, message)
  }

  #welcomed(welcome: Welcome): void {
    if (this.#welcome) throw new SojournError('FRAME_UNEXPECTED', 'the server has sent a welcome already')
    checkAgreement(this.#settings.speech, welcome)
    this.#welcome = welcome
    this.#ping()
    this.#handler.welcomed(this)
  }

  #ping(): void {
    this.#pingTimes.push(this.#clock.monotonic())
    this.send({ type: 'ping', number: ++this.#pings })
  }

  #ponged(number: number, clock: number): void {
    const first = this.#pings - this.#pingTimes.length + 1
    const sentAt = this.#pingTimes[number - first]
    if (sentAt === undefined) throw new SojournError('FRAME_UNEXPECTED', 'a pong that answers no ping')
    this.#pingTimes.splice(0, number - first + 1)
    this.#freshAt = sentAt
    // It said what its clock shows at some moment after the ping was sent.
    this.#ahead = clock - sentAt
    if (this.#isProven) return
    this.#isProven = true
    this.#handler.proven(this)
  }

  /** Pings now and then, and gives a server up that is silent for too long. */
  #watch(): void {
    const { heartbeatMs, silenceMs } = this.#settings
    this.#timer = this.#clock.after(heartbeatMs, () => {
      if (this.#welcome) this.#ping()
      this.#watch()
      // What came while this process was busy is heard first.
      if (this.#clock.monotonic() - this.#heardAt > silenceMs)
        this.#clock.soon(() => {
          if (this.#clock.monotonic() - this.#heardAt > silenceMs)
            this.close(`LINK_TIMEOUT: the server was silent for ${silenceMs} ms`)
        })
    })
  }

  close(why: string): void {
    if (this.#isClosed) return
    this.#connection.close(why)
    this.#ended(why)
  }

  #ended(why: string): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#timer?.cancel()
    this.#handler.closed(this, why)
  }
}
