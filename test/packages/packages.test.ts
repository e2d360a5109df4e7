/**
 * Whether what npm would publish is whole, and works where it is installed. SOJOURN_PACKAGES=registry installs from the registry rather
 * than from this repository's node_modules, and also runs on newer versions of Node.js.
 */
import { readFileSync } from 'node:fs'
import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Browser } from '../support/browser.js'
import { type Manifest, type Packed, type Packing, packAll } from '../support/packages.js'
import { output } from '../support/program.js'
import { Opened } from '../support/serve.js'
import { runSnippet, type Snippet, snippetsOf } from '../support/snippets.js'
import { filesBelow, importsIn, ROOT } from '../support/sources.js'
import { until } from '../support/until.js'

const registry = process.env.SOJOURN_PACKAGES === 'registry'

const INSTALLING_MS = 300_000

/** What an app of the README has beside Sojourn, and in TypeScript. */
const APP = ['express', 'express-session']
const TYPES = ['@types/express', '@types/express-session']
const NEWER = registry ? ['22', '24'] : []
/** The first one that knows of CommonJS which requires ES modules. */
const OLDEST_TYPESCRIPT = '5.8'

const manifests = filesBelow('packages', 'package.json').map(
  (path) => JSON.parse(readFileSync(join(ROOT, path), 'utf8')) as Manifest,
)
const names = manifests.filter((manifest) => !manifest.private).map(({ name }) => name)

let packing: Packing
/** The node_modules of a project that has installed everything. */
let modules: string
beforeAll(async () => {
  packing = await packAll()
  modules = await packing.install([...APP, ...TYPES], { registry })
}, INSTALLING_MS)
afterAll(() => packing?.[Symbol.asyncDispose]())

const packed = (name: string): Packed => packing.packages.find(({ manifest }) => manifest.name === name)!
const ending = ({ files }: Packed, pattern: RegExp) => [...files].filter(([path]) => pattern.test(path))

/** The package that an import names. */
const packageOf = (target: string): string => target.split('/', target.startsWith('@') ? 2 : 1).join('/')

/** What a source is compiled to: code and declarations, with their maps. */
const builtOf = (source: string): string[] => {
  const [, name, format] = /^src\/(.*)\.(c?)ts$/.exec(source)!
  return [`${format}js`, `${format}js.map`, `d.${format}ts`, `d.${format}ts.map`].map((end) => `dist/${name}.${end}`)
}

describe.each(names)('the tarball of %s', (name) => {
  it('[PACK-1] holds licence, page and build, and nothing that an earlier build or a test left', () => {
    const { files, folder, manifest } = packed(name)
    expect(files.get('LICENSE')).toBe(readFileSync(join(ROOT, 'LICENSE'), 'utf8'))
    expect(files.get('README.md')).toMatch(/^# /)
    const sources = ['.ts', '.cts'].flatMap((end) => filesBelow(`${folder}/src`, end))
    const paths = sources.map((path) => path.slice(`${folder}/`.length))
    const rest = ['LICENSE', 'README.md', 'package.json', ...Object.values(manifest.bin ?? {})]
    expect([...files.keys()].sort()).toEqual([...paths, ...paths.flatMap(builtOf), ...rest].sort())
  })

  it('[PACK-1] has source maps that lead to sources which are there', () => {
    const { files } = packed(name)
    const maps = ending(packed(name), /\.map$/)
    expect(maps.length).toBeGreaterThan(1)
    const missing = maps.flatMap(([path, text]) =>
      (JSON.parse(text) as { sources: string[] }).sources
        .map((source) => join(dirname(path), source).replaceAll('\\', '/'))
        .filter((source) => !files.has(source)),
    )
    expect(missing).toEqual([])
  })

  it('[PACK-1] says what it is, and names no place that there is not', () => {
    const { manifest } = packed(name)
    expect(manifest).toMatchObject({
      license: 'MIT',
      engines: { node: '>=20.19' },
      publishConfig: { access: 'public' },
    })
    expect(manifest.keywords).toContain('session-store')
    expect(JSON.stringify(manifest)).not.toMatch(/https?:|git[+@]/)
  })

  it('[PACK-2] depends on what its code and its types import', () => {
    const { dependencies, peerDependencies } = packed(name).manifest
    const declared = { ...dependencies, ...peerDependencies }
    const strays: string[] = []
    for (const [path, code] of ending(packed(name), /\.(c?js|d\.c?ts)$/))
      for (const target of importsIn(code)) {
        if (target.startsWith('.')) continue
        const wanted = target.startsWith('node:') ? [] : [packageOf(target)]
        if (/\.d\.c?ts$/.test(path)) wanted.push(...typesOf(target))
        strays.push(...wanted.filter((other) => !(other in declared)).map((other) => `${path}: ${other}`))
      }
    expect(strays).toEqual([])
  })

  it('[PACK-2] pins what is released together, and leaves apps a range of what they may have, too', () => {
    const { manifest } = packed(name)
    for (const [other, range] of Object.entries(manifest.dependencies ?? {})) {
      if (other.startsWith('@sojourn/')) expect([other, range]).toEqual([other, manifest.version])
      else if (other !== 'msgpackr') expect(`${other} ${range}`).toMatch(/ (\^|>=)/)
    }
    for (const [other, range] of Object.entries(manifest.peerDependencies ?? {}))
      expect(`${other} ${range}`).toMatch(/ \^/)
  })

  it('[PACK-3] is clean to publint and attw', async () => {
    const { tarball } = packed(name)
    const bytes = new Uint8Array(await readFile(tarball))
    const { messages, pkg } = await publint({ strict: true, pack: { tarball: bytes.buffer } })
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([])
    const analysis = await checkPackage(createPackageFromTarballData(bytes))
    if (analysis.types === false) throw new Error(`${name} has no types`)
    const problems = analysis.problems.map((problem) => [
      problem.kind,
      'resolutionKind' in problem ? problem.resolutionKind : '',
    ])
    // Node.js 10 does not know `exports`.
    expect(problems.filter(([, how]) => how !== 'node10')).toEqual([])
  })
})

/** Where the types of an import come from, when not from the package itself. */
const typesOf = (target: string): string[] => {
  if (target.startsWith('node:')) return ['@types/node']
  return ['ws', 'express', 'express-session'].includes(target) ? [`@types/${target}`] : []
}

const isApp = ({ code }: Snippet): boolean => code.includes('app.listen(')
const isClient = ({ code }: Snippet): boolean => code.includes('connect(')
const app = snippetsOf(readFileSync(join(ROOT, 'README.md'), 'utf8')).find(isApp)!.code

/** The same for CommonJS, which has no `import` and waits for nothing at its top. */
const asCommonJs = (code: string): string => {
  const requires = code.replaceAll(/^import (.+) from ('.+')$/gm, 'const $1 = require($2)')
  return `const main = async () => {\n${requires}}\n\nmain()\n`
}
const asCommonTs = (code: string): string => {
  const imports = [...code.matchAll(/^import .*\n/gm)].join('')
  return `${imports}\nconst main = async () => {\n${code.replaceAll(/^import .*\n/gm, '')}}\n\nmain()\n`
}

/** What an app in TypeScript says of its sessions. */
const AUGMENTATION = `import 'express-session'

declare module 'express-session' {
  interface SessionData {
    views?: number
  }
}
`

/** Checks a file as strictly as TypeScript can, and returns what it is compiled to. */
const compile = async (
  file: string,
  code: string,
  compilerOptions: object,
  tsc = join(ROOT, 'node_modules/typescript/bin/tsc'),
): Promise<string> => {
  const folder = await mkdtemp(join(dirname(modules), 'typescript-'))
  await writeFile(join(folder, file), code)
  await writeFile(join(folder, 'session.d.ts'), AUGMENTATION)
  const strict = {
    strict: true,
    skipLibCheck: false,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    target: 'es2023',
    outDir: 'out',
    rootDir: '.',
  }
  const config = { compilerOptions: { ...strict, ...compilerOptions }, files: [file, 'session.d.ts'] }
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config))
  await output(process.execPath, [tsc, '-p', folder])
  return readFile(join(folder, 'out', file.replace('ts', 'js')), 'utf8')
}

/** Installs something from the registry beside the project, and returns its folder. */
const installTool = async (name: string, version: string): Promise<string> => {
  const place = await mkdtemp(join(dirname(modules), 'tool-'))
  await writeFile(join(place, 'package.json'), '{ "private": true }\n')
  await output('npm', ['install', `${name}@${version}`], { cwd: place })
  return join(place, 'node_modules', name)
}

const countsViews = async (code: string, file: string, node?: string): Promise<void> => {
  await using running = await runSnippet({ code }, { modules, file, node })
  const url = `http://localhost:${await running.port(3000)}`
  const browser = new Browser()
  expect(await browser.json('GET', url)).toEqual({ views: 1 })
  expect(await browser.json('GET', url)).toEqual({ views: 2 })
  expect(running.output()).toBe('')
}

describe('the app of the README, where the packages are installed', () => {
  it('[PACK-4] runs as an ES module', () => countsViews(app, 'app.mjs'))

  it('[PACK-4] runs as CommonJS', () => countsViews(asCommonJs(app), 'app.cjs'))

  it('[PACK-4] runs in strict TypeScript, with nodenext', async () =>
    countsViews(await compile('app.mts', app, { module: 'nodenext' }), 'app.mjs'))

  it('[PACK-4] runs in strict TypeScript, with nodenext as CommonJS', async () =>
    countsViews(await compile('app.cts', asCommonTs(app), { module: 'nodenext' }), 'app.cjs'))

  it('[PACK-4] runs in strict TypeScript, with a bundler', async () => {
    const options = { module: 'esnext', moduleResolution: 'bundler' }
    await countsViews(await compile('app.ts', app, options), 'app.mjs')
  })

  it.runIf(registry)(
    `[PACK-4] is understood by TypeScript ${OLDEST_TYPESCRIPT}`,
    async () => {
      const tsc = join(await installTool('typescript', OLDEST_TYPESCRIPT), 'bin', 'tsc')
      await compile('app.mts', app, { module: 'nodenext' }, tsc)
      await compile('app.cts', asCommonTs(app), { module: 'nodenext' }, tsc)
    },
    INSTALLING_MS,
  )

  it.each(NEWER)(
    '[PACK-4] runs on Node.js %s',
    async (major) => {
      const platform = process.platform === 'win32' ? 'win' : process.platform
      const node = join(await installTool(`node-${platform}-${process.arch}`, major), 'bin', 'node')
      expect(await output(node, ['--version'])).toMatch(`v${major}.`)
      await countsViews(app, 'app.mjs', node)
      await countsViews(asCommonJs(app), 'app.cjs', node)
    },
    INSTALLING_MS,
  )

  it('[PACK-4] gives CommonJS the very things that ES modules get, by every door', async () => {
    const doors = packing.packages.flatMap(({ manifest }) =>
      Object.keys(manifest.exports)
        .filter((door) => door !== './package.json')
        .map((door) => manifest.name + door.slice(1)),
    )
    const code = `const check = async (door) => {
  const [required, imported] = [require(door), await import(door)]
  for (const name in imported) if (required[name] !== imported[name]) console.log(door, name)
  if (Object.keys(imported).length === 0) console.log(door, 'gives nothing')
}
Promise.all(${JSON.stringify(doors)}.map(check)).then(() => process.exit())
`
    await using running = await runSnippet({ code }, { modules, file: 'doors.cjs' })
    expect({ code: await running.ended(), output: running.output() }).toEqual({ code: 0, output: '' })
  })

  it('[PACK-4] comes with the command', async () => {
    const { manifest } = packed('sojourn')
    expect(await output(process.execPath, [join(modules, 'sojourn', manifest.bin!.sojourn!), '--version'])).toBe(
      manifest.version,
    )
  })
})

const pages = names.flatMap((name) => {
  const folder = name.replace('@sojourn/', '')
  const snippets = snippetsOf(readFileSync(join(ROOT, `packages/${folder}/README.md`), 'utf8'))
  return snippets.map((snippet) => [name, snippet] as const)
})

describe('the page of a package', () => {
  const opened = new Opened()
  afterAll(() => opened.close())

  it('[PACK-5] has an example', () => {
    expect(names.filter((name) => !pages.some(([other]) => other === name))).toEqual([])
  })

  it.each(names)('[PACK-5] of %s leads to nothing that is not published with it', (name) => {
    const links = [
      ...packed(name)
        .files.get('README.md')!
        .matchAll(/\]\(([^)]*)\)/g),
    ].map(([, to]) => to)
    expect(links.filter((to) => !to!.startsWith('#'))).toEqual([])
  })

  it.each(pages)('[PACK-5] of %s has an example that runs', async (_name, snippet) => {
    if (isApp(snippet)) return countsViews(snippet.code, 'app.mjs')
    if (isClient(snippet)) {
      const { listener } = await opened.serve()
      await using running = await runSnippet(snippet, { modules, ports: { 7401: listener.address.port } })
      await until(() => listener.status().totals.accepted > 0, running.output)
      return expect(running.output()).toBe('')
    }
    await using running = await runSnippet(snippet, { modules })
    expect({ code: await running.ended(), output: running.output() }).toMatchObject({ code: 0 })
  })
})
