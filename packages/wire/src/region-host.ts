/** Host names of regions, as certificates have them: a pattern in which a region's name stands. */

const PLACE = '{region}'

/** Lower case, because DNS names and certificates do not tell case apart, and names of regions do. */
const HOST = /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/

/** The end of a sentence that begins with "give". */
export const REGION_HOSTS = `a host name in lower case with ${PLACE} in it once, such as ${PLACE}.sessions.example.net`

/**
 * Whether a pattern makes host names of names of regions.
 * @example isRegionHost('{region}.sessions.example.net') // true
 */
export const isRegionHost = (pattern: string): boolean =>
  pattern.split(PLACE).length === 2 && HOST.test(pattern.replace(PLACE, 'eu'))

/**
 * The host name of a region; undefined where its name makes none. Two regions never have the same.
 * @example hostOfRegion('{region}.sessions.example.net', 'eu') // 'eu.sessions.example.net'
 */
export const hostOfRegion = (pattern: string, region: string): string | undefined => {
  const host = pattern.replace(PLACE, () => region)
  return HOST.test(host) ? host : undefined
}
