import { isSojournError } from '@sojourn/replica'
import type { RegionSettings } from './settings.js'

/** Why a region could not start, and what to set so that it can. */
export const explain = (error: unknown, settings: RegionSettings): string => {
  const { name, appPort, linkPort, location } = settings
  if (isSojournError(error, 'STORE_LOCKED'))
    return `${location} is open in another process, most likely another demo. Stop that one, or give this one a directory and ports of its own:

  SOJOURN_DEMO_DATA=data-2 SOJOURN_DEMO_PORT=4001 SOJOURN_DEMO_LINK_PORT=8101 npm start`
  if (isSojournError(error, 'INVALID_OPTION') && error.option === 'listen')
    return portFault(error.cause, linkPort, `links to ${name}`, 'SOJOURN_DEMO_LINK_PORT', 8101)
  if ((error as NodeJS.ErrnoException).syscall === 'listen')
    return portFault(error, appPort, `the app of ${name}`, 'SOJOURN_DEMO_PORT', 4001)
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

const portFault = (cause: unknown, port: number, what: string, variable: string, example: number): string => {
  const { code } = cause as NodeJS.ErrnoException
  const why = code === 'EADDRINUSE' ? 'is taken' : `cannot be used (${code})`
  return `Port ${port}, for ${what}, ${why}. Set ${variable} to the first of three free ports in a row, for example:

  ${variable}=${example} npm start`
}
