/** Raises the version of all packages as the changesets say, and of sojourn in the examples, and moves the changesets' texts into CHANGELOG.md. */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { noteOf, released } from './changelog.mjs'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const inRoot = (path) => join(ROOT, path)
const run = (command, ...args) => execFileSync(command, args, { cwd: ROOT, stdio: 'inherit' })

const changesets = readdirSync(inRoot('.changeset')).filter((name) => name.endsWith('.md') && name !== 'README.md')
if (changesets.length === 0) {
  console.error('There is no changeset, so there is nothing to release. Write one: npx changeset')
  process.exit(1)
}
const notes = changesets.sort().map((name) => noteOf(readFileSync(inRoot(`.changeset/${name}`), 'utf8')))
run('npx', 'changeset', 'version')
const { version } = JSON.parse(readFileSync(inRoot('packages/core/package.json'), 'utf8'))
const changelog = readFileSync(inRoot('CHANGELOG.md'), 'utf8')
writeFileSync(inRoot('CHANGELOG.md'), released(changelog, notes, version))
const folders = readdirSync(inRoot('examples'), { withFileTypes: true }).filter((entry) => entry.isDirectory())
for (const { name } of folders) {
  const manifest = inRoot(`examples/${name}/package.json`)
  writeFileSync(manifest, readFileSync(manifest, 'utf8').replace(/"sojourn": "[^"]*"/, `"sojourn": "^${version}"`))
}
run('npm', 'install', '--package-lock-only', '--ignore-scripts', '--no-audit', '--no-fund')
console.log(`${version}: read CHANGELOG.md and the difference, commit, and publish with: npx changeset publish`)
