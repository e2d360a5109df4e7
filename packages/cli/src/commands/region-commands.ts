/** Commands about regions as a whole: how they are, what they hold, copies of that, and which there are. */
import { SojournError } from '@sojourn/core/internal'
import { loadPart } from '@sojourn/server/parts'
import { ADMIN_FLAGS, clientsOf, REAL_TIME } from '../admin-flags.js'
import { AgeIdentities, AgeRecipients } from '../age.js'
import { backUp } from '../backup.js'
import { command } from '../command.js'
import { count, duration, JSON_FLAG, QUIET_FLAG, text, texts, toggle } from '../flags.js'
import { changeRegions } from '../region.js'
import { CONFIG_FLAG, configInput, SETTING_FLAGS } from '../settings-flags.js'
import { showStatus, showTop } from '../status.js'
import { verify } from '../verify.js'

export const status = command({
  name: 'status',
  about: 'Show the regions, their links and lags',
  flags: {
    ...ADMIN_FLAGS,
    watch: toggle('Refresh the status until Ctrl-C'),
    interval: duration({ about: 'With --watch, how often to refresh', default: '2s' }),
    times: count({ about: 'With --watch, how many times to refresh (default: until Ctrl-C)' }),
  },
  example: { line: 'sojourn status --watch', does: 'A live table shows each region, and each link with its lag' },
  run: ({ flags, env, out }) => {
    if (flags.times !== undefined && !flags.watch)
      throw new SojournError('INVALID_OPTION', '--times needs --watch. Give both, or neither', {
        option: 'times',
      })
    const times = flags.watch ? flags.times : 1
    const options = { isJson: flags.json, intervalMs: flags.interval, times, ...REAL_TIME }
    return showStatus(clientsOf({ flags, env }), options, out)
  },
})

export const top = command({
  name: 'top',
  about: 'Show calls, errors and traffic per second, and refresh until Ctrl-C',
  flags: {
    ...ADMIN_FLAGS,
    interval: duration({ about: 'How often', default: '1s' }),
    times: count({ about: 'How many times to refresh (default: until Ctrl-C)' }),
  },
  example: { line: 'sojourn top --times 1', does: 'One table shows calls, errors and bytes of the next second' },
  run: ({ flags, env, out }) =>
    showTop(
      clientsOf({ flags, env }),
      { isJson: flags.json, intervalMs: flags.interval, times: flags.times, ...REAL_TIME },
      out,
    ),
})

export const verifying = command({
  name: 'verify',
  about: 'Compare the records of all regions',
  flags: {
    ...ADMIN_FLAGS,
    ...QUIET_FLAG,
    wait: duration({ about: 'How long to wait for commits in flight before a difference counts', default: '10s' }),
    repair: toggle('First make every region compare all keys with its peers and repair the records that differ'),
  },
  example: {
    line: 'sojourn verify --repair',
    does: 'The regions repair records that differ. The command exits with 0 once all hold the same',
  },
  run: ({ flags, env, out }) => {
    const { wait, repair, json, quiet } = flags
    const options = { waitMs: wait, repair, isJson: json, isQuiet: quiet, ...REAL_TIME }
    return verify(clientsOf({ flags, env }), options, out)
  },
})

export const backup = command({
  name: 'backup',
  about: 'Copy the records of a running region to a file',
  arguments: [{ name: 'file', about: 'The file to write, which must not exist yet', files: 'file' }],
  flags: {
    ...ADMIN_FLAGS,
    ...QUIET_FLAG,
    ageRecipient: texts(
      { about: 'A public key of age: only its identity opens the backup. The flag can be given several times' },
      '<age1…>',
    ),
    ageRecipientsFile: texts({ about: 'A file of such keys, one a line', files: 'file' }, '<file>'),
  },
  example: {
    line: 'sojourn backup eu.backup',
    does: 'The command copies the region, reads the file back, and then gives it its name',
  },
  async run({ args, flags, env, out }) {
    const recipients = await AgeRecipients.of(flags.ageRecipient, flags.ageRecipientsFile)
    const options = { file: args[0]!, recipients, isJson: flags.json, isQuiet: flags.quiet }
    return backUp(clientsOf({ flags, env })[0], options, out)
  },
})

export const restoring = command({
  name: 'restore',
  about: 'Make a data directory from a backup, for a region that is stopped',
  arguments: [{ name: 'file', about: 'A backup that `sojourn backup` wrote', files: 'file' }],
  flags: {
    ...CONFIG_FLAG,
    region: SETTING_FLAGS.region!,
    data: SETTING_FLAGS.data!,
    encryptionKeysFile: SETTING_FLAGS.encryptionKeysFile!,
    encryptionActive: SETTING_FLAGS.encryptionActive!,
    fromRegion: text({ about: 'The region of the backup, if it is not the region of the settings' }, '<name>'),
    ageIdentity: texts(
      { about: 'A file of age identities, for a backup that is encrypted to one of their recipients', files: 'file' },
      '<file>',
    ),
    ...JSON_FLAG,
    ...QUIET_FLAG,
  },
  example: {
    line: 'sojourn restore eu.backup --config sojourn.yaml',
    does: 'The region has the sessions of the backup at its next start',
  },
  async run({ args, flags, env, out }) {
    const { restore } = await import('../restore.js')
    const target = loadPart(configInput(flags, env))
    const { fromRegion, json, quiet } = flags
    const identities = await AgeIdentities.of(flags.ageIdentity)
    return restore(args[0]!, { ...target, fromRegion }, { identities, isJson: json, isQuiet: quiet }, out)
  },
})

export const regionAdd = command({
  name: 'add',
  about: 'Make a region a member in all regions',
  arguments: [
    { name: 'region', about: 'Its name' },
    { name: 'url', about: 'The address of its peer listener (ws:// or wss://), or null: it dials the others' },
  ],
  flags: {
    ...ADMIN_FLAGS,
    adminUrl: text({ about: 'The address of its admin listener, for status and verify' }, '<url>'),
  },
  example: {
    line: 'sojourn region add sa wss://sessions.sa.example.net:7400',
    does: 'The region dials sa, counts it in majorities, and informs the others',
  },
  run: ({ args: [region, url], flags, env, out }) => {
    const { adminUrl: admin, json } = flags
    const call = { call: 'add' as const, region: region!, url: url === 'null' ? null : url!, ...(admin && { admin }) }
    return changeRegions(clientsOf({ flags, env })[0], call, json, out)
  },
})

export const regionRemove = command({
  name: 'remove',
  about: 'End the membership of a region in all regions',
  arguments: [{ name: 'region', about: 'Its name' }],
  flags: ADMIN_FLAGS,
  example: {
    line: 'sojourn region remove sa',
    does: 'The other regions stop counting sa in majorities and close their links to it',
  },
  run: ({ args, flags, env, out }) =>
    changeRegions(clientsOf({ flags, env })[0], { call: 'remove', region: args[0]! }, flags.json, out),
})
