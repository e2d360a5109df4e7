/** Counts the frames that a replica sends over its links, by what they are. */
import { type Connection, type ConnectionHandler, systemClock, type Transport } from '@sojourn/core/internal'
import { webSocketTransport } from '@sojourn/replica'
import { decodeMessage } from '@sojourn/wire'

/** Bytes of frames, and how many, by the type of their message. */
export type FrameCounts = { readonly [type: string]: { readonly frames: number; readonly bytes: number } }

/** WebSockets, as they are by default. */
export class CountingTransport implements Transport {
  readonly #inner = webSocketTransport(systemClock)
  #counts: { [type: string]: FrameCounts[string] } = {}

  get counts(): FrameCounts {
    return structuredClone(this.#counts)
  }

  #counted(connection: Connection): Connection {
    const count = (frame: Uint8Array) => {
      const { type } = decodeMessage(frame, frame.length)
      const { frames, bytes } = this.#counts[type] ?? { frames: 0, bytes: 0 }
      this.#counts[type] = { frames: frames + 1, bytes: bytes + frame.length }
    }
    return {
      send(frame) {
        count(frame)
        connection.send(frame)
      },
      get bufferedBytes() {
        return connection.bufferedBytes
      },
      close: (why) => connection.close(why),
      authenticated: () => connection.authenticated?.(),
    }
  }

  dial(url: string, handler: ConnectionHandler, options: Parameters<Transport['dial']>[2]): Connection {
    return this.#counted(this.#inner.dial(url, handler, options))
  }

  listen(...[at, accept, options]: Parameters<Transport['listen']>): ReturnType<Transport['listen']> {
    return this.#inner.listen(at, (connection) => accept(this.#counted(connection)), options)
  }
}
