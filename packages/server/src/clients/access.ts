/** What a token must allow for each request. */
import type { ClientRequest } from '@sojourn/wire'
import type { Scope } from '../tokens.js'

/** What a token must allow for each request. Who lists or ends all sessions needs to know no id, so it takes more. */
export const NEEDED: { readonly [type in ClientRequest['type']]: Scope } = {
  get: 'read',
  count: 'read',
  create: 'write',
  patch: 'write',
  replace: 'write',
  increment: 'write',
  touch: 'write',
  end: 'write',
  rotate: 'write',
  endAll: 'admin',
  scan: 'admin',
  step: 'admin',
}
