/** What becomes of CHANGELOG.md at a release. */

/**
 * The text of a changeset, without the head that names packages and bumps.
 * @param {string} changeset
 */
export const noteOf = (changeset) => changeset.replace(/^---\n[\s\S]*?\n---\n/, '').trim()

/**
 * The changelog after a release: what was unreleased, and the notes after it, under the new version; nothing is unreleased.
 * @param {string} changelog
 * @param {readonly string[]} notes
 * @param {string} version
 */
export const released = (changelog, notes, version) => {
  const heading = '## Unreleased\n'
  const at = changelog.indexOf(heading)
  if (at === -1) throw new Error('CHANGELOG.md has no heading "## Unreleased"')
  const begin = at + heading.length
  const next = changelog.indexOf('\n## ', begin)
  const end = next === -1 ? changelog.length : next
  const items = notes.map((note) => (/^[-*] /.test(note) ? note : `- ${note.replaceAll('\n', '\n  ')}`))
  const body = [changelog.slice(begin, end).trim(), ...items].filter(Boolean).join('\n')
  return `${changelog.slice(0, begin)}\n## ${version}\n\n${body}\n${changelog.slice(end)}`
}
