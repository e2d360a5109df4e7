/** The door of `@sojourn/net`: sockets, TLS, backoff, frames of a turn, and small HTTP. */
export { Admission } from './admission.js'
export { ConnectionBudget, type UnauthenticatedStatus } from './connection-budget.js'
export { MAX_BODY_BYTES, readBody } from './http.js'
export { cannotListen } from './listening.js'
export { type Credentials, TlsFiles } from './tls.js'
export { closeWebSocket, frameFault } from './websocket-closing.js'
export { faultOf, textOf } from './websocket-faults.js'
export { type CreateServer, listenForWebSockets, type WebSocketListener } from './websocket-listener.js'
