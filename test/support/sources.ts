import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..')

export interface Source {
  /** From the top of the repository, with forward slashes. */
  readonly path: string
  readonly text: string
  /** The text without comments and without the contents of strings that are not module names. */
  readonly code: string
  /** Module names as written in import and export declarations, and in dynamic imports. */
  readonly imports: readonly string[]
}

const withoutComments = (text: string): string =>
  text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|[^:'"`])\/\/.*$/gm, '$1')

const importsOf = (code: string): string[] =>
  [...code.matchAll(/(?:from\s+|import\s*\(\s*|import\s+)'([^']+)'/g)].map((match) => match[1]!)

/** The module names that a text of TypeScript or JavaScript imports, its comments aside. */
export const importsIn = (text: string): string[] => importsOf(withoutComments(text))

export const readSource = (path: string): Source => {
  const text = readFileSync(join(ROOT, path), 'utf8')
  const code = withoutComments(text)
  return { path, text, code, imports: importsOf(code) }
}

/** Every file below a folder whose name ends so. */
export const filesBelow = (folder: string, ending: string): string[] =>
  readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .filter((path) => !path.includes('/dist/') && !path.includes('node_modules'))
    .sort()

/** The file that a relative import of a source names. */
export const resolveImport = (from: Source, name: string): string =>
  relative(ROOT, resolve(ROOT, dirname(from.path), name.replace(/\.js$/, '.ts'))).replaceAll('\\', '/')
