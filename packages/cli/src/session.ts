/** `sojourn get`, `touch` and `end`: one session, by its id. */
import type { AdminRequest } from '@sojourn/wire'
import type { AdminClient } from './admin-client.js'
import { EXIT } from './exit-codes.js'
import type { Output } from './output.js'
import { authText, dateText, printable } from './subject-sessions.js'

export const callSession = async (
  client: AdminClient,
  call: AdminRequest<'session'>,
  isJson: boolean,
  out: Output,
): Promise<number> => {
  const { found, session } = await client.ask('session', call)
  if (isJson) out.json({ found, ...session })
  else if (!found) out.text('no live session has this id')
  else if (session === undefined) out.text('ended')
  else {
    const { createdAt, lastUsedAt, expiresAt, handle, subject, device, auth } = session
    const rows = [
      ['handle', handle],
      ['subject', subject && printable(subject)],
      ['device', device && printable(device)],
      ['login', authText(auth)],
      ['began', dateText(createdAt)],
      ['used', lastUsedAt && dateText(lastUsedAt)],
      ['expires', dateText(expiresAt)],
    ] as const
    out.text(rows.flatMap(([name, text]) => (text ? [`${name.padEnd(9)}${text}`] : [])).join('\n'))
    if (call.call === 'get') out.text(JSON.stringify(session.data, undefined, 2))
  }
  return found ? EXIT.ok : EXIT.no
}
