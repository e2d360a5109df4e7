/** The face of @sojourn/server. */
/// <reference types="node" preserve="true" />
/** The face of @sojourn/server: a replica as a process, and its listener for clients. */
export type { ClientsStatus } from '@sojourn/wire'
export { type ClientLimits, DEFAULT_CLIENT_LIMITS } from './clients/limits.js'
export {
  type ClientListener,
  type ListenForClientsOptions,
  type ListenForSockets,
  listenForClients,
} from './clients/listener.js'
export { type Config, type ConfigInput, loadConfig } from './config/load.js'
export { settingsTable } from './config/reference.js'
export { SERVER_OPTIONS } from './config/schema.js'
export { openLog } from './log.js'
export { LogThrottle } from './log-throttle.js'
export { Readiness, type ReadinessOptions } from './readiness.js'
export { logReplica } from './replica-log.js'
export { type Running, type ServeOptions, serve } from './serve.js'
export { allows, type Bearer, parseTokens, type Scope, type TokenBook, Tokens } from './tokens.js'
