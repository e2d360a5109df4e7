/** What the Dockerfile puts into its images, put together without Docker: its own lines, run in a directory of the test. */
import { mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { output, run } from '../support/program.js'
import { ROOT, readSource } from '../support/sources.js'

const dockerfile = readSource('Dockerfile').text

/** The commands of the first RUN of a stage. */
const commandsOf = (stage: string): string[] => {
  const [, after] = dockerfile.split(new RegExp(`^FROM \\S+ AS ${stage}$`, 'm'))
  const [, block] = /^RUN ((?:.*\\\n)*.*)$/m.exec(after!)!
  return block!.replaceAll('\\\n', ' ').split(' && ')
}

let directory = ''
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sojourn-image-'))
})
afterAll(() => rm(directory, { recursive: true }))

/** Makes the app of a stage; libraries are those of the checkout, packages only those that the stage copies. */
const build = async (stage: string): Promise<string> => {
  const app = join(directory, stage)
  const copies = commandsOf(stage).filter((command) => !/npm ci|node_modules/.test(command))
  expect(copies.length).toBeGreaterThan(0)
  await output('sh', ['-ec', copies.map((each) => each.replaceAll('/app', app)).join('\n')], {
    cwd: ROOT,
  })
  const libraries = join(app, 'node_modules')
  await mkdir(join(libraries, '@sojourn'), { recursive: true })
  for (const name of await readdir(join(ROOT, 'node_modules')))
    if (name !== '@sojourn') await symlink(join(ROOT, 'node_modules', name), join(libraries, name))
  for (const name of await readdir(join(app, 'packages')))
    await symlink(join(app, 'packages', name), join(libraries, '@sojourn', name))
  return app
}

describe('[DEPLOY-5] the image', () => {
  it('of the server has the command, and every package that it runs', async () => {
    const app = await build('server-files')
    const [, bin] = /ln -s \/app(\S+) \/usr\/local\/bin\/sojourn/.exec(dockerfile)!
    const env = { PATH: process.env.PATH }
    const sojourn = (...args: string[]) => run(process.execPath, [join(app, bin!), ...args], { cwd: directory, env })
    const { version } = JSON.parse(readSource('packages/server/package.json').text)
    expect(await sojourn('--version')).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: '' })
    // These load all of the server, and all of the store.
    expect(
      await sojourn('serve', '--region', 'eu', '--data', ':memory:', '--admin-host', 'nowhere.invalid'),
    ).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('admin: cannot listen on nowhere.invalid'),
    })
    expect(await sojourn('restore', 'none', '--region', 'eu')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('none cannot be read'),
    })
  })

  it('of the shop has every package that it runs', async () => {
    const app = await build('shop-files')
    const { code, stderr } = await run(process.execPath, [join(app, 'demo/dist/remote.js')], {
      cwd: directory,
      env: { PATH: process.env.PATH },
    })
    expect(code).toBe(1)
    expect(stderr).toContain('SHOP_')
    expect(stderr).not.toContain('ERR_MODULE_NOT_FOUND')
  })
})
