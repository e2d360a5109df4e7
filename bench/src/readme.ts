/** Writes into bench/README.md, between the marks that name a file of figures, the tables of that file. */
import { readFileSync, writeFileSync } from 'node:fs'
import { headline, readFigures } from './figures.js'
import { render } from './table.js'

const README = new URL('../README.md', import.meta.url)

/** What stands between is replaced. */
const MARKED = /(<!-- figures: (\S+) -->\n)[\s\S]*?(<!-- \/figures -->)/g

const tablesOf = (path: string): string => {
  const figures = readFigures(new URL(path, README))
  const command = `npm run bench -- ${figures.arguments.join(' ')}`
  const measured = `\`${command}\`, ${figures.date.slice(0, 10)}, ${figures.commit ?? 'no commit'}: ${headline(figures)}`
  return `${measured}\n\n\`\`\`\n${render(figures, figures.targets)}\n\`\`\`\n`
}

const before = readFileSync(README, 'utf8')
const after = before.replace(MARKED, (_, begin: string, path: string, end: string) => begin + tablesOf(path) + end)
const written = [...before.matchAll(MARKED)].map(([, , path]) => path)
writeFileSync(README, after)
process.stdout.write(`bench/README.md: the tables of ${written.join(', ') || 'nothing, for no mark names a file'}\n`)
