/** Who else may read what a store and a server write. */
import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openReplica } from '@sojourn/replica'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startServer, TOKENS } from '../support/servers.js'
import { sojourn } from '../support/sojourn-process.js'

let directory: string
let umask: number
beforeEach(async () => {
  // As most systems have it: others may read.
  umask = process.umask(0o022)
  directory = await mkdtemp(join(tmpdir(), 'sojourn-private-'))
})
afterEach(async () => {
  process.umask(umask)
  await rm(directory, { recursive: true, force: true })
})

const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8)
const modesIn = async (path: string) => {
  const entries = await readdir(path, { recursive: true, withFileTypes: true })
  const modes = (isFile: boolean) =>
    Promise.all(
      entries
        .filter((entry) => entry.isFile() === isFile)
        .map(({ parentPath, name }) => modeOf(join(parentPath, name))),
    )
  const [files, directories] = [await modes(true), await modes(false)]
  expect(files.length).toBeGreaterThan(3)
  expect(new Set(directories)).toEqual(new Set(['700']))
  return [...new Set(files)]
}

describe('[SRV-5] an embedded store', () => {
  it('makes its directory, and those above it, for its owner alone', async () => {
    const location = join(directory, 'above', 'store')
    const replica = await openReplica({ region: 'eu', location })
    expect([await modeOf(join(directory, 'above')), await modeOf(location)]).toEqual(['700', '700'])
    expect(await modesIn(location)).toEqual(['600'])
    await replica.close()
  })

  it('takes a directory and files that were there from everybody else', async () => {
    const location = join(directory, 'store')
    const first = await openReplica({ region: 'eu', location })
    const { id } = await first.create({ a: 1 })
    await first.close()
    await chmod(location, 0o755)
    for (const { parentPath, name } of await readdir(location, { recursive: true, withFileTypes: true }))
      await chmod(join(parentPath, name), 0o755)
    const second = await openReplica({ region: 'eu', location })
    expect(await modeOf(location)).toBe('700')
    expect(await modesIn(location)).toEqual(['600'])
    expect((await second.get(id))!.data).toEqual({ a: 1 })
    await second.close()
  })

  it('says so where there can be no directory', async () => {
    await writeFile(join(directory, 'file'), '')
    await expect(openReplica({ region: 'eu', location: join(directory, 'file') })).rejects.toMatchObject({
      code: 'STORE_FAILED',
    })
  })
})

it('[SRV-5] a server writes nothing that others may read, also where others could read before', async () => {
  const data = join(directory, 'data')
  await mkdir(data, { mode: 0o755 })
  // What a crash of an older version left behind.
  for (const name of ['members.json.new', 'members.json']) await writeFile(join(data, name), '', { mode: 0o644 })
  await rm(join(data, 'members.json'))
  const server = await startServer('eu', data)
  await server.ask('/members', { token: TOKENS.admin, body: { call: 'add', region: 'us', url: null } })
  const file = join(directory, 'copy')
  await writeFile(`${file}.part`, '', { mode: 0o644 })
  const env = { SOJOURN_TOKEN: TOKENS.admin, SOJOURN_ADMIN_URL: server.url('admin') }
  expect(await sojourn(['backup', file], env)).toMatchObject({ code: 0, stderr: '' })
  await server.stop()
  expect([await modeOf(data), await modeOf(join(data, 'store'))]).toEqual(['700', '700'])
  expect([await modeOf(join(data, 'members.json')), await modeOf(file)]).toEqual(['600', '600'])

  const restored = join(directory, 'restored')
  await mkdir(restored, { mode: 0o755 })
  expect(await sojourn(['restore', file, '--region', 'eu', '--data', restored])).toMatchObject({ code: 0, stderr: '' })
  expect([await modeOf(restored), await modeOf(join(restored, 'store'))]).toEqual(['700', '700'])
  expect(await modeOf(join(restored, 'restored.json'))).toBe('600')
})
