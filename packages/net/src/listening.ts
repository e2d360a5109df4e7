/** Listens on an address, and says why that cannot be done and what to do about it. */
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { SojournError } from '@sojourn/core/internal'

/** By the system's code of the failure. */
const ADVICE: { readonly [code: string]: string } = {
  EADDRINUSE: 'another process or listener uses the port. Choose another port, or 0 for any free one',
  EADDRNOTAVAIL: 'this machine has no such address. Give one of its own, such as 127.0.0.1, or 0.0.0.0 or :: for all',
  EACCES: 'this process may not use the port. Choose one above 1023, or 0 for any free one',
  ENOTFOUND: 'the name has no address. Give an IP address of this machine',
  EAI_AGAIN: 'the lookup of the name failed. Give an IP address of this machine',
  EAFNOSUPPORT: 'this machine does not support that address family (IPv4 or IPv6). Give an address of the other one',
}
const OTHERWISE = 'choose another address, or port 0 for any free one'

export interface ListeningAddress {
  /** What the settings call the listener: where the message begins. */
  readonly name: string
  /** The option that the error names. */
  readonly option: string
  readonly host: string
  readonly port: number
}

/**
 * The error for an address that cannot be listened on, which says what to do about it.
 * @example server.once('error', (cause) => reject(cannotListen({ name: 'admin', option: 'admin.port', host, port }, cause)))
 */
export const cannotListen = (
  { name, option, host, port }: ListeningAddress,
  cause: NodeJS.ErrnoException,
): SojournError => {
  const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
  const advice = ADVICE[cause.code ?? ''] ?? OTHERWISE
  return new SojournError(
    'INVALID_OPTION',
    `${name}: cannot listen on ${address} (${cause.code ?? cause.message}): ${advice}`,
    { option, cause },
  )
}

/**
 * Listens.
 *
 * @example
 * const { port } = await listenOn(server, { name: 'admin', option: 'admin.port', host: '127.0.0.1', port: 0 })
 * @returns the address that is listened on: of port 0, the free one that was found
 * @throws INVALID_OPTION where the address cannot be listened on
 */
export const listenOn = async (
  server: Server,
  at: ListeningAddress,
): Promise<{ readonly host: string; readonly port: number }> => {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => reject(cannotListen(at, cause)))
    server.listen(at.port, at.host, resolve)
  })
  const { address, port } = server.address() as AddressInfo
  return { host: address, port }
}
