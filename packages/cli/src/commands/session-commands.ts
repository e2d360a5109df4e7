/** Commands about one session. */

import { END_REASONS, type EndReason } from '@sojourn/core/internal'
import { ADMIN_END_REASON } from '@sojourn/wire'
import { ADMIN_FLAGS, clientsOf } from '../admin-flags.js'
import { type Call, type Command, command } from '../command.js'
import { choice, level } from '../flags.js'
import { callSession, readId } from '../session.js'

const idMore = `
The id is a bearer secret, and every user of this machine can read the arguments of a process: give - and the id on standard input.
No log repeats it, here or at the server.`

const SESSION_FLAGS = {
  ...ADMIN_FLAGS,
  level: level({ about: 'How many regions must answer: local, majority, all, or a number' }),
} as const

/** What the commands about one session share; the id comes as an argument, or on standard input. */
const ID = {
  arguments: [{ name: 'id', about: 'The id of the session, or - to read it from standard input' }],
  more: idMore,
} as const

const exampleOf = (name: string, does: string) => ({ line: `printf %s "$ID" | sojourn ${name} -`, does })

const askSession = async (name: 'get' | 'touch' | 'end', call: Call<typeof SESSION_FLAGS>, reason?: EndReason) => {
  const { args, flags, env, input, out } = call
  const id = await readId(args[0]!, input)
  const [client] = clientsOf({ flags, env })
  const { level: given, json } = flags
  return callSession(client, { call: name, id, ...(given && { level: given }), ...(reason && { reason }) }, json, out)
}

const session = (name: 'get' | 'touch', about: string, does: string): Command =>
  command({
    ...ID,
    name,
    about,
    flags: SESSION_FLAGS,
    example: exampleOf(name, does),
    run: (call) => askSession(name, call),
  })

export const end = command({
  ...ID,
  name: 'end',
  about: 'End a session in all regions, for good',
  flags: {
    ...SESSION_FLAGS,
    reason: choice(END_REASONS, { about: `One of ${END_REASONS.join(', ')}`, default: ADMIN_END_REASON }, '<reason>'),
  },
  example: exampleOf('end', 'No region shows the session again'),
  run: (call) => askSession('end', call, call.flags.reason),
})

export const get = session('get', 'Show a session', 'The command shows the data of the session, and when it expires')
export const touch = session(
  'touch',
  'Renew the idle deadline of a session',
  'The session lives for another idle timeout',
)
