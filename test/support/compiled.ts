/** TypeScript as a reader of the pages compiles it: strict, against the declarations that the packages publish. */
import { execFile } from 'node:child_process'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { emptyDirectory } from './snippets.js'
import { ROOT } from './sources.js'

const STRICT = {
  target: 'es2022',
  lib: ['es2023'],
  types: ['node'],
  strict: true,
  noUncheckedIndexedAccess: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: true,
}

const RESOLUTIONS = {
  nodenext: { module: 'nodenext', outDir: 'out' },
  bundler: { module: 'esnext', moduleResolution: 'bundler', noEmit: true },
} as const

const run = (file: string, args: readonly string[], cwd: string): Promise<{ code: number; output: string }> =>
  new Promise((resolve) =>
    execFile(file, args, { cwd }, (error, stdout, stderr) =>
      resolve({ code: error ? 1 : 0, output: `${stdout}${stderr}` }),
    ),
  )

/** What the compiler says of these modules, and the JavaScript that it makes of them. */
export const compile = async (
  modules: readonly string[],
  resolution: keyof typeof RESOLUTIONS,
): Promise<{ readonly errors: string; readonly emitted: readonly string[] }> => {
  const directory = await emptyDirectory()
  try {
    const names = modules.map((_, index) => `snippet-${index}`)
    for (const [index, code] of modules.entries())
      await writeFile(join(directory, `${names[index]}.mts`), `${code}\nexport {}\n`)
    const compilerOptions = { ...STRICT, ...RESOLUTIONS[resolution] }
    await writeFile(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.mts'] }))
    const { code, output } = await run(join(ROOT, 'node_modules/.bin/tsc'), ['-p', '.'], directory)
    if (code !== 0 || resolution !== 'nodenext') return { errors: output, emitted: [] }
    const emitted = names.map((name) => readFile(join(directory, 'out', `${name}.mjs`), 'utf8'))
    return { errors: output, emitted: await Promise.all(emitted) }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}
