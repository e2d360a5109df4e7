/** The transport of links: WebSockets, dialled and taken. */
import {
  type Clock,
  type Connection,
  type ConnectionFault,
  type ConnectionHandler,
  checkOption,
  checkOptions,
  type ErrorCode,
  FUNCTION_RULE,
  type OptionRule,
  optionTable,
  portRule,
  type Transport,
  textRule,
} from '@sojourn/core'
import { LINK_PROTOCOL } from '@sojourn/wire'
import { type ClientOptions, WebSocket } from 'ws'
import { Admission } from './admission.js'
import { closeWebSocket, frameFault } from './websocket-closing.js'
import { faultOf, textOf } from './websocket-faults.js'
import { type CreateServer, listenForWebSockets } from './websocket-listener.js'

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
): { connection: Connection; handle: (to: ConnectionHandler) => void; admitted: (by: Admission) => void } => {
  let admission: Admission | undefined
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
    authenticated: () => admission?.authenticated(),
  }
  socket.on('error', (error: Error & { code?: string }) => {
    const fault = faultOf(error)
    const code = frameFault(error) ?? (fault === 'tls' ? 'LINK_TLS' : undefined)
    failure ??= { why: textOf(error), code, fault }
  })
  return {
    connection,
    admitted(by) {
      admission = by
      by.onRefused(({ message, code }) => {
        failure ??= { why: message, code }
      })
    },
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
  /** What the settings call the listener, for errors. Default: `listen`. */
  readonly name?: string
  /** The option that such an error names. Default: `listen`. */
  readonly option?: string
  /** Web pages that may connect, by their origin. Default: none. */
  readonly allowedOrigins?: readonly string[]
  /** What a dialled connection gives `tls.connect`; asked for at each dial, so that a new certificate serves the next one. */
  readonly dialOptions?: () => Pick<ClientOptions, 'ca' | 'cert' | 'key'>
}

const ORIGINS: OptionRule = {
  allowed: "a list of origins, such as ['https://console.example.net']",
  takes: (value) => Array.isArray(value) && value.every((each) => typeof each === 'string'),
}
const CLOCK_RULE = portRule('now', 'monotonic', 'after', 'soon', 'endOfTurn')
const TABLE = optionTable<WebSocketOptions>({
  createServer: FUNCTION_RULE,
  name: textRule('a name'),
  option: textRule('the name of an option'),
  allowedOrigins: ORIGINS,
  dialOptions: FUNCTION_RULE,
})

/** Links as WebSockets, through ws. @throws INVALID_OPTION */
export const webSocketTransport = (clock: Clock, options: WebSocketOptions = {}): Transport => {
  checkOption(clock, 'clock', CLOCK_RULE)
  checkOptions(options, TABLE, 'webSocketTransport')
  return transport(clock, options)
}

const transport = (
  clock: Clock,
  { createServer, name = 'listen', option = 'listen', allowedOrigins = [], dialOptions }: WebSocketOptions,
): Transport => ({
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
    const { connection, handle, admitted } = attach(socket, clock)
    socket.once('upgrade', ({ socket: raw }) => {
      // ws listens to it only after this returns, and is to hear of a frame first.
      socket.once('open', () => admitted(new Admission(socket, raw, clock)))
    })
    handle(handler)
    return connection
  },

  listen({ host, port }, accept, { maxFrameBytes, connectTimeoutMs, maxHandshakes, maxHandshakesPerAddress }) {
    return listenForWebSockets(
      {
        host,
        port,
        protocol: LINK_PROTOCOL,
        notice: 'This port takes links from Sojourn replicas (WebSocket).\n',
        name,
        option,
        maxFrameBytes,
        upgradeTimeoutMs: connectTimeoutMs,
        unauthenticated: { max: maxHandshakes, maxPerAddress: maxHandshakesPerAddress },
        allowedOrigins,
        clock,
        createServer,
      },
      (socket, admission) => {
        const { connection, handle, admitted } = attach(socket, clock)
        admitted(admission)
        handle(accept(connection))
      },
    )
  },
})
