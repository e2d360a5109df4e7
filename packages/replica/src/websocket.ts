/** The transport of links: WebSockets, dialed and taken. */
import {
  type Clock,
  type Connection,
  type ConnectionHandler,
  checkOption,
  checkOptions,
  FUNCTION_RULE,
  type OptionRule,
  optionTable,
  portRule,
  type Transport,
  textRule,
} from '@sojourn/core/internal'
import {
  type CreateServer,
  certificateRefusal,
  dialWebSocket,
  type HostOf,
  listenForWebSockets,
  type SocketConnection,
  TlsFiles,
  type TlsOptions,
} from '@sojourn/net'
import { LINK_PROTOCOL } from '@sojourn/wire'

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
  /** What a dialed connection gives `tls.connect`; asked for at each dial, so that a new certificate serves the next one. */
  readonly dialOptions?: () => TlsOptions
  /** @internal Certificates from files, for both directions. `createServer` and `dialOptions` are made of them, unless they are given. */
  readonly tls?: TlsFiles
  /**
   * The host name that the certificate of a region must have as a subject alternative name; undefined: that region is refused. Both sides
   * of a link must show one that was verified. Default: any certificate is good for every region.
   */
  readonly hostOf?: HostOf | undefined
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
  tls: { allowed: 'certificates from files', takes: (value) => value instanceof TlsFiles },
  hostOf: FUNCTION_RULE,
})

/**
 * Links as WebSockets, through ws.
 * @example
 * const ports = { transport: webSocketTransport(systemClock, { createServer: () => https.createServer({ cert, key }) }) }
 * await openReplica({ region: 'eu', location: './data/eu', listen: { port: 7101 }, peers, secret, ports })
 * @throws INVALID_OPTION
 */
export const webSocketTransport = (clock: Clock, options: WebSocketOptions = {}): Transport => {
  checkOption(clock, 'clock', CLOCK_RULE)
  checkOptions(options, TABLE, 'webSocketTransport')
  return transport(clock, options)
}

const transport = (
  clock: Clock,
  {
    tls,
    createServer = tls?.createServer,
    name = 'listen',
    option = 'listen',
    allowedOrigins = [],
    dialOptions = tls && (() => tls.credentials),
    hostOf,
  }: WebSocketOptions,
): Transport => ({
  dial: (url, handler, { maxFrameBytes, connectTimeoutMs }) => {
    const connection = dialWebSocket(url, withLinkCodes(handler), {
      protocol: LINK_PROTOCOL,
      maxFrameBytes,
      connectTimeoutMs,
      isGuarded: true,
      tls: dialOptions?.(),
      clock,
    })
    return bound(connection, hostOf)
  },

  listen: (at, accept, { maxFrameBytes, connectTimeoutMs, maxHandshakes, maxHandshakesPerAddress }) =>
    listenForWebSockets(
      {
        ...at,
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
      (connection) => withLinkCodes(accept(bound(connection, hostOf))),
    ),
})

/** Lets the other side speak only as the region that its certificate is for. */
const bound = (connection: SocketConnection, hostOf: HostOf | undefined): Connection =>
  hostOf === undefined
    ? connection
    : Object.assign(connection, {
        refusalOf: (region: string) => certificateRefusal(connection.certificate, region, hostOf),
      })

/** Faults of TLS have a code among links. */
const withLinkCodes = (handler: ConnectionHandler): ConnectionHandler => ({
  opened: () => handler.opened(),
  received: (frame) => handler.received(frame),
  drained: () => handler.drained(),
  closed: (why, code, fault) => handler.closed(why, code ?? (fault === 'tls' ? 'LINK_TLS' : undefined), fault),
})
