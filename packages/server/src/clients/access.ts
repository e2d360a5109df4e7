/** What a token must allow for each request. */
import type { ClientRequest } from '@sojourn/wire'
import type { Scope } from '../tokens.js'

/**
 * What a token must allow for each request. Who lists or ends all sessions needs to know no id, so it takes more.
 *
 * Who can write can make a session of any subject, and end its others with `endOthers`: to list and end those of a subject that one names gives
 * nothing more. A token for reading does not: with it, one sees sessions only whose ids one was shown.
 */
export const NEEDED: { readonly [type in ClientRequest['type']]: Scope } = {
  get: 'read',
  count: 'read',
  isLive: 'read',
  create: 'write',
  patch: 'write',
  replace: 'write',
  increment: 'write',
  touch: 'write',
  end: 'write',
  elevate: 'write',
  rotate: 'write',
  sessionsOf: 'write',
  stepOf: 'write',
  endHandle: 'write',
  endOthers: 'write',
  endSubject: 'write',
  endAll: 'admin',
  scan: 'admin',
  step: 'admin',
}
