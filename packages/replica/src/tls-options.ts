/** Options of TLS: the files of a side, whom it lets in, and what these do not allow each other. A server has the same for each listener. */
import { FLAG_RULE, type GivenOf, option, optional, quoted, textRule } from '@sojourn/core/internal'
import { hostOfRegion, isRegionHost, REGION_HOSTS } from '@sojourn/wire'

export const FILE_RULE = textRule('the path of a file that this process can read')

/** @param who shows the certificate */
export const tlsOptions = (who: string) => ({
  certFile: optional(FILE_RULE, `PEM certificate chain of ${who}. With it, the listener accepts TLS only`),
  keyFile: optional(FILE_RULE, 'PEM private key of the certificate'),
  caFile: optional(
    FILE_RULE,
    'PEM certificates of the authorities that sign the certificates of the other side',
    'those that Node.js trusts',
  ),
  requireClientCertificate: option(
    FLAG_RULE,
    false,
    'Mutual TLS: the other side must present a certificate signed by an authority in caFile',
  ),
})

export const LINK_TLS_OPTIONS = {
  ...tlsOptions('this replica, for the links that it accepts and dials'),
  bindRegion: optional(
    textRule(REGION_HOSTS, isRegionHost),
    'The host name that the certificate of each region must have as a subject alternative name. `{region}` stands for the name of the region. A peer is refused whose certificate is for another region. A wildcard does not count. Needs `requireClientCertificate`',
    'any certificate of the authority is good for every region',
  ),
}

type Files = GivenOf<ReturnType<typeof tlsOptions>>

/**
 * What the files do not allow each other: a sentence each.
 * @param path of the group, such as `links.tls`
 * @param where what a reader calls an option
 */
export const tlsFaults = (tls: Files, path: string, where = (option: string) => option): string[] => {
  const faults: string[] = []
  if ((tls.certFile === undefined) !== (tls.keyFile === undefined))
    faults.push(`${path} has ${tls.certFile ? 'certFile' : 'keyFile'} only; give certFile and keyFile, or neither`)
  if (tls.requireClientCertificate && (tls.certFile === undefined || tls.caFile === undefined))
    faults.push(`${where(`${path}.requireClientCertificate`)} is true; give certFile, keyFile and caFile, too`)
  return faults
}

/**
 * What keeps regions from being known by their certificates: a sentence each.
 * @param where what a reader calls the option
 */
export const bindingFaults = (
  { bindRegion, requireClientCertificate }: GivenOf<typeof LINK_TLS_OPTIONS>,
  regions: readonly string[],
  where: string,
): string[] => {
  if (bindRegion === undefined) return []
  const faults = regions
    .filter((region) => hostOfRegion(bindRegion, region) === undefined)
    .map(
      (region) =>
        `${where} makes no host name of the region ${quoted(region)}; give regions names of lower-case letters, digits and hyphens`,
    )
  if (!requireClientCertificate)
    faults.push(`${where} is set; set requireClientCertificate, too, because a peer is known by its certificate`)
  return faults
}
