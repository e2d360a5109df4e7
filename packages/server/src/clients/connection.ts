/** One client of a server: who it is, what it asks, and what it is answered. */
import type { ErrorCode, SessionKey, Timer } from '@sojourn/core/internal'
import { ByteWriter, isSojournError, SojournError } from '@sojourn/core/internal'
import { FrameBatch, type SocketConnection, type SocketHandler } from '@sojourn/net'
import {
  type Agreement,
  CLIENT_MAGIC,
  type ClientCapability,
  type ClientRequest,
  type FromClient,
  type FromServer,
  type Join,
  MAX_GREETING_BYTES,
  meet,
  readFromClient,
  speaksOfIdentity,
  speaksOfObjects,
  writeFromServer,
} from '@sojourn/wire'
import { allows, type Bearer } from '../tokens.js'
import { NEEDED } from './access.js'
import { answerRequest, failure, type PlainRequest, REPEATABLE, refusal } from './answers.js'
import type { Connected, ConnectionHost } from './connection-host.js'
import { type Admitted, Holdings } from './holdings.js'
import { Incoming } from './incoming.js'
import type { Asker, ClientMemory } from './reply-cache.js'
import { Scans } from './scans.js'
import { answerWatched } from './watched-answers.js'
import type { Watcher } from './watches.js'

const NO_TOKEN = 'the client sent no token. Set the option token to one that the server knows'

/** For answers that are kept as well as sent. */
const scratch = new ByteWriter(4_096)

export class ClientConnection implements SocketHandler, Connected, Watcher, Asker {
  heardAt: number
  readonly #host: ConnectionHost
  readonly #socket: SocketConnection
  readonly #patience: Timer
  /** As many answers to a frame as there are in a turn. */
  readonly #batch: FrameBatch
  readonly #holdings: Holdings
  readonly #incoming: Incoming
  readonly #scans: Scans
  #bearer: Bearer | undefined
  /** What is spoken on the connection. */
  #agreement: Agreement | undefined
  #token = ''
  #name = ''
  #memory: ClientMemory | undefined
  #inFlight = 0
  #isEnded = false
  #changed: SessionKey[] = []

  constructor(host: ConnectionHost, socket: SocketConnection) {
    this.#host = host
    this.#socket = socket
    this.heardAt = host.clock.monotonic()
    this.#holdings = new Holdings(host.budgets, (error) => this.#giveWay(error))
    this.#incoming = new Incoming({
      clock: host.clock,
      socket,
      maxBufferedBytes: host.limits.maxBufferedBytes,
      heard: (message) => this.#heard(message),
      failed: (error) => this.#misheard(error),
      holds: (bytes) => this.#holdings.receiving(bytes),
    })
    this.#batch = new FrameBatch({
      clock: host.clock,
      initialBytes: 4 * 1024,
      targetBytes: host.limits.targetFrameBytes,
      turned: () => this.#incoming.turned(),
      flush: () => this.#flush(),
    })
    this.#scans = new Scans(host.sessions, this.#holdings)
    this.#patience = host.clock.after(host.limits.maxSilenceMs, () =>
      this.refuse(new SojournError('LINK_TIMEOUT', 'the client sent no token in time')),
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
    this.#incoming.received(readFromClient(frame, maxBytes), frame.length)
  }

  receiving(bytes: number): void {
    this.#incoming.receiving(bytes)
  }

  #misheard(error: unknown): void {
    this.#failed(error)
    this.refuse(
      isSojournError(error) ? error : new SojournError('FRAME_INVALID', 'the server failed to handle the frame'),
    )
  }

  #heard(message: FromClient): void {
    if (this.#bearer === undefined || this.#memory === undefined) {
      if (message.type !== 'join')
        throw new SojournError('FRAME_UNEXPECTED', 'the first frame of a client must be a join')
      this.#join(message)
      return
    }
    switch (message.type) {
      case 'join':
        throw new SojournError('FRAME_UNEXPECTED', 'the client has joined already')
      case 'ping':
        this.#say({ type: 'pong', number: message.number, clock: this.#host.clock.now() })
        break
      case 'settled':
        this.#memory.settle(message.below)
        break
      case 'leave':
        this.#scans.leave(message.scan)
        break
      default:
        this.#ask(message, this.#memory, this.#bearer)
    }
  }

  /** @throws FRAME_INVALID, LINK_VERSION, TOKEN_REFUSED, OVERLOADED */
  #join({ magic, client, token, ...theirs }: Join): void {
    const { server, speech, region, limits, tokens, replyCache, totals, sessions } = this.#host
    if (magic !== CLIENT_MAGIC) throw new SojournError('FRAME_INVALID', 'this is not a Sojourn client')
    const agreement = meet(speech, theirs)
    const bearer = tokens.check(token)
    if (bearer === undefined)
      throw new SojournError('TOKEN_REFUSED', token === '' ? NO_TOKEN : 'the server does not know the token')
    this.#host.admit(this)
    this.#socket.authenticated()
    this.#patience.cancel()
    this.#bearer = bearer
    this.#agreement = agreement
    this.#token = token
    this.#name = `${client} ${bearer.name}`
    this.#holdings.join(bearer.name)
    const { memory, isKnown } = replyCache.enter(this.#name, bearer.name)
    this.#memory = memory
    totals.accepted++
    const { maxInFlight, maxFrameBytes } = limits
    const resumes = isKnown ? memory.seen : undefined
    this.#say({
      type: 'welcome',
      ...agreement,
      server,
      region,
      resumes,
      maxInFlight,
      maxFrameBytes,
      atomic: [],
      ...sessions.lifetimes(),
    })
    if (this.#host.isDraining()) this.drain()
  }

  #can(capability: ClientCapability): boolean {
    return this.#agreement?.capabilities.includes(capability) === true
  }

  /** @throws FRAME_UNEXPECTED for what a client can say that was not agreed on */
  #expect(capability: ClientCapability): void {
    if (!this.#can(capability))
      throw new SojournError('FRAME_UNEXPECTED', `the two sides have not agreed on the capability ${capability}`)
  }

  #ask(request: ClientRequest, memory: ClientMemory, bearer: Bearer): void {
    const { totals } = this.#host
    const { number, type } = request
    if (speaksOfObjects(request)) this.#expect('objects')
    if (speaksOfIdentity(request)) this.#expect('identity')
    totals.requests++
    const isRepeatable = REPEATABLE.has(type)
    const isNew = number > memory.seen
    if (isNew) memory.seen = number
    else if (!isRepeatable) {
      if (memory.again(number, this)) totals.answeredFromMemory++
      else
        this.#say(
          refusal(number, 'CONNECTION_LOST', 'the server received this write before and no longer has its answer', {
            mayHaveApplied: true,
          }),
        )
      return
    }
    let admitted: Admitted
    try {
      admitted = this.#admit(request, bearer)
    } catch (error) {
      this.#say(failure(number, error))
      return
    }
    this.#inFlight++
    if (isRepeatable) this.#answer(request, admitted)
    else this.#write(request as PlainRequest, memory, admitted)
  }

  /** @throws SCOPE_REFUSED, OVERLOADED */
  #admit(request: ClientRequest, { scope }: Bearer): Admitted {
    const { type } = request
    if (!allows(scope, NEEDED[type]))
      throw new SojournError('SCOPE_REFUSED', `${type} needs the scope ${NEEDED[type]}, and the token has ${scope}`)
    const { maxInFlight } = this.#host.limits
    if (this.#inFlight >= maxInFlight)
      throw new SojournError('OVERLOADED', `${maxInFlight} requests of this client are unanswered (maxInFlight)`, {
        limit: maxInFlight,
      })
    return this.#holdings.admit(request, this.#host.levels)
  }

  #answered(admitted: Admitted): void {
    this.#inFlight--
    this.#holdings.answered(admitted)
  }

  #answer(request: ClientRequest, admitted: Admitted): void {
    this.#answerOf(request, admitted).then(
      (answer) => {
        this.#answered(admitted)
        this.#say(answer)
      },
      (error: unknown) => {
        this.#answered(admitted)
        this.#failed(error)
        this.#say(failure(request.number, error, this.#can('identity')))
      },
    )
  }

  #answerOf(request: ClientRequest, { isQuorum }: Admitted): Promise<FromServer> {
    const { sessions } = this.#host
    switch (request.type) {
      case 'scan':
      case 'step':
      case 'sessionsOf':
      case 'stepOf':
        return this.#scans.answer(request)
    }
    const isIdentified = this.#can('identity')
    // What other regions are asked for may change without a word to this one.
    if (request.type === 'get' && request.watch && !isQuorum)
      return answerWatched(this.#host, request, this, isIdentified)
    // Nobody asks for the answer to a read again: what it waits for ends with the connection.
    return answerRequest(sessions, request, { isIdentified, caller: isQuorum ? this : undefined })
  }

  takeWatch(): boolean {
    return this.#holdings.watch()
  }

  giveWatch(): void {
    this.#holdings.unwatch()
  }

  #write(request: PlainRequest, memory: ClientMemory, admitted: Admitted): void {
    const { number } = request
    memory.begin(number, this)
    const end = (answer: FromServer) => {
      this.#answered(admitted)
      writeFromServer(scratch, answer)
      memory.end(number, this, scratch.finish())
    }
    const caller = admitted.isQuorum ? memory : undefined
    const isIdentified = this.#can('identity')
    answerRequest(this.#host.sessions, request, { caller, isIdentified }).then(end, (error: unknown) => {
      this.#failed(error)
      end(failure(number, error, isIdentified))
    })
  }

  #failed(error: unknown): void {
    if (!isSojournError(error)) this.#host.failed(error)
  }

  answer(encoded: Uint8Array): void {
    if (this.#isEnded) return
    this.#sendChanges()
    this.#batch.out.raw(encoded)
    this.#batch.written()
  }

  changed(key: SessionKey): void {
    if (this.#isEnded) return
    this.#host.totals.invalidations++
    this.#changed.push(key)
    this.#batch.written()
  }

  #say(message: FromServer): void {
    if (this.#isEnded) return
    // In the order in which it became so: an answer that is read after a change must not come before it.
    this.#sendChanges()
    writeFromServer(this.#batch.out, message)
    this.#batch.written()
  }

  #sendChanges(): void {
    if (this.#changed.length === 0) return
    writeFromServer(this.#batch.out, { type: 'changed', keys: this.#changed })
    this.#changed = []
  }

  #flush(): void {
    if (this.#isEnded) return
    this.#sendChanges()
    const { out } = this.#batch
    if (out.length === 0) return
    const frame = out.borrow()
    this.#host.totals.bytesOut += frame.length
    this.#socket.send(frame)
    this.#holdings.unread(this.#socket.bufferedBytes)
    if (this.#socket.bufferedBytes > this.#host.limits.maxBufferedBytes) this.#incoming.pause()
  }

  drained(): void {
    this.#holdings.unread(this.#socket.bufferedBytes)
    this.#incoming.resume()
  }

  drain(): void {
    if (this.#bearer) this.#say({ type: 'drain' })
    else this.refuse(new SojournError('LINK_CLOSED', 'the server is stopping'))
  }

  recheck(): void {
    if (this.#bearer === undefined) return
    const bearer = this.#host.tokens.check(this.#token)
    if (bearer?.name === this.#bearer.name) this.#bearer = bearer
    else this.refuse(new SojournError('TOKEN_REFUSED', 'the server no longer knows the token'))
  }

  refuse(error: SojournError): void {
    if (this.#isEnded) return
    this.#count(error.code)
    this.#end()
    this.#socket.close(error.message)
  }

  /** Ends the connection at once: a client that takes nothing, or sends without end, is not waited for. */
  #giveWay(error: SojournError): void {
    this.refuse(error)
    this.#socket.destroy()
  }

  destroy(): void {
    this.#end()
    this.#socket.destroy()
  }

  /** @param why what the client gave for a reason, or what is wrong with the connection */
  closed(why: string, code?: ErrorCode): void {
    if (code && !this.#isEnded) this.#count(code)
    this.#end(why.startsWith('CLIENT_CLOSED'))
    this.#host.ended(this)
  }

  #count(code: ErrorCode): void {
    const { refused } = this.#host.totals
    refused[code] = (refused[code] ?? 0) + 1
  }

  /** @param isForGood the client has said that it does not come back */
  #end(isForGood = false): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#incoming.close()
    this.#patience.cancel()
    const { watches, replyCache, clock, abandon } = this.#host
    this.#scans.leaveAll()
    watches.forget(this)
    this.#holdings.close()
    if (this.#memory === undefined) return
    replyCache.leave(this.#name, clock.monotonic(), isForGood)
    abandon(this)
  }
}
