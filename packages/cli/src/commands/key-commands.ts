/** Commands about the keys of encryption at rest. */
import { systemClock, systemRandom } from '@sojourn/core/internal'
import { ADMIN_FLAGS, clientsOf, REAL_TIME } from '../admin-flags.js'
import { command } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { QUIET_FLAG, text } from '../flags.js'
import { newKeyLine, rekey } from '../rekey.js'

export const keygen = command({
  name: 'keygen',
  about: 'Write a new key for encryption at rest, as a line of a file of keys',
  flags: {
    id: text({ about: 'The id of the key, which no output hides (default: the day, and four digits)' }, '<id>'),
  },
  example: {
    line: '(umask 077; sojourn keygen >> sojourn.keys)',
    does: 'The last line of the file has the key that the server uses from its next start, or rekey, on',
  },
  more: `
The line is secret, but for the id. Keep each key for as long as a backup needs it: without its key, nobody can read a backup or a store.`,
  async run({ flags, out }) {
    out.text(newKeyLine(flags.id, systemClock.now(), systemRandom))
    return EXIT.ok
  },
})

export const rekeying = command({
  name: 'rekey',
  about: 'Seal an encrypted region anew under the active key of its ring, while it runs',
  flags: { ...ADMIN_FLAGS, ...QUIET_FLAG },
  example: {
    line: 'sojourn rekey',
    does: 'The server reads its file of keys anew, seals everything with the active one, and needs no other afterwards',
  },
  more: `
The server does the work, also after Ctrl-C. Where it ends in between, nothing is lost, and the next rekey does the rest.
Backups that were taken before still need the key that they were sealed with.`,
  run: ({ flags, env, out }) =>
    rekey(clientsOf({ flags, env })[0], { isJson: flags.json, isQuiet: flags.quiet, pause: REAL_TIME.pause }, out),
})
