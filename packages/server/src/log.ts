/** The log of a server: lines of JSON. */
import { type DestinationStream, destination, type Logger, pino } from 'pino'

export type { Logger }

/**
 * JSON lines on standard output, written before the call returns, so that the last ones before an end are there.
 * @example
 * const log = openLog('info', 'eu')
 * log.info({ port: 7401 }, 'listening')
 */
export const openLog = (
  level: string,
  region: string,
  to: DestinationStream = destination({ fd: 1, sync: true }),
): Logger =>
  pino(
    {
      level,
      base: { region },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    to,
  )
