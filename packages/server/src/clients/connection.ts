import type { Clock, ErrorCode, Level, SessionApi, SessionKey, Timer } from '@sojourn/core'
import { ByteWriter, isSojournError, SojournError, sessionKey } from '@sojourn/core'
import {
  CLIENT_MAGIC,
  CLIENT_VERSION,
  type ClientRequest,
  type FromClient,
  type FromServer,
  type GetRequest,
  type Join,
  MAX_GREETING_BYTES,
  readFromClient,
  writeFromServer,
} from '@sojourn/wire'
import { allows, type Bearer, type TokenBook } from '../tokens.js'
import { NEEDED } from './access.js'
import { answerRequest, failure, type PlainRequest, REPEATABLE, refusal } from './answers.js'
import type { ClientLimits } from './limits.js'
import type { Asker, ClientMemory, Memories } from './remembered.js'
import type { ClientSocket, ClientSocketHandler } from './socket.js'
import { Walks } from './walks.js'
import type { Watcher, Watches } from './watches.js'

/** What is counted of all connections since the listener began. */
export interface ClientTotals {
  accepted: number
  /** Connections refused or given up, by code. */
  readonly refused: Record<string, number>
  requests: number
  /** Writes that came again and were answered from memory. */
  answeredFromMemory: number
  /** Changes told to clients that keep what they read. */
  invalidations: number
  bytesIn: number
  bytesOut: number
}

export const noTotals = (): ClientTotals => ({
  accepted: 0,
  refused: {},
  requests: 0,
  answeredFromMemory: 0,
  invalidations: 0,
  bytesIn: 0,
  bytesOut: 0,
})

/** What a connection needs of the listener. */
export interface ConnectionHost {
  readonly sessions: SessionApi
  readonly clock: Clock
  readonly limits: ClientLimits
  readonly tokens: TokenBook
  readonly memories: Memories
  readonly watches: Watches
  readonly totals: ClientTotals
  /** Made anew with each listener. */
  readonly server: string
  readonly region: string
  /** The level of reads that name none. */
  readonly readLevel: Level
  readonly isFarewell: () => boolean
  /** A client was recognised. @throws OVERLOADED where there are too many */
  readonly admit: (connection: ClientConnection) => void
  readonly ended: (connection: ClientConnection) => void
  /** Something that ought not to be thrown was. */
  readonly failed: (error: unknown) => void
}

const NO_TOKEN = 'the client gave no token (option token); give one that the server knows'

/** Messages of one client that are heard before there is a moment to answer. */
const MAX_PER_TURN = 256

/** For answers that are kept as well as sent. */
const scratch = new ByteWriter(4_096)

/** One client: who it is, what it asks, and what it is answered, as many answers to a frame as there are at a time. */
export class ClientConnection implements ClientSocketHandler, Watcher, Asker {
  /** When the client was heard last, monotonic. */
  heardAt: number
  readonly #host: ConnectionHost
  readonly #socket: ClientSocket
  readonly #patience: Timer
  readonly #out = new ByteWriter(16 * 1024)
  readonly #walks: Walks
  #bearer: Bearer | undefined
  #token = ''
  #name = ''
  #memory: ClientMemory | undefined
  #inFlight = 0
  #isFlushing = false
  #isPaused = false
  #isEnded = false
  #changed: SessionKey[] = []
  /** What has come and is not heard yet: the frames of which something is left. */
  #unread: Iterator<FromClient>[] = []
  /** Messages heard since there was a moment to answer. */
  #heardInTurn = 0

  constructor(host: ConnectionHost, socket: ClientSocket) {
    this.#host = host
    this.#socket = socket
    this.heardAt = host.clock.monotonic()
    this.#walks = new Walks(host.sessions, host.limits.maxWalks)
    this.#patience = host.clock.after(host.limits.maxSilenceMs, () =>
      this.refuse(new SojournError('LINK_TIMEOUT', 'the client did not say who it is')),
    )
  }

  get inFlight(): number {
    return this.#inFlight
  }

  received(frame: Uint8Array): void {
    if (this.#isEnded) return
    const { clock, limits, totals } = this.#host
    this.heardAt = clock.monotonic()
    totals.bytesIn += frame.length
    const maxBytes = this.#bearer ? limits.maxFrameBytes : MAX_GREETING_BYTES
    this.#unread.push(readFromClient(frame, maxBytes))
    if (!this.#isPaused) this.#read()
  }

  /** Hears what has come; not all at once, so that it is seen in between whether the client reads its answers. */
  #read(): void {
    try {
      for (let frame = this.#unread[0]; frame !== undefined && !this.#isEnded; ) {
        const { done, value } = frame.next()
        if (done) {
          this.#unread.shift()
          frame = this.#unread[0]
          continue
        }
        this.#heard(value)
        if (++this.#heardInTurn < MAX_PER_TURN) continue
        this.#pause()
        this.#host.clock.soon(() => {
          this.#heardInTurn = 0
          this.#resume()
        })
        return
      }
    } catch (error) {
      if (!isSojournError(error)) this.#host.failed(error)
      this.refuse(isSojournError(error) ? error : new SojournError('FRAME_INVALID', 'the frame could not be served'))
    }
  }

  #pause(): void {
    if (!this.#isPaused) this.#socket.pause()
    this.#isPaused = true
  }

  /** Goes on, where the client has taken most of what it was told. */
  #resume(): void {
    if (!this.#isPaused || this.#isEnded || this.#socket.bufferedBytes > this.#host.limits.maxBufferedBytes / 2) return
    this.#isPaused = false
    this.#read()
    if (!this.#isPaused) this.#socket.resume()
  }

  #heard(message: FromClient): void {
    if (this.#bearer === undefined || this.#memory === undefined) {
      if (message.type !== 'join') throw new SojournError('FRAME_UNEXPECTED', 'a client begins by saying who it is')
      this.#join(message)
      return
    }
    switch (message.type) {
      case 'join':
        throw new SojournError('FRAME_UNEXPECTED', 'it is known already who this is')
      case 'ping':
        this.#say({ type: 'pong', number: message.number, clock: this.#host.clock.now() })
        break
      case 'settled':
        this.#memory.settle(message.below)
        break
      case 'leave':
        this.#walks.leave(message.walk)
        break
      default:
        this.#ask(message, this.#memory, this.#bearer)
    }
  }

  /** @throws FRAME_INVALID, LINK_VERSION, TOKEN_REFUSED, OVERLOADED */
  #join({ magic, version, client, token }: Join): void {
    const { server, region, limits, tokens, memories, totals, sessions } = this.#host
    if (magic !== CLIENT_MAGIC) throw new SojournError('FRAME_INVALID', 'this is no client of Sojourn')
    if (version !== CLIENT_VERSION)
      throw new SojournError('LINK_VERSION', `the client speaks version ${version}, this server ${CLIENT_VERSION}`)
    const bearer = tokens.check(token)
    if (bearer === undefined)
      throw new SojournError('TOKEN_REFUSED', token === '' ? NO_TOKEN : 'the server does not know the token')
    this.#host.admit(this)
    this.#socket.authenticated()
    this.#patience.cancel()
    this.#bearer = bearer
    this.#token = token
    this.#name = `${client} ${bearer.name}`
    const { memory, isKnown } = memories.enter(this.#name)
    this.#memory = memory
    totals.accepted++
    const { maxInFlight, maxFrameBytes } = limits
    const resumes = isKnown ? memory.seen : undefined
    this.#say({
      type: 'welcome',
      version: CLIENT_VERSION,
      server,
      region,
      resumes,
      maxInFlight,
      maxFrameBytes,
      ...sessions.lifetimes(),
    })
    if (this.#host.isFarewell()) this.farewell()
  }

  #ask(request: ClientRequest, memory: ClientMemory, bearer: Bearer): void {
    const { totals } = this.#host
    const { number, type } = request
    totals.requests++
    const isRepeatable = REPEATABLE.has(type)
    const isNew = number > memory.seen
    if (isNew) memory.seen = number
    else if (!isRepeatable) {
      if (memory.again(number, this)) totals.answeredFromMemory++
      else
        this.#say(
          refusal(number, 'CONNECTION_LOST', 'the server has had this write before, and has forgotten its answer', {
            mayHaveApplied: true,
          }),
        )
      return
    }
    const refused = this.#refusalOf(request, bearer)
    if (refused) {
      this.#say(refused)
      return
    }
    this.#inFlight++
    if (isRepeatable) this.#answer(request)
    else this.#write(request as PlainRequest, memory)
  }

  #refusalOf({ type, number }: ClientRequest, { scope }: Bearer): FromServer | undefined {
    if (!allows(scope, NEEDED[type]))
      return refusal(number, 'SCOPE_REFUSED', `${type} takes the scope ${NEEDED[type]}, the token has ${scope}`)
    const { maxInFlight } = this.#host.limits
    if (this.#inFlight < maxInFlight) return undefined
    return refusal(number, 'OVERLOADED', `${maxInFlight} requests of this client are unanswered (maxInFlight)`, {
      limit: maxInFlight,
    })
  }

  #answer(request: ClientRequest): void {
    this.#answerOf(request).then(
      (answer) => {
        this.#inFlight--
        this.#say(answer)
      },
      (error: unknown) => {
        this.#inFlight--
        this.#failed(error)
        this.#say(failure(request.number, error))
      },
    )
  }

  #answerOf(request: ClientRequest): Promise<FromServer> {
    const { sessions, readLevel } = this.#host
    if (request.type === 'walk') return this.#walks.begin(request.number)
    if (request.type === 'step') return this.#walks.step(request.walk, request.number)
    if (request.type === 'get' && request.watch) {
      const level = request.choices.read ?? readLevel
      // What other regions are asked for may change without a word to this one.
      if (level === 'local' || level === 1) return this.#answerWatched(request)
    }
    return answerRequest(sessions, request, () => false)
  }

  async #answerWatched(request: GetRequest): Promise<FromServer> {
    const { sessions, watches } = this.#host
    const key = sessionKey(request.id)
    const token = watches.watch(key, this)
    return answerRequest(sessions, request, () => watches.isStanding(key, this, token))
  }

  #write(request: PlainRequest, memory: ClientMemory): void {
    const { number } = request
    memory.begin(number, this)
    const end = (answer: FromServer) => {
      this.#inFlight--
      writeFromServer(scratch, answer)
      memory.end(number, this, scratch.finish())
    }
    answerRequest(this.#host.sessions, request, () => false).then(end, (error: unknown) => {
      this.#failed(error)
      end(failure(number, error))
    })
  }

  #failed(error: unknown): void {
    if (!isSojournError(error)) this.#host.failed(error)
  }

  answer(encoded: Uint8Array): void {
    if (this.#isEnded) return
    this.#tellChanges()
    this.#out.raw(encoded)
    this.#flushSoon()
  }

  changed(key: SessionKey): void {
    if (this.#isEnded) return
    this.#host.totals.invalidations++
    this.#changed.push(key)
    this.#flushSoon()
  }

  #say(message: FromServer): void {
    if (this.#isEnded) return
    // In the order in which it became so: an answer that is read after a change must not come before it.
    this.#tellChanges()
    writeFromServer(this.#out, message)
    this.#flushSoon()
  }

  #tellChanges(): void {
    if (this.#changed.length === 0) return
    writeFromServer(this.#out, { type: 'changed', keys: this.#changed })
    this.#changed = []
  }

  /** All that is said in one turn goes in one frame. */
  #flushSoon(): void {
    if (this.#out.length >= this.#host.limits.targetFrameBytes) {
      this.#flush()
      return
    }
    if (this.#isFlushing) return
    this.#isFlushing = true
    process.nextTick(() => {
      this.#isFlushing = false
      this.#heardInTurn = 0
      if (!this.#isEnded) this.#flush()
    })
  }

  #flush(): void {
    this.#tellChanges()
    if (this.#out.length === 0) return
    const frame = this.#out.borrow()
    this.#host.totals.bytesOut += frame.length
    this.#socket.send(frame)
    if (this.#socket.bufferedBytes > this.#host.limits.maxBufferedBytes) this.#pause()
  }

  drained(): void {
    this.#resume()
  }

  /** The server is about to end. */
  farewell(): void {
    if (this.#bearer) this.#say({ type: 'farewell' })
    else this.refuse(new SojournError('LINK_CLOSED', 'the server ends'))
  }

  /** Whether the token that let the client in still does, with the same scope or another. */
  recheck(): void {
    if (this.#bearer === undefined) return
    const bearer = this.#host.tokens.check(this.#token)
    if (bearer?.name === this.#bearer.name) this.#bearer = bearer
    else this.refuse(new SojournError('TOKEN_REFUSED', 'the server does not know the token any more'))
  }

  /** Ends the connection, telling why. */
  refuse(error: SojournError): void {
    if (this.#isEnded) return
    this.#count(error.code)
    this.#end()
    this.#socket.close(error.message)
  }

  destroy(): void {
    this.#end()
    this.#socket.destroy()
  }

  closed(code?: ErrorCode): void {
    if (code && !this.#isEnded) this.#count(code)
    this.#end()
    this.#host.ended(this)
  }

  #count(code: ErrorCode): void {
    const { refused } = this.#host.totals
    refused[code] = (refused[code] ?? 0) + 1
  }

  #end(): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#unread = []
    this.#patience.cancel()
    this.#walks.leaveAll()
    this.#host.watches.forget(this)
    if (this.#memory) this.#host.memories.leave(this.#name, this.#host.clock.monotonic())
  }
}
