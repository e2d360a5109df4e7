/** What the settings of the identity listener do not allow each other. */
import type { Settings } from './schema.js'

/** A sentence each. @param where what a reader calls a setting */
export const identityFaults = (
  { port, issuer, audience, keysFile, logout }: Settings['identity'],
  where: (path: string) => string,
): string[] => {
  const faults: string[] = []
  const together = (group: string, parts: { readonly [name: string]: boolean }) => {
    const names = Object.keys(parts).map((name) => `${group}.${name}`)
    const given = Object.values(parts)
    if (given.some((is) => is) && !given.every((is) => is))
      faults.push(`${where(names[given.indexOf(false)]!)} is not set; give all of ${names.join(', ')}, or none of them`)
  }
  together('identity', {
    issuer: issuer !== undefined,
    audience: audience.length > 0,
    keysFile: keysFile !== undefined,
  })
  if (logout.keysFile !== undefined && logout.keysUrl !== undefined)
    faults.push(
      `${where('identity.logout.keysFile')} and ${where('identity.logout.keysUrl')} are both set; give one of them`,
    )
  together('identity.logout', {
    issuer: logout.issuer !== undefined,
    audience: logout.audience.length > 0,
    [logout.keysUrl === undefined ? 'keysFile' : 'keysUrl']:
      logout.keysFile !== undefined || logout.keysUrl !== undefined,
  })
  if (port === undefined && (issuer !== undefined || logout.issuer !== undefined))
    faults.push('identity.port is not set, so nobody could ask; give identity.port, or no issuer')
  return faults
}
