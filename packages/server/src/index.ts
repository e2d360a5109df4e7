/** The command line. @param argv as `process.argv` */
export const main = (argv: readonly string[]): void => {
  process.stdout.write(`${argv.length}\n`)
}

export { type ClientLimits, DEFAULT_CLIENT_LIMITS } from './clients/limits.js'
export { type ClientListener, type ClientsStatus, type ListenForClientsOptions, listenForClients } from './clients/listener.js'
export { allows, type Bearer, type Scope, type TokenBook } from './tokens.js'
