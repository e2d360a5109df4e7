/** The sockets of a server's clients, in a world: connections of its network in place of WebSockets. */
import type { Connection, ConnectionHandler } from '@sojourn/core/internal'
import type { SocketConnection, SocketHandler } from '@sojourn/net'
import type { ListenForSockets } from '@sojourn/server'
import type { Process } from './process.js'

/** Counts the answers that a process sends, and may end it at one of them. */
export interface AnswerFuse {
  /** A frame is about to go to a client, or has gone. */
  readonly burn: (isSent: boolean) => void
}

/** What a listener of a world is given in vain: nobody who is not known connects there. */
const NOBODY = { connections: 0, evicted: 0 }

export const simulatedSockets =
  (process: Process, { burn }: AnswerFuse): ListenForSockets =>
  async ({ host, port, maxFrameBytes, unauthenticated }, accept) => {
    const handlers = new Set<SocketConnection>()
    const taken = (connection: Connection): ConnectionHandler => {
      const socket = new SimulatedSocket(process, connection, burn)
      handlers.add(socket)
      return socket.attach(accept(socket), () => handlers.delete(socket))
    }
    const { max: maxHandshakes, maxPerAddress: maxHandshakesPerAddress } = unauthenticated
    const options = { maxFrameBytes, connectTimeoutMs: 5_000, maxHandshakes, maxHandshakesPerAddress }
    let isStopped = false
    const listener = await process.ports.transport.listen(
      { host, port },
      (connection) => {
        if (!isStopped) return taken(connection)
        connection.close('LINK_CLOSED: the server is stopping')
        return { opened() {}, received() {}, drained() {}, closed() {} }
      },
      options,
    )
    return {
      address: { host, port },
      unauthenticated: NOBODY,
      stop() {
        isStopped = true
        void listener.close()
      },
      async close() {
        isStopped = true
        for (const socket of handlers) socket.destroy()
        await listener.close()
      },
    }
  }

class SimulatedSocket implements SocketConnection {
  readonly #process: Process
  readonly #connection: Connection
  readonly #burn: AnswerFuse['burn']
  #handler: SocketHandler | undefined
  /** What came while nothing was taken; undefined while it is. */
  #held: Uint8Array[] | undefined

  constructor(process: Process, connection: Connection, burn: AnswerFuse['burn']) {
    this.#process = process
    this.#connection = connection
    this.#burn = burn
  }

  send(frame: Uint8Array): void {
    this.#burn(false)
    this.#connection.send(frame)
    this.#burn(true)
  }

  get bufferedBytes(): number {
    return this.#connection.bufferedBytes
  }

  pause(): void {
    this.#held ??= []
  }

  resume(): void {
    const held = this.#held ?? []
    this.#held = undefined
    // On turns of their own, as a socket that is read again would bring them.
    for (const frame of held) this.#process.clock.soon(() => this.#received(frame))
  }

  #received(frame: Uint8Array): void {
    if (this.#held) this.#held.push(frame)
    else this.#handler?.received(frame)
  }

  close(why: string): void {
    this.#connection.close(why)
  }

  authenticated(): void {}

  destroy(): void {
    this.#connection.close('')
  }

  attach(handler: SocketHandler, ended: () => void): ConnectionHandler {
    this.#handler = handler
    return {
      opened() {},
      received: (frame) => this.#received(frame),
      drained: () => handler.drained(),
      closed: (why, code) => {
        this.#handler = undefined
        ended()
        handler.closed(why, code)
      },
    }
  }
}
