/** `sojourn sessions`: the sessions of a subject, without their ids and data. */
import type { AdminLine } from '@sojourn/wire'
import type { AdminClient } from './admin-client.js'
import { EXIT } from './exit-codes.js'
import type { Output } from './output.js'
import { table } from './table.js'

type Listed = AdminLine<'sessions'>

/** Labels come from whoever logged in, and go to a terminal. */
export const printable = (text: string): string => text.replace(/\p{C}/gu, '?')

/** To the second. */
export const dateText = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`

/** `2026-11-27T04:00:00Z pwd+otp (aal2)` */
export const authText = (auth: Listed['auth']): string | undefined => {
  if (auth === undefined) return undefined
  const { time, acr, amr = [] } = auth
  const how = [dateText(time), ...(amr.length > 0 ? [amr.join('+')] : []), ...(acr === undefined ? [] : [`(${acr})`])]
  return printable(how.join(' '))
}

/** The region that is asked lists what it holds. A subject without a session is an answer: no. */
export const listSessions = async (
  client: AdminClient,
  subject: string,
  isJson: boolean,
  out: Output,
): Promise<number> => {
  const sessions: Listed[] = []
  for await (const session of client.lines('sessions', { subject })) sessions.push(session)
  if (isJson) out.json({ sessions })
  else if (sessions.length === 0) out.text('no live session has this subject')
  else
    out.text(
      table(
        ['HANDLE', 'DEVICE', 'CREATED', 'LAST USED', 'EXPIRES', 'LOGIN', 'REGION'],
        sessions.map(({ handle, device, createdAt, lastUsedAt, expiresAt, auth, region }) => [
          handle,
          device && printable(device),
          dateText(createdAt),
          dateText(lastUsedAt),
          dateText(expiresAt),
          authText(auth),
          region,
        ]),
        out.paint,
      ),
    )
  return sessions.length === 0 ? EXIT.no : EXIT.ok
}
