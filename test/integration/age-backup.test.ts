/** Backups that are encrypted to age recipients: by the command, of real servers, in real files. */
import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect } from '@sojourn/client'
import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import { describe, expect, test } from 'vitest'
import { emptyPlace, filesWith } from '../support/sealed.js'
import { type Server, startServer, TOKENS } from '../support/servers.js'
import { sojourn } from '../support/sojourn-process.js'
import { until } from '../support/until.js'

const MARKER = `marker-${randomBytes(12).toString('hex')}`
/** Together they are several chunks of age, which have 64 KiB. */
const SESSIONS = 60
const PADDING = 'x'.repeat(4_000)

/** A key that is well formed: of 32 bytes of 0, which encrypt nothing. */
const NO_POINT = 'age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq5cu47z'

const started = async (data: string, flags: Record<string, string>): Promise<Server> => {
  const server = await startServer('eu', data, { flags: { 'clients.port': '0', ...flags } })
  await until(() => server.status().listeners.clients, 'clients')
  return server
}

const run = (server: Server, ...args: string[]) =>
  sojourn(args, { SOJOURN_TOKEN: TOKENS.admin, SOJOURN_ADMIN_URL: server.url('admin') })

const fill = async (server: Server): Promise<string[]> => {
  const client = await connect({ url: server.url('clients'), token: TOKENS.write })
  const ids: string[] = []
  for (let n = 0; n < SESSIONS; n++) ids.push((await client.create({ n, secret: MARKER, padding: PADDING })).id)
  await client.close()
  return ids
}

const expectAll = async (server: Server, ids: readonly string[]): Promise<void> => {
  const client = await connect({ url: server.url('clients'), token: TOKENS.write })
  for (const [n, id] of ids.entries())
    expect((await client.get(id))?.data).toEqual({ n, secret: MARKER, padding: PADDING })
  await client.close()
}

/** A key pair, and its identity in a file as `age-keygen` writes it. */
const keyPair = async (directory: string, name: string) => {
  const identity = await generateX25519Identity()
  const recipient = await identityToRecipient(identity)
  const file = join(directory, `${name}.key`)
  await writeFile(file, `# created: now\n# public key: ${recipient}\n${identity}\n`, { mode: 0o600 })
  return { identity, recipient, file }
}

describe('[CRYPT-8] a backup to age recipients', () => {
  test('[CRYPT-8] shows nothing, needs an identity and no ring, and gives every session back', async () => {
    const directory = await emptyPlace()
    const [mine, theirs, other] = await Promise.all(['mine', 'theirs', 'other'].map((name) => keyPair(directory, name)))
    const ring = join(directory, 'ring')
    await writeFile(ring, (await sojourn(['keygen', '--id', 'first'])).stdout, { mode: 0o600 })
    const recipients = join(directory, 'recipients')
    await writeFile(recipients, `# who restores\n\n${theirs!.recipient}\r\n`)
    const server = await started(join(directory, 'old'), { encryptionKeysFile: ring })
    const ids = await fill(server)
    const to = ['--age-recipient', mine!.recipient, '--age-recipients-file', recipients]
    await mkdir(join(directory, 'backups'))
    const file = join(directory, 'backups', 'eu.backup')
    expect(await run(server, 'backup', file, ...to)).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringMatching(/: 61 rows of "eu", \d+ bytes, encrypted to age recipients: 2\n$/),
    })
    const again = await run(server, 'backup', join(directory, 'backups', 'again'), ...to, '--json')
    expect(JSON.parse(again.stdout)).toMatchObject({ region: 'eu', rows: 61, recipients: 2 })
    expect(JSON.parse(again.stdout)).not.toHaveProperty('sealed')
    await server.stop()
    expect(server.log.filter((line) => line.includes('without the seal of its ring'))).toHaveLength(2)
    const bytes = await readFile(file)
    expect(bytes.subarray(0, 22).toString()).toBe('age-encryption.org/v1\n')
    expect(bytes.length).toBeGreaterThan(SESSIONS * PADDING.length)
    expect(await filesWith(directory, MARKER, 'sojourn-backup', ...ids)).toEqual([])
    expect((await readdir(join(directory, 'backups'))).sort()).toEqual(['again', 'eu.backup'])

    const restore = (data: string, ...args: string[]) =>
      sojourn(['restore', file, '--region', 'eu', '--data', join(directory, data), ...args])
    const missing = await restore('none')
    expect(missing).toMatchObject({ code: 3, stderr: expect.stringContaining('ENCRYPTION_KEY') })
    expect(missing.stderr).toContain('no identity was given. Give --age-identity')
    const wrong = await restore('none', '--age-identity', other!.file)
    expect(wrong).toMatchObject({ code: 3, stderr: expect.stringContaining('ENCRYPTION_KEY') })
    expect(wrong.stderr).toContain(other!.file)
    expect(wrong.stderr).not.toContain(other!.identity)
    expect(await readdir(directory)).not.toContain('none')

    const either = ['--age-identity', other!.file, '--age-identity', theirs!.file]
    expect(await restore('sealed', ...either, '--encryption-keys-file', ring)).toMatchObject({ code: 0, stderr: '' })
    expect(await filesWith(join(directory, 'sealed'), MARKER)).toEqual([])
    const sealed = await started(join(directory, 'sealed'), { encryptionKeysFile: ring })
    await expectAll(sealed, ids)
    await sealed.stop()
    expect(await restore('clear', '--age-identity', mine!.file)).toMatchObject({ code: 0, stderr: '' })
    const clear = await started(join(directory, 'clear'), {})
    await expectAll(clear, ids)
    await clear.stop()
  })

  test('[CRYPT-8] that was cut or altered is refused, and leaves no data directory', async () => {
    const directory = await emptyPlace()
    const { recipient, file: key } = await keyPair(directory, 'mine')
    const server = await started(join(directory, 'old'), {})
    await fill(server)
    const file = join(directory, 'eu.backup')
    expect(await run(server, 'backup', file, '--age-recipient', recipient)).toMatchObject({ code: 0 })
    await server.stop()
    const whole = await readFile(file)
    const altered = Buffer.from(whole)
    altered[100_000]! ^= 1
    const header = Buffer.from(whole)
    header[whole.indexOf('--- ') + 5]! ^= 1
    const bad = { altered, header, cut: whole.subarray(0, -1), half: whole.subarray(0, 100_000) }
    for (const [name, bytes] of Object.entries(bad)) {
      await writeFile(join(directory, name), bytes)
      const data = join(directory, 'new')
      const args = ['restore', join(directory, name), '--region', 'eu', '--data', data, '--age-identity', key]
      const refused = await sojourn(args)
      expect(refused, name).toMatchObject({ code: 3, stderr: expect.stringContaining('the backup is damaged') })
    }
    expect(await readdir(directory)).not.toContain('new')
  })

  test('[CRYPT-8] flags that name no key, or are of no use, are refused before anything is written', async () => {
    const directory = await emptyPlace()
    const { identity, recipient, file: key } = await keyPair(directory, 'mine')
    const server = await started(join(directory, 'old'), {})
    const file = join(directory, 'eu.backup')
    const empty = join(directory, 'empty')
    await writeFile(empty, '# nobody\n')
    const clear = join(directory, 'clear')
    expect(await run(server, 'backup', clear)).toMatchObject({ code: 0 })
    const data = ['--region', 'eu', '--data', join(directory, 'new')]
    const cases: [args: string[], says: string][] = [
      [['backup', file, '--age-recipient', identity], '--age-recipient: value 1 is no public key of age'],
      [['backup', file, '--age-recipient', recipient, '--age-recipient', recipient.slice(0, -1)], 'value 2'],
      [['backup', file, '--age-recipient', NO_POINT], '--age-recipient: value 1'],
      [['backup', file, '--age-recipients-file', key], `line 3 of ${key}`],
      [['backup', file, '--age-recipients-file', empty], `${empty} holds no key`],
      [['restore', clear, ...data, '--age-identity', empty], `${empty} holds no identity`],
      [['restore', clear, ...data, '--age-identity', join(directory, 'gone')], 'gone'],
      [['restore', clear, ...data, '--age-identity', key], 'the backup is not encrypted with age'],
    ]
    for (const [args, says] of cases) {
      const refused = await run(server, ...args)
      expect(refused, says).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(says) })
      expect(refused.stderr).not.toContain(identity)
    }
    const mistyped = join(directory, 'mistyped')
    await writeFile(mistyped, `${identity.slice(0, -1)}\n`)
    const refused = await run(server, 'restore', clear, ...data, '--age-identity', mistyped)
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining(`line 1 of ${mistyped} is no identity`) })
    expect(refused.stderr).not.toContain(identity.slice(20, 40))
    await server.stop()
    expect((await readdir(directory)).sort()).toEqual(['clear', 'empty', 'mine.key', 'mistyped', 'old'])
  })
})
