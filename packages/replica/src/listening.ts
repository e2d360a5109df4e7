/** Why an address cannot be listened on, and what to do about it. */
import { SojournError } from '@sojourn/core/internal'

/** By the system's code of the failure. */
const ADVICE: { readonly [code: string]: string } = {
  EADDRINUSE:
    'another process, or another listener of this one, has the port; choose another port, or 0 for any free one',
  EADDRNOTAVAIL:
    'this machine has no such address; give one that it has, such as 127.0.0.1, or 0.0.0.0 or :: for all that it has',
  EACCES: 'this process may not use the port; choose one above 1023, or 0 for any free one',
  ENOTFOUND: 'the name has no address; give an IP address of this machine',
  EAI_AGAIN: 'the name could not be looked up; give an IP address of this machine',
  EAFNOSUPPORT: 'this machine does not speak that family of addresses (IPv4, IPv6); give an address of the other one',
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

/** The error for an address that cannot be listened on. */
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
