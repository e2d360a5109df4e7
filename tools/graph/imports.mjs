/** Which file imports which, in all packages: read from the sources. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix, relative } from 'node:path'

const IMPORT = /^(?:import|export)\b[^'"]*?from '([^']+)'|^import '([^']+)'/gm

/**
 * The imports of every source file below `packages/`, those of types included.
 *
 * @param {string} root the directory of the checkout
 * @returns {Map<string, { lines: number, imports: string[], packages: string[] }>} by path; `imports` are paths of files of the same package,
 *   `packages` names of siblings
 */
export const importGraph = (root) => {
  const packages = readdirSync(join(root, 'packages')).sort()
  const names = new Map(packages.map((name) => [manifestName(root, name), name]))
  const graph = new Map()
  for (const name of packages)
    for (const path of sourcesBelow(root, `packages/${name}/src`)) {
      const text = readFileSync(join(root, path), 'utf8')
      const targets = [...text.matchAll(IMPORT)].map((match) => match[1] ?? match[2])
      const imports = targets
        .filter((target) => target.startsWith('.'))
        .map((target) => posix.normalize(posix.join(dirname(path), target.replace(/\.js$/, '.ts'))))
      const siblings = targets.map((target) => names.get(target.split('/', target.startsWith('@') ? 2 : 1).join('/')))
      graph.set(path, {
        lines: text.split('\n').length - 1,
        imports: [...new Set(imports)].sort(),
        packages: [...new Set(siblings.filter((sibling) => sibling !== undefined))].sort(),
      })
    }
  return graph
}

const manifestName = (root, name) => {
  try {
    return JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8')).name
  } catch {
    // A directory of what was built, and is no package any more.
    return `packages/${name}`
  }
}

const sourcesBelow = (root, directory) => {
  try {
    return readdirSync(join(root, directory), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.ts$/.test(entry.name) && !entry.name.endsWith('.d.ts'))
      .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
      .sort()
  } catch {
    return []
  }
}

/**
 * The circles of a graph: each a set of nodes of which every one leads to every other (Tarjan, "Depth-first search and linear graph
 * algorithms", 1972).
 *
 * @param {ReadonlyMap<string, readonly string[]>} edges
 * @returns {string[][]}
 */
export const circlesIn = (edges) => {
  const found = new Map()
  const stack = []
  const circles = []
  const visit = (node) => {
    const state = { index: found.size, low: found.size, isOpen: true }
    found.set(node, state)
    stack.push(node)
    for (const next of edges.get(node) ?? []) {
      if (!edges.has(next)) continue
      const known = found.get(next)
      if (known === undefined) state.low = Math.min(state.low, visit(next).low)
      else if (known.isOpen) state.low = Math.min(state.low, known.index)
    }
    if (state.low === state.index) {
      const circle = stack.splice(stack.indexOf(node))
      for (const each of circle) found.get(each).isOpen = false
      if (circle.length > 1 || edges.get(node)?.includes(node)) circles.push(circle.sort())
    }
    return state
  }
  for (const node of edges.keys()) if (!found.has(node)) visit(node)
  return circles
}
