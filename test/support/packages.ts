/** The packages as npm would publish them: packed from a fresh copy of the tree, and installed into an empty project. */
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { output } from './program.js'
import { ROOT } from './sources.js'

export interface Manifest {
  readonly name: string
  readonly version: string
  readonly private?: boolean
  readonly keywords?: readonly string[]
  readonly exports: { readonly [door: string]: unknown }
  readonly bin?: { readonly [command: string]: string }
  readonly dependencies?: { readonly [name: string]: string }
  readonly peerDependencies?: { readonly [name: string]: string }
}

export interface Packed {
  readonly manifest: Manifest
  /** The folder of its sources, from the top of the repository. */
  readonly folder: string
  readonly tarball: string
  /** What is in the tarball, by its paths. */
  readonly files: ReadonlyMap<string, string>
}

/** Where the packages were packed, and what an app installs. */
export interface Packing extends AsyncDisposable {
  readonly packages: readonly Packed[]
  /** An empty project that has installed all of them, and others by name; returns its node_modules. */
  install(others: readonly string[], options: { readonly registry: boolean }): Promise<string>
}

/** A file of an earlier build, whose source is gone: none of it may be published. */
const STALE = 'dist/of-an-earlier-build.js'

const NPM = { npm_config_update_notifier: 'false', npm_config_fund: 'false', npm_config_audit: 'false' }

const readManifest = async (folder: string): Promise<Manifest> =>
  JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))

/** What is neither built nor installed: what a fresh clone has. */
const isCloned = (path: string): boolean => !/[/\\](node_modules|dist|data)$/.test(path)

/** A copy as a fresh clone is after `npm ci`, but for what an earlier build of each package left behind. */
const copyTree = async (into: string, folders: readonly string[]): Promise<void> => {
  for (const name of ['packages', 'demo', 'package.json', 'tsconfig.base.json'])
    await cp(join(ROOT, name), join(into, name), { recursive: true, filter: isCloned })
  for (const folder of folders) {
    await mkdir(dirname(join(into, folder, STALE)), { recursive: true })
    await writeFile(join(into, folder, STALE), 'throw new Error()\n')
  }
  const modules = join(into, 'node_modules')
  await mkdir(join(modules, '@sojourn'), { recursive: true })
  for (const name of await readdir(join(ROOT, 'node_modules')))
    if (name !== '@sojourn' && name !== 'sojourn') await symlink(join(ROOT, 'node_modules', name), join(modules, name))
  for (const folder of folders)
    await symlink(join(into, folder), join(modules, (await readManifest(join(into, folder))).name))
}

/** Puts tarballs, and links to what they and the project depend on, where npm would: it needs no network, nor npm's cache. */
const linkAll = async (project: string, packages: readonly Packed[], others: readonly string[]): Promise<string> => {
  const modules = join(project, 'node_modules')
  const names = new Set(packages.map(({ manifest }) => manifest.name))
  const wanted = new Set(others)
  for (const { manifest, tarball } of packages) {
    const place = join(modules, manifest.name)
    await mkdir(place, { recursive: true })
    await output('tar', ['-xzf', tarball, '--strip-components', '1', '-C', place])
    for (const name of Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })) wanted.add(name)
  }
  for (const name of wanted) {
    if (names.has(name)) continue
    await mkdir(dirname(join(modules, name)), { recursive: true })
    await symlink(join(ROOT, 'node_modules', name), join(modules, name))
  }
  return modules
}

const fromRegistry = async (project: string, packages: readonly Packed[], others: readonly string[]) => {
  await output('npm', ['install', ...packages.map(({ tarball }) => tarball), ...others], { cwd: project, env: NPM })
  return join(project, 'node_modules')
}

/** Packs every package that is not private. */
export const packAll = async (): Promise<Packing> => {
  const place = await mkdtemp(join(tmpdir(), 'sojourn-packages-'))
  const folders: string[] = []
  for (const name of await readdir(join(ROOT, 'packages')))
    if (!(await readManifest(join(ROOT, 'packages', name))).private) folders.push(`packages/${name}`)
  const tree = join(place, 'tree')
  await mkdir(tree)
  await copyTree(tree, folders)
  const workspaces = folders.flatMap((folder) => ['--workspace', folder])
  const said = await output('npm', ['pack', '--offline', '--json', '--pack-destination', place, ...workspaces], {
    cwd: tree,
    env: NPM,
  })
  const packages: Packed[] = []
  for (const { name, filename } of JSON.parse(said) as readonly { name: string; filename: string }[]) {
    const tarball = join(place, filename)
    const unpacked = join(place, 'unpacked', name)
    await mkdir(unpacked, { recursive: true })
    await output('tar', ['-xzf', tarball, '--strip-components', '1', '-C', unpacked])
    const files = new Map<string, string>()
    for (const entry of await readdir(unpacked, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name)
      if (entry.isFile()) files.set(path.slice(unpacked.length + 1).replaceAll('\\', '/'), await readFile(path, 'utf8'))
    }
    const folder = folders.find((path) => path.endsWith(`/${name.split('/').at(-1)}`))!
    packages.push({ manifest: await readManifest(unpacked), folder, tarball, files })
  }
  return {
    packages,
    async install(others, { registry }) {
      const project = await mkdtemp(join(place, 'project-'))
      await writeFile(join(project, 'package.json'), '{ "private": true }\n')
      return registry ? fromRegistry(project, packages, others) : linkAll(project, packages, others)
    },
    [Symbol.asyncDispose]: () => rm(place, { recursive: true, force: true }),
  }
}
