/** What is bounded of the identity listener, and by how much. */
import { limit, type SettingsOf } from '@sojourn/core/internal'
import { HTTP_LIMITS } from '../http-limits.js'

export const IDENTITY_LIMITS = {
  ...HTTP_LIMITS,
  maxBodyBytes: limit(16_384, 'Bytes of the body of a request. A longer one is refused'),
  maxKeysBytes: limit(65_536, 'Bytes of a JWKS, from a file or from a URL. A longer one is refused'),
  maxKeysMs: limit(5_000, 'Milliseconds until a JWKS must have come from its URL'),
}

export type IdentityLimits = SettingsOf<typeof IDENTITY_LIMITS>
