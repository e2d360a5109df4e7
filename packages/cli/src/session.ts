/** `sojourn get`, `touch` and `end`: one session, by its id. */
import { MAX_ID_CHARS, SojournError } from '@sojourn/core/internal'
import type { AdminRequest } from '@sojourn/wire'
import type { AdminClient } from './admin-client.js'
import { EXIT } from './exit-codes.js'
import type { Output } from './output.js'

/** An id is a secret, and every user of a machine can read the arguments of a process: `-` takes it from standard input. */
export const readId = async (argument: string, input: AsyncIterable<Uint8Array>): Promise<string> => {
  if (argument !== '-') return argument
  let text = ''
  for await (const chunk of input) {
    text += Buffer.from(chunk).toString('utf8')
    if (text.length > MAX_ID_CHARS || text.includes('\n')) break
  }
  const id = text.split('\n')[0]!.trim()
  if (id === '' || id.length > MAX_ID_CHARS)
    throw new SojournError('INVALID_OPTION', 'standard input holds no session id in its first line', { option: 'id' })
  return id
}

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
    const at = (ms: number) => new Date(ms).toISOString()
    out.text(`began    ${at(session.createdAt)}\nexpires  ${at(session.expiresAt)}`)
    if (call.call === 'get') out.text(JSON.stringify(session.data, undefined, 2))
  }
  return found ? EXIT.ok : EXIT.no
}
