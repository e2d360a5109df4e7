/** Certificates of the other side of a connection: the one that was verified, and whether it is that of a region. */
import type { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { quoted } from '@sojourn/core/internal'

/**
 * What the other side of a connection showed, where the TLS handshake verified it; undefined without TLS, without a certificate, and for one
 * that was not verified.
 * @example const certificate = verifiedCertificate(request.socket)
 */
export const verifiedCertificate = (socket: Socket | undefined): X509Certificate | undefined => {
  const { authorized = false, getPeerX509Certificate } = (socket ?? {}) as Partial<TLSSocket>
  return authorized ? getPeerX509Certificate?.call(socket as TLSSocket) : undefined
}

/**
 * Whether a certificate has exactly this host name among its subject alternative names (RFC 6125). Wildcards do not count: a certificate
 * for `*.example.net` would be for every region. Nor does the common name.
 * @example isCertificateFor(certificate, 'eu.sessions.example.net')
 */
export const isCertificateFor = (certificate: X509Certificate, host: string): boolean =>
  certificate.checkHost(host, { subject: 'never', wildcards: false, partialWildcards: false }) !== undefined

/** The host name that the certificate of a region must have; undefined: none can. */
export type HostOf = (region: string) => string | undefined

/**
 * Why who shows a certificate may not speak as a region; undefined: it may.
 * @example const refusal = certificateRefusal(verifiedCertificate(socket), 'eu', (region) => `${region}.sessions.example.net`)
 */
export const certificateRefusal = (
  certificate: X509Certificate | undefined,
  region: string,
  hostOf: HostOf,
): string | undefined => {
  if (certificate === undefined) return `no certificate shows that this is ${quoted(region)}`
  const host = hostOf(region)
  return host !== undefined && isCertificateFor(certificate, host)
    ? undefined
    : `the certificate is not for ${quoted(host ?? region)}`
}
