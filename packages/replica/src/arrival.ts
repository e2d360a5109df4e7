/** A connection from its first frame to its end: a handshake at first, a link from then on. */
import type { Clock, Connection, ConnectionFault, ConnectionHandler, ErrorCode, Timer } from '@sojourn/core/internal'
import { isSojournError, SojournError } from '@sojourn/core/internal'
import { codeOfReason, type Handshake, type Met } from './handshake.js'
import type { Link } from './link.js'

/** How a connection ended. */
export interface Ended {
  readonly region: string
  readonly code?: ErrorCode | undefined
  readonly fault?: ConnectionFault | undefined
  readonly why: string
}

export interface ArrivalOptions {
  readonly connection: Connection
  /** The region that is dialed; undefined: it came to the listener. */
  readonly dials: string | undefined
  readonly clock: Clock
  /** How long a connection, and its handshake, may take. Milliseconds. */
  readonly timeoutMs: number
  readonly handshake: (ready: (peer: Met) => void) => Handshake
  /** The peer has proven who it is. @param greetedMs how long ago its first words can have been written at most @throws what refuses it */
  readonly met: (peer: Met, greetedMs: number) => Link
  readonly heard: (region: string, bytes: number) => void
  /** The connection is gone, or has become a link. */
  readonly settled: (arrival: Arrival) => void
  readonly ended: (link: Link | undefined, ended: Ended) => void
  /** Something failed that is no refusal. */
  readonly failed: (error: unknown) => void
}

/** `connecting` → `greeting` → `linked`; `refused` from any of them. */
type State = 'connecting' | 'greeting' | 'linked' | 'refused'

export class Arrival implements ConnectionHandler {
  readonly #options: ArrivalOptions
  readonly #handshake: Handshake
  readonly #patience: Timer
  #state: State
  #link: Link | undefined
  #refusal: SojournError | undefined

  constructor(options: ArrivalOptions) {
    const { dials, clock, timeoutMs } = options
    this.#options = options
    this.#state = dials === undefined ? 'greeting' : 'connecting'
    const startedAt = clock.monotonic()
    this.#handshake = options.handshake((peer) => {
      this.#settle()
      this.#link = options.met(peer, clock.monotonic() - startedAt)
      this.#state = 'linked'
    })
    this.#patience = clock.after(timeoutMs, () => {
      const [code, what] =
        this.#state === 'connecting'
          ? (['LINK_UNREACHABLE', 'connection'] as const)
          : (['LINK_TIMEOUT', 'handshake'] as const)
      this.refuse(new SojournError(code, `no ${what} within ${timeoutMs} ms`))
    })
  }

  get connection(): Connection {
    return this.#options.connection
  }

  /** Whether it came to the listener. */
  get isCaller(): boolean {
    return this.#options.dials === undefined
  }

  #settle(): void {
    this.#patience.cancel()
    this.#options.settled(this)
  }

  opened(): void {
    if (this.#state === 'connecting') this.#state = 'greeting'
    this.#handshake.opened()
  }

  received(frame: Uint8Array): void {
    if (this.#state === 'refused') return
    try {
      if (this.#link) {
        this.#options.heard(this.#link.peer.region, frame.length)
        this.#link.received(frame)
      } else this.#handshake.received(frame)
    } catch (error) {
      this.refuse(error)
    }
  }

  drained(): void {
    this.#link?.drained()
  }

  /** Ends the connection. */
  refuse(error: unknown): void {
    const isOurs = isSojournError(error)
    this.#refusal = isOurs ? error : new SojournError('FRAME_INVALID', String(error), { cause: error })
    this.#state = 'refused'
    // It makes room for others at once, whatever the other side takes to go.
    this.#settle()
    if (!isOurs) this.#options.failed(error)
    this.#link?.stop()
    this.connection.close(this.#refusal.message)
  }

  closed(why: string, transportCode?: ErrorCode, fault?: ConnectionFault): void {
    this.#settle()
    const { dials, ended } = this.#options
    // What somebody unauthenticated gives for a reason counts for nothing; a peer, or whom we dialed, may say what is wrong with us.
    const isKnown = this.#link !== undefined || dials !== undefined
    const ours = this.#refusal ?? this.#link?.closedFor
    const code = ours?.code ?? transportCode ?? (isKnown ? codeOfReason(why) : undefined)
    const kind = ours?.code === 'LINK_UNREACHABLE' ? 'timeout' : fault
    ended(this.#link, { region: dials ?? this.#handshake.peer, code, fault: kind, why: ours?.message ?? why })
  }
}
