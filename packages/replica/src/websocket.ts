/** Links as WebSockets: the real transport. */
import type { Clock, Connection, ConnectionFault, ConnectionHandler, ErrorCode, Transport } from '@sojourn/core'
import { LINK_PROTOCOL } from '@sojourn/wire'
import { type ClientOptions, WebSocket } from 'ws'
import { faultOf, textOf } from './websocket-faults.js'
import { type CreateServer, closeWebSocket, frameFault, listenForWebSockets } from './websocket-listener.js'

/** The code of a close that nobody announced (RFC 6455, section 7.1.5). */
const ABNORMAL_CLOSE = 1006

interface Failure {
  readonly why: string
  readonly code?: ErrorCode | undefined
  readonly fault?: ConnectionFault
}

const attach = (
  socket: WebSocket,
  clock: Clock,
): { connection: Connection; handle: (to: ConnectionHandler) => void } => {
  let handler: ConnectionHandler | undefined
  let failure: Failure | undefined
  const connection: Connection = {
    send(frame) {
      if (socket.readyState === WebSocket.OPEN) socket.send(frame, { binary: true }, () => handler?.drained())
    },
    get bufferedBytes() {
      return socket.bufferedAmount
    },
    close(why) {
      if (socket.readyState === WebSocket.CONNECTING) return socket.terminate()
      closeWebSocket(socket, clock, why)
    },
  }
  socket.on('error', (error: Error & { code?: string }) => {
    const fault = faultOf(error)
    const code = frameFault(error) ?? (fault === 'tls' ? 'LINK_TLS' : undefined)
    failure ??= { why: textOf(error), code, fault }
  })
  return {
    connection,
    handle(to) {
      handler = to
      socket.on('open', () => to.opened())
      socket.on('message', (data: Buffer, isBinary: boolean) => {
        if (isBinary) to.received(data)
        else {
          failure ??= { why: 'a text frame', code: 'FRAME_INVALID' }
          connection.close('FRAME_INVALID: a text frame')
        }
      })
      socket.on('close', (closeCode: number, reason: Buffer) => {
        handler = undefined
        if (closeCode === ABNORMAL_CLOSE) failure ??= { why: 'the connection was cut', fault: 'reset' }
        to.closed(failure?.why ?? reason.toString(), failure?.code, failure?.fault)
      })
    },
  }
}

/** What a process puts under the links: TLS, above all. */
export interface WebSocketOptions {
  /** Makes the server that takes links. Default: `createServer` of `node:http`, which is plain. */
  readonly createServer?: CreateServer
  /** What a dialled connection gives `tls.connect`; asked for at each dial, so that a new certificate serves the next one. */
  readonly dialOptions?: () => Pick<ClientOptions, 'ca' | 'cert' | 'key'>
}

/** Links as WebSockets, through ws. */
export const webSocketTransport = (clock: Clock, { createServer, dialOptions }: WebSocketOptions = {}): Transport => ({
  dial(url, handler, { maxFrameBytes, connectTimeoutMs }) {
    const socket = new WebSocket(url, LINK_PROTOCOL, {
      ...dialOptions?.(),
      perMessageDeflate: false,
      // Links have heartbeats of their own; answers to pings would queue without limit for a peer that does not read.
      autoPong: false,
      maxPayload: maxFrameBytes,
      handshakeTimeout: connectTimeoutMs,
      followRedirects: false,
    })
    const { connection, handle } = attach(socket, clock)
    handle(handler)
    return connection
  },

  async listen({ host, port }, accept, { maxFrameBytes, connectTimeoutMs }) {
    return listenForWebSockets(
      {
        host,
        port,
        protocol: LINK_PROTOCOL,
        notice: 'This port takes links from Sojourn replicas (WebSocket).\n',
        name: 'listen',
        option: 'listen',
        maxFrameBytes,
        upgradeTimeoutMs: connectTimeoutMs,
        createServer,
      },
      (socket) => {
        const { connection, handle } = attach(socket, clock)
        handle(accept(connection))
      },
    )
  },
})
