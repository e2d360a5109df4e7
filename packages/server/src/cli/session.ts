import { END_REASONS, type EndReason, type Level, SojournError } from '@sojourn/core/internal'
import { EXIT } from '../exit-codes.js'
import type { AdminClient } from './admin-client.js'
import type { Output } from './output.js'

const MAX_ID_BYTES = 4_096

interface SessionAnswer {
  readonly found: boolean
  readonly session?: { readonly data: unknown; readonly createdAt: number; readonly expiresAt: number }
}

/** An id is a secret, and every user of a machine can read the arguments of a process: `-` takes it from standard input. */
export const readId = async (argument: string, input: AsyncIterable<Uint8Array>): Promise<string> => {
  if (argument !== '-') return argument
  let text = ''
  for await (const chunk of input) {
    text += Buffer.from(chunk).toString('utf8')
    if (text.length > MAX_ID_BYTES || text.includes('\n')) break
  }
  const id = text.split('\n')[0]!.trim()
  if (id === '' || id.length > MAX_ID_BYTES)
    throw new SojournError('INVALID_OPTION', 'standard input holds no session id in its first line', { option: 'id' })
  return id
}

/** @throws INVALID_OPTION */
export const parseLevel = (text: string | undefined): Level | undefined => {
  if (text === undefined || text === 'local' || text === 'majority' || text === 'all') return text
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text)
  throw new SojournError(
    'INVALID_OPTION',
    `--level is ${JSON.stringify(text)}; give local, majority, all, or a number of regions`,
    {
      option: 'level',
    },
  )
}

/** @throws INVALID_OPTION */
export const parseReason = (text: string | undefined): EndReason | undefined => {
  if (text === undefined || END_REASONS.includes(text as EndReason)) return text as EndReason | undefined
  throw new SojournError(
    'INVALID_OPTION',
    `--reason is ${JSON.stringify(text)}; give one of ${END_REASONS.join(', ')}`,
    { option: 'reason' },
  )
}

export const callSession = async (
  client: AdminClient,
  call: {
    readonly call: 'get' | 'touch' | 'end'
    readonly id: string
    readonly level?: Level | undefined
    readonly reason?: EndReason | undefined
  },
  isJson: boolean,
  out: Output,
): Promise<number> => {
  const { found, session } = (await client.post('/session', call)) as SessionAnswer
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
