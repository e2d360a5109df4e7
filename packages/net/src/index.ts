/** The face of @sojourn/server. */
/// <reference types="node" preserve="true" />
/** The door of `@sojourn/net`: sockets, TLS, backoff, the frames of a turn, and small HTTP. */
export { Backoff, type BackoffOptions, jittered } from './backoff.js'
export { certificateRefusal, type HostOf, verifiedCertificate } from './certificate.js'
export { ConnectionBudget, type UnauthenticatedStatus } from './connection-budget.js'
export { FrameBatch, type FrameBatchOptions } from './frame-batch.js'
export { answerHttp, askHttp, type HttpAnswer, type HttpRequest, MAX_BODY_BYTES, parseJson, readBody } from './http.js'
export { cannotListen, listenOn } from './listening.js'
export { readText } from './text-file.js'
export { type CreateServer, type Credentials, TlsFiles, type TlsOptions, type TlsSettings } from './tls.js'
export { type DialOptions, dialWebSocket, type SocketConnection, type SocketHandler } from './websocket.js'
export { listenForWebSockets, type WebSocketListener, type WebSocketListenerOptions } from './websocket-listener.js'
