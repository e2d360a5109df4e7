/** A program of a few lines in a process of its own, as a user would write it: as a module, or in CommonJS. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type Ended, outputOf } from './child-output.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

export type ModuleKind = 'module' | 'commonjs'

/**
 * Runs the body of an async function to the end of its process; what it imports, it finds by these names.
 * @param imports names by package; `tsc -b` must have built it
 */
export const runScript = (
  kind: ModuleKind,
  imports: { readonly [from: string]: readonly string[] },
  body: string,
): Promise<Ended> => {
  const lines = Object.entries(imports).map(([from, names]) =>
    kind === 'module'
      ? `import { ${names.join(', ')} } from '${from}'`
      : `const { ${names.join(', ')} } = require('${from}')`,
  )
  // A module awaits at its top, where an `await` that nothing keeps alive ends with exit code 13; CommonJS ends with 0, and says nothing.
  const main = kind === 'module' ? body : `;(async () => {\n${body}\n})()`
  const child = spawn(process.execPath, [`--input-type=${kind}`, '-e', [...lines, main].join('\n')], {
    cwd: ROOT,
    env: { PATH: process.env.PATH, NODE_NO_WARNINGS: '1' },
  })
  return outputOf(child).ended
}
