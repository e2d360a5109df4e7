/** Commands about one session, about those of a subject, and about all. */

import { END_REASONS, MAX_ID_CHARS, MAX_SUBJECT_CHARS, SojournError } from '@sojourn/core/internal'
import { ADMIN_END_REASON } from '@sojourn/wire'
import { ADMIN_FLAGS, clientsOf } from '../admin-flags.js'
import { type Call, type Command, command, flagName } from '../command.js'
import { endAll, endHandle, endSubject } from '../ends.js'
import { choice, handle, handles, level, QUIET_FLAG, secretText, toggle } from '../flags.js'
import { callSession } from '../session.js'
import { givenOrRead } from '../standard-input.js'
import { listSessions } from '../subject-sessions.js'

const ID_MORE = `
The id is a bearer secret, and every user of this machine can read the arguments of a process: give - and the id on standard input.
No log repeats it, here or at the server.`

const SUBJECT_MORE = `
Every user of this machine can read the arguments of a process, and a shell keeps them: leave the subject out, or give -, and it is read
from standard input. No log and no metric repeats it, here or at the server.`

const ID = { name: 'id', about: 'The id of the session, or - to read it from standard input' } as const

const SUBJECT = {
  subject: secretText(
    { about: 'Whose sessions: the subject as the app gives it; without one, or with -, it comes from standard input' },
    'subject',
  ),
} as const

const exampleOf = (name: string, does: string) => ({ line: `printf %s "$ID" | sojourn ${name} -`, does })

const readId = (given: string, input: Call['input']): Promise<string> =>
  givenOrRead(given, input, { what: 'session id', option: 'id', maxChars: MAX_ID_CHARS })

const readSubject = (given: string, input: Call['input']): Promise<string> =>
  givenOrRead(given, input, { what: 'subject', option: 'subject', maxChars: MAX_SUBJECT_CHARS })

export const get = command({
  name: 'get',
  about: 'Show a session',
  arguments: [ID],
  flags: { ...ADMIN_FLAGS, read: level({ about: 'How many regions to ask: local, majority, all, or a number' }) },
  example: exampleOf('get', 'The command shows the data of the session, whose it is, and when it expires'),
  more: ID_MORE,
  run: async ({ args, flags, env, input, out }) => {
    const id = await readId(args[0]!, input)
    return callSession(clientsOf({ flags, env })[0], { call: 'get', id, level: flags.read }, flags.json, out)
  },
})

const WRITE = { write: level({ about: 'How many regions must hold the write: local, majority, all, or a number' }) }

export const touch = command({
  name: 'touch',
  about: 'Renew the idle deadline of a session',
  arguments: [ID],
  flags: { ...ADMIN_FLAGS, ...WRITE },
  example: exampleOf('touch', 'The session lives for another idle timeout'),
  more: ID_MORE,
  run: async ({ args, flags, env, input, out }) => {
    const id = await readId(args[0]!, input)
    return callSession(clientsOf({ flags, env })[0], { call: 'touch', id, level: flags.write }, flags.json, out)
  },
})

export const sessions = command({
  name: 'sessions',
  about: 'List the live sessions of a subject',
  flags: { ...ADMIN_FLAGS, ...SUBJECT },
  example: {
    line: `printf %s "$USER_NAME" | sojourn sessions --subject`,
    does: 'A table shows handle, device, times and region of each session of the user',
  },
  more: SUBJECT_MORE,
  run: async ({ flags, env, input, out }) => {
    if (flags.subject === undefined) throw refused('subject', '--subject is not given. Give whose sessions to list')
    return listSessions(clientsOf({ flags, env })[0], await readSubject(flags.subject, input), flags.json, out)
  },
})

const END_FLAGS = {
  ...ADMIN_FLAGS,
  ...SUBJECT,
  except: handles({ about: 'With --subject, handles of sessions that live on, separated by commas' }),
  handle: handle({ about: 'The handle of the session, which `sojourn sessions` lists' }),
  all: toggle('Every session that the region holds'),
  ...WRITE,
  reason: choice(END_REASONS, { about: `One of ${END_REASONS.join(', ')}`, default: ADMIN_END_REASON }, '<reason>'),
  ...QUIET_FLAG,
} as const

const refused = (option: string, why: string): SojournError => new SojournError('INVALID_OPTION', why, { option })

/** What is to be ended, of which a call names one. @throws INVALID_OPTION */
const targetOf = ({ args, flags }: Call<typeof END_FLAGS>): 'id' | 'subject' | 'handle' | 'all' => {
  const given = (['subject', 'handle', 'all'] as const).filter(
    (name) => flags[name] !== undefined && flags[name] !== false,
  )
  const [target = 'id'] = given
  if (given.length + (args[0] === undefined ? 0 : 1) !== 1)
    throw refused('end', `give one of <id>, ${(['subject', 'handle', 'all'] as const).map(flagName).join(', ')}`)
  if (flags.except !== undefined && target !== 'subject')
    throw refused('except', '--except needs --subject. Give both, or neither')
  return target
}

export const end: Command = command({
  name: 'end',
  about: 'End a session in all regions, for good, or those of a subject, or all',
  arguments: [{ ...ID, isOptional: true }],
  flags: END_FLAGS,
  example: {
    line: `printf %s "$USER_NAME" | sojourn end --subject`,
    does: 'No region shows a session of the user that began before',
  },
  more: `
The end of a subject, a handle or all gives a receipt: how many sessions ended in this region, and which regions hold that.
The command ends with 1 where a region does not hold it yet, or where no session has the id or the handle.
${ID_MORE.trimStart()}
${SUBJECT_MORE.trimStart()}`,
  run: async (call) => {
    const target = targetOf(call)
    const { args, flags, env, input, out } = call
    const { json, write, reason, except } = flags
    const [client] = clientsOf({ flags, env })
    if (target === 'subject') {
      const subject = await readSubject(flags.subject!, input)
      return endSubject(client, { subject, except, write, reason }, json, out)
    }
    if (target === 'handle') return endHandle(client, { handle: flags.handle!, write, reason }, json, out)
    if (target === 'all') return endAll(client, { write, reason }, { isJson: json, isQuiet: flags.quiet }, out)
    const id = await readId(args[0]!, input)
    return callSession(client, { call: 'end', id, level: write, reason }, json, out)
  },
})
