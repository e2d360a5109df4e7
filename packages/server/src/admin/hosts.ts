/** Which names a listener on loopback answers to: whoever owns a name can have it lead a browser to the browser's own machine. */
import { isIPv4 } from 'node:net'

/** Whether only this machine can reach an address. */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'))

/** `name`, `name:port` or `[address]:port`, as the `Host` header has it. */
const HOST = /^(?:\[([0-9a-f:.]+)\]|([^\s:/?#@\\[\]]+))(?::\d+)?$/i

/**
 * Whether a request names this machine by a name that nobody else can own, or by one that the settings allow.
 * @param header of the request, `Host`
 * @param names without a port, in any case
 */
export const namesThisMachine = (header: string | undefined, names: readonly string[]): boolean => {
  const [, address, name] = HOST.exec(header ?? '') ?? []
  const host = (address ?? name)?.toLowerCase()
  return host !== undefined && (isLoopback(host) || names.some((each) => each.toLowerCase() === host))
}
