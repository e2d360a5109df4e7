/** Prints which package imports which, how large each is, and the circles that there are. `--mermaid` draws it, `--files NAME` goes into a package. */
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { circlesIn, importGraph } from './imports.mjs'

const { values } = parseArgs({ options: { mermaid: { type: 'boolean' }, files: { type: 'string' } } })
const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const graph = importGraph(root)
const print = (line) => process.stdout.write(`${line}\n`)
const packageOf = (path) => path.split('/')[1]

const packages = new Map()
for (const [path, { lines, packages: siblings }] of graph) {
  const room = packages.get(packageOf(path)) ?? { files: 0, lines: 0, imports: new Set() }
  packages.set(packageOf(path), room)
  room.files++
  room.lines += lines
  for (const sibling of siblings) if (sibling !== packageOf(path)) room.imports.add(sibling)
}

const edges = new Map([...packages].map(([name, { imports }]) => [name, [...imports].sort()]))
const circles = [...circlesIn(edges), ...circlesIn(new Map([...graph].map(([path, { imports }]) => [path, imports])))]

if (values.files !== undefined)
  for (const [path, { lines, imports, packages: siblings }] of graph) {
    if (packageOf(path) !== values.files) continue
    print(`${path} (${lines})`)
    for (const target of [...siblings.map((name) => `@${name}`), ...imports]) print(`    ${target}`)
  }
else if (values.mermaid) {
  print('flowchart RL')
  for (const [name, targets] of edges) for (const target of targets) print(`  ${name} --> ${target}`)
} else
  for (const [name, { files, lines }] of packages)
    print(
      `${name.padEnd(12)} ${String(files).padStart(4)} files ${String(lines).padStart(6)} lines  ${edges.get(name).join(', ')}`,
    )

if (!values.mermaid)
  print(circles.length === 0 ? 'no circles' : `circles: ${circles.map((circle) => circle.join(' ')).join('; ')}`)
if (circles.length > 0) process.exitCode = 1
