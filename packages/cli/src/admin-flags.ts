/** What every command takes that asks regions which run. */
import { systemClock, systemPause } from '@sojourn/core/internal'
import { adminClients, DEFAULT_ADMIN_URL } from './admin-client.js'
import type { Call } from './command.js'
import { file, JSON_FLAG, texts } from './flags.js'

export const ADMIN_FLAGS = {
  ...JSON_FLAG,
  admin: texts(
    {
      about: `The address of an admin listener, which can be given several times [SOJOURN_ADMIN_URL] (default: ${DEFAULT_ADMIN_URL})`,
    },
    '<url>',
  ),
  tokenFile: file({ about: 'A file with the token [SOJOURN_TOKEN: the token itself]' }),
  caFile: file({ about: 'PEM certificates of the authorities to trust' }),
  certFile: file({ about: 'The PEM certificate to show' }),
  keyFile: file({ about: 'The PEM private key of that certificate' }),
} as const

/** The regions that were named, the first one first. @throws INVALID_OPTION */
export const clientsOf = ({ flags, env }: Pick<Call<typeof ADMIN_FLAGS>, 'flags' | 'env'>) => adminClients(flags, env)
/** Time as it passes here. */
export const REAL_TIME = { clock: systemClock, pause: systemPause }
