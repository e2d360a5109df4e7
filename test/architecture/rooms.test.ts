import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { filesBelow, ROOT, readSource, resolveImport, type Source } from '../support/sources.js'

/** Which room may look into which: an arrow in ARCHITECTURE.md, and nothing else. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  core: [],
  wire: ['core'],
  net: ['core'],
  store: ['core'],
  replica: ['core', 'wire', 'net', 'store'],
  express: ['core'],
  client: ['core', 'wire', 'net'],
  server: ['core', 'wire', 'net', 'store', 'replica', 'identity'],
  cli: ['core', 'wire', 'net', 'store', 'server'],
  automerge: ['core'],
  identity: ['core'],
  sojourn: ['cli', 'client', 'core', 'express', 'identity', 'replica'],
  sim: ['core', 'client', 'net', 'replica', 'server'],
}

/** What is no part of the product, and has several doors. */
const TOOLS: Record<string, readonly string[]> = {
  sim: ['index', 'main', 'mutant', 'mutation-loader', 'mutation-hooks'],
}

/** What a package gives beside its `index`. */
const DOORS: Record<string, readonly string[]> = {
  ...TOOLS,
  core: ['index', 'internal'],
  sojourn: ['index', 'client', 'express', 'identity', 'replica'],
  store: ['index', 'contract', 'keys'],
  server: ['index', 'parts'],
  replica: ['index', 'option-table'],
}

/** The one file with the real clock, timers and entropy. */
const SYSTEM = 'packages/core/src/system.ts'

/** The simulator lets promises settle between two happenings, and says how fast it was. */
const OUTSIDE = ['packages/sim/src/time.ts', 'packages/sim/src/main.ts']

const BANNED: readonly [pattern: RegExp, what: string][] = [
  [/\bDate\.now\b|\bnew Date\(\s*\)/, 'the wall clock'],
  [/\bperformance\b|\bhrtime\b/, 'the monotonic clock'],
  [/\bset(Timeout|Interval|Immediate)\b|timers\/promises|AbortSignal\.timeout/, 'a timer'],
  [/\bnextTick\b|\bqueueMicrotask\b/, 'the end of a turn'],
  [/\bMath\.random\b|\brandom(Bytes|UUID|Int|Fill|FillSync)\b|\bgetRandomValues\b|\bwebcrypto\b/, 'entropy'],
]

/** A file that is longer is more than one room. Biome counts the lines of functions: `maxLines` in biome.json. */
const MAX_LINES = 400

const packages = Object.keys(MAY_IMPORT)
/** Of what is imported: `ws`, `@sojourn/core`, `msgpackr/pack`. */
const packageOf = (target: string): string => target.split('/', target.startsWith('@') ? 2 : 1).join('/')
const sourcesOf = (name: string): Source[] => filesBelow(`packages/${name}/src`, '.ts').map(readSource)
const all = packages.flatMap(sourcesOf)
const product = packages.filter((name) => !(name in TOOLS)).flatMap(sourcesOf)

describe('[ARCH-1] imports point one way', () => {
  it.each(packages)('of @sojourn/%s', (name) => {
    const manifest = JSON.parse(readFileSync(join(ROOT, `packages/${name}/package.json`), 'utf8'))
    const installed = { ...manifest.dependencies, ...manifest.peerDependencies }
    // Nobody installs what is private, but we do, with what it is developed with.
    const declared = Object.keys(manifest.private ? { ...installed, ...manifest.devDependencies } : installed)
    const allowed = MAY_IMPORT[name]!.map((other) => `@sojourn/${other}`)
    expect(declared.filter((dependency) => dependency.startsWith('@sojourn/')).sort()).toEqual([...allowed].sort())
    const strays: string[] = []
    for (const source of sourcesOf(name))
      for (const target of source.imports) {
        if (target.startsWith('node:')) continue
        if (target.startsWith('.')) {
          if (!resolveImport(source, target).startsWith(`packages/${name}/src/`))
            strays.push(`${source.path}: ${target}`)
        } else if (!declared.includes(packageOf(target)) && !isTypeOnly(source, target))
          strays.push(`${source.path}: ${target}`)
      }
    expect(strays).toEqual([])
  })
})

/** Types need no package at run time; theirs come with development dependencies. Our own rooms are rooms for types, too. */
const isTypeOnly = (source: Source, target: string): boolean => {
  if (target.startsWith('@sojourn/')) return false
  const all = [...source.code.matchAll(new RegExp(`\\b(?:import|export)\\b[^']*'${target}'`, 'g'))]
  return all.length > 0 && all.every(([statement]) => /^(import|export) type\b/.test(statement))
}

describe('[ARCH-2] time, entropy and I/O come through the ports', () => {
  it('in every file but the one with the real ones', () => {
    const strays = all
      .filter(({ path }) => path !== SYSTEM && !OUTSIDE.includes(path))
      .flatMap(({ path, code }) =>
        BANNED.filter(([pattern]) => pattern.test(code)).map(([, what]) => `${path}: ${what}`),
      )
    expect(strays).toEqual([])
  })

  it('and the ban finds what it looks for', () => {
    const system = readSource(SYSTEM)
    for (const [pattern, what] of BANNED) {
      if (what === 'entropy') expect(system.code).toMatch(/randomBytes/)
      else expect(system.code, what).toMatch(pattern)
    }
  })

  it('and only net touches sockets; others know their types', () => {
    const doors = ['ws', 'node:http', 'node:https', 'node:http2', 'node:tls', 'node:net', 'node:dgram']
    const users = product.filter((source) =>
      doors.some((door) => source.imports.includes(door) && !isTypeOnly(source, door)),
    )
    const strays = users.map(({ path }) => path).filter((path) => !path.startsWith('packages/net/'))
    // One distinguishes addresses, and opens nothing; the other looks for free ports, for a cluster on one machine.
    expect(strays).toEqual(['packages/server/src/admin/hosts.ts', 'packages/cli/src/dev/plan.ts'])
    expect(users.length).toBeGreaterThan(5)
    expect(product.filter(({ code }) => /\bfetch\(/.test(code)).map(({ path }) => path)).toEqual([])
  })

  it('and only these rooms touch disks', () => {
    const doors: Record<string, readonly string[]> = {
      level: ['packages/store/src/engines/level-rows.ts'],
      'memory-level': ['packages/store/src/engines/memory.ts'],
      'node:fs': [
        'packages/store/src/engines/level-rows.ts',
        'packages/store/src/engines/level.ts',
        'packages/store/src/engines/segment-journal.ts',
        'packages/store/src/private-directory.ts',
        'packages/cli/src/backup.ts',
        'packages/cli/src/counted.ts',
        'packages/cli/src/dev/files.ts',
        'packages/cli/src/restore.ts',
        'packages/net/src/text-file.ts',
        'packages/server/src/config/load.ts',
        'packages/server/src/files.ts',
        'packages/server/src/serve.ts',
        'packages/server/src/version.ts',
        'packages/store/src/directory-lock.ts',
        'packages/store/src/region-marker.ts',
      ],
      'node:fs/promises': ['packages/server/src/files.ts'],
    }
    for (const [module, paths] of Object.entries(doors))
      expect(
        product
          .filter(({ imports }) => imports.includes(module))
          .map(({ path }) => path)
          .sort(),
      ).toEqual([...paths].sort())
  })
})

describe('[ARCH-3] nothing is dead', () => {
  it.each(packages)('every file of @sojourn/%s is reached from its door', (name) => {
    const byPath = new Map(sourcesOf(name).map((source) => [source.path, source]))
    const reached = new Set<string>()
    const visit = (path: string): void => {
      const source = byPath.get(path)
      if (source === undefined || reached.has(path)) return
      reached.add(path)
      for (const target of source.imports) if (target.startsWith('.')) visit(resolveImport(source, target))
    }
    for (const door of DOORS[name] ?? ['index']) visit(`packages/${name}/src/${door}.ts`)
    expect([...byPath.keys()].filter((path) => !reached.has(path))).toEqual([])
  })

  it('every export is used by another file', () => {
    const users = [
      ...all,
      ...filesBelow('test', '.ts').map(readSource),
      ...filesBelow('demo/src', '.ts').map(readSource),
    ]
    const unused: string[] = []
    for (const source of all) {
      // Node calls what loader hooks export.
      if (source.path.endsWith('/index.ts') || source.path.endsWith('-hooks.ts')) continue
      for (const [, kind, name] of source.code.matchAll(/^export (const|class|interface|type|function) (\w+)/gm)) {
        const uses = (user: Source) => user.code.match(new RegExp(`\\b${name}\\b`, 'g'))?.length ?? 0
        // A type may serve its own file only: it is exported for the readers of the declarations.
        const isType = kind === 'interface' || kind === 'type'
        const isUsed = (isType && uses(source) > 1) || users.some((user) => user.path !== source.path && uses(user) > 0)
        if (!isUsed) unused.push(`${source.path}: ${name}`)
      }
    }
    expect(unused).toEqual([])
  })

  it('no file has outgrown its room', () => {
    const long = all
      .map(({ path, text }) => [path, text.trimEnd().split('\n').length] as const)
      .filter(([, lines]) => lines > MAX_LINES)
    expect(long).toEqual([])
  })

  it('every file opens with what it is, in a sentence', () => {
    const opens = /^(#![^\n]*\n)?(\/\/\/ <reference[^\n]*\n)?\/\*\*/
    const plain = all.filter(({ path }) => !path.endsWith('.generated.ts'))
    expect(plain.filter(({ text }) => !opens.test(text)).map(({ path }) => path)).toEqual([])
  })
})

describe('[ARCH-4] errors have a code from the one table', () => {
  const table = readSource('packages/core/src/errors.ts')
  const codes = [...table.code.matchAll(/^ {2}([A-Z_]+):/gm)].map((match) => match[1]!)

  it('every code of the table is thrown somewhere', () => {
    const elsewhere = all.filter(({ path }) => path !== table.path)
    expect(codes.length).toBeGreaterThan(20)
    expect(codes.filter((code) => !elsewhere.some((source) => source.code.includes(code)))).toEqual([])
  })

  it('nothing else is thrown', () => {
    const strays = product.flatMap(({ path, code }) =>
      [...code.matchAll(/throw new (\w+)/g)]
        .filter(([, name]) => name !== 'SojournError')
        .map(([text]) => `${path}: ${text}`),
    )
    // Caught in the same file and turned into a sentence.
    expect(strays.filter((stray) => !stray.startsWith('packages/core/src/document/value.ts'))).toEqual([])
  })
})
