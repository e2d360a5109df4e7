import { randomBytes } from 'node:crypto'
import { appendFile, chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect } from '@sojourn/client'
import { describe, expect, test } from 'vitest'
import { emptyPlace, filesWith } from '../support/sealed.js'
import { type Flags, type Server, startServer, TOKENS } from '../support/servers.js'
import { sojourn } from '../support/sojourn-process.js'
import { until } from '../support/until.js'

/** Resolves when clients are let in. */
const started = async (data: string, flags: Flags): Promise<Server> => {
  const server = await startServer('eu', data, { flags })
  if (flags['clients.port'] !== undefined) await until(() => server.status().listeners.clients, 'clients')
  return server
}

const MARKER = `marker-${randomBytes(12).toString('hex')}`

const keygen = async (...args: string[]): Promise<string> => {
  const { code, stdout, stderr } = await sojourn(['keygen', ...args])
  expect([code, stderr]).toEqual([0, ''])
  return stdout
}

const run = (server: Server, ...args: string[]) =>
  sojourn(args, { SOJOURN_TOKEN: TOKENS.admin, SOJOURN_ADMIN_URL: server.url('admin') })

/** A place for the data, and a file of keys beside it. */
const place = async () => {
  const directory = await emptyPlace()
  const keysFile = join(directory, 'keys')
  const data = join(directory, 'data')
  await writeFile(keysFile, await keygen('--id', 'first'), { mode: 0o600 })
  const flags = { 'clients.port': '0', encryptionKeysFile: keysFile }
  return { directory, keysFile, data, start: () => started(data, flags) }
}

/** Sessions with a marker in their data. */
const fill = async (server: Server, count: number): Promise<string[]> => {
  const client = await connect({ url: server.url('clients'), token: TOKENS.write })
  const ids: string[] = []
  for (let n = 0; n < count; n++) ids.push((await client.create({ n, secret: MARKER })).id)
  await client.close()
  return ids
}

const expectAll = async (server: Server, ids: readonly string[]): Promise<void> => {
  const client = await connect({ url: server.url('clients'), token: TOKENS.write })
  for (const [n, id] of ids.entries()) expect((await client.get(id))?.data).toEqual({ n, secret: MARKER })
  await client.close()
}

describe('[CRYPT-7] a server with a file of keys', () => {
  test('[CRYPT-7] goes on after a rekey by the command without the key from before', async () => {
    const { keysFile, start } = await place()
    const first = await start()
    const ids = await fill(first, 50)
    await appendFile(keysFile, await keygen('--id', 'second'))
    expect(await run(first, 'status')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^eu +first +first +1 +0/m),
    })
    const rekeyed = await run(first, 'rekey', '--json')
    expect(rekeyed).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(rekeyed.stdout)).toEqual({ region: 'eu', active: 'second', ringKeys: ['second'] })
    expect(await run(first, 'status')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^eu +second +second +1 +0/m),
    })
    await expectAll(first, ids)
    await first.stop()

    const text = await readFile(keysFile, 'utf8')
    await writeFile(keysFile, text.replace(/^first=.*\n/, ''))
    const again = await start()
    await expectAll(again, ids)
    await again.stop()
    const lines = [...first.log, ...again.log].join('\n')
    for (const line of text.trim().split('\n')) expect(lines).not.toContain(line.slice(-20))
    expect(lines).not.toContain(MARKER)

    await writeFile(keysFile, await keygen('--id', 'third'))
    await expect(start()).rejects.toMatchObject({
      code: 'ENCRYPTION_KEY',
      message: expect.stringContaining('"second"'),
    })
  })

  test('[CRYPT-7] a rekey that fails says why, to the command and in the status; in the clear there is none', async () => {
    const { keysFile, data, start } = await place()
    const server = await start()
    await writeFile(keysFile, 'no key\n')
    expect(await run(server, 'rekey')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('encryptionKeysFile: entry 1'),
    })
    await server.stop()
    const clear = await startServer('eu', `${data}-clear`)
    expect(await run(clear, 'rekey')).toMatchObject({ code: 2, stderr: expect.stringContaining('in the clear') })
    const status = await run(clear, 'status')
    expect(status.stdout).not.toContain('ENCRYPTED')
    await clear.stop()
  })

  test.skipIf(process.platform === 'win32')('[CRYPT-7] refuses a file that every user can open', async () => {
    const { keysFile, start } = await place()
    for (const mode of [0o644, 0o602, 0o601]) {
      await chmod(keysFile, mode)
      await expect(start()).rejects.toMatchObject({ code: 'INVALID_OPTION', option: 'encryptionKeysFile' })
    }
    await chmod(keysFile, 0o640)
    await (await start()).stop()
  })
})

describe('[CRYPT-6] a backup of an encrypted region', () => {
  test('[CRYPT-5][CRYPT-6] shows nothing, and is restored with the key alone', async () => {
    const { directory, keysFile, data, start } = await place()
    const server = await start()
    const ids = await fill(server, 40)
    const file = join(directory, 'backups', 'eu.backup')
    await mkdir(join(directory, 'backups'))
    const made = await run(server, 'backup', file)
    expect(made).toMatchObject({ code: 0, stdout: expect.stringContaining('41 rows of "eu"') })
    expect(made.stdout).toContain('sealed with key first')
    await server.stop()
    expect(await filesWith(directory, MARKER, ...ids)).toEqual([])

    await rm(data, { recursive: true })
    const restore = (...args: string[]) => sojourn(['restore', file, '--region', 'eu', '--data', data, ...args])
    const refused = await restore()
    expect(refused).toMatchObject({ code: 3, stderr: expect.stringContaining('ENCRYPTION_KEY') })
    expect(refused.stderr).toContain('"first"')
    const other = join(directory, 'other')
    await writeFile(other, await keygen('--id', 'first'), { mode: 0o600 })
    expect(await restore('--encryption-keys-file', other)).toMatchObject({ code: 3 })
    expect(await readdir(directory)).not.toContain('data')

    expect(await restore('--encryption-keys-file', keysFile)).toMatchObject({ code: 0 })
    expect(await filesWith(directory, MARKER, ...ids)).toEqual([])
    const again = await start()
    await expectAll(again, ids)
    await again.stop()
  })

  test('[CRYPT-6] in the clear it seals a store that is restored with keys: so a store becomes encrypted', async () => {
    const { directory, keysFile, data, start } = await place()
    const flags = { 'clients.port': '0' }
    const clear = await started(data, flags)
    const ids = await fill(clear, 10)
    const file = join(directory, 'eu.backup')
    expect(await run(clear, 'backup', file)).toMatchObject({ code: 0 })
    await clear.stop()
    await expect(start()).rejects.toMatchObject({ code: 'ENCRYPTION_KEY' })
    await rm(data, { recursive: true })
    const restored = ['restore', file, '--region', 'eu', '--data', data, '--encryption-keys-file', keysFile]
    expect(await sojourn(restored)).toMatchObject({ code: 0 })
    expect(await filesWith(data, MARKER)).toEqual([])
    expect(await filesWith(directory, MARKER)).toEqual([file])
    const server = await start()
    await expectAll(server, ids)
    await server.stop()
    await expect(started(data, flags)).rejects.toMatchObject({ code: 'ENCRYPTION_KEY' })
  })
})
