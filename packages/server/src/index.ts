export { main } from './cli/main.js'
export { type ClientLimits, DEFAULT_CLIENT_LIMITS } from './clients/limits.js'
export {
  type ClientListener,
  type ClientsStatus,
  type ListenForClientsOptions,
  listenForClients,
} from './clients/listener.js'
export type { ClientSocket, ClientSocketHandler, ListenForSockets } from './clients/socket.js'
export { type Config, type ConfigInput, loadConfig } from './config/load.js'
export { settingsTable } from './config/reference.js'
export { openLog } from './log.js'
export { LogThrottle } from './log-throttle.js'
export { Readiness, type ReadinessOptions } from './readiness.js'
export { logReplica } from './replica-log.js'
export { type Running, type ServeOptions, serve } from './serve.js'
export { allows, type Bearer, parseTokens, type Scope, type TokenBook, Tokens } from './tokens.js'
