/** The certificate files of a server's listeners, and which of its peers a certificate is good for. */
import { type HostOf, TlsFiles } from '@sojourn/net'
import { hostOfRegion } from '@sojourn/wire'
import type { Settings } from './config/schema.js'

/** The listeners that have certificates. */
export type ListenerName = 'links' | 'clients' | 'admin' | 'identity'

/** The host name that the certificate of each region must have; undefined: any certificate is good for every region. */
export const hostsOf = ({ links }: Settings): HostOf | undefined => {
  const { bindRegion } = links.tls
  return bindRegion === undefined ? undefined : (region) => hostOfRegion(bindRegion, region)
}

/**
 * The certificate files of one listener, as the settings name them.
 * @throws INVALID_OPTION
 */
export const certificatesOf = (settings: Settings, listener: ListenerName): TlsFiles => {
  const ownHost = listener === 'links' ? hostsOf(settings)?.(settings.region) : undefined
  return new TlsFiles(`${listener}.tls`, settings[listener].tls, ownHost)
}
