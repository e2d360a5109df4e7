/** Whether a release moves what was unreleased under its version, and loses nothing. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { noteOf, released } from '../../tools/release/changelog.mjs'
import { ROOT } from '../support/sources.js'

const CHANGESET = `---
"@sojourn/express": minor
---

\`SojournStore\` does this.
It also does that.
`

describe('[RELEASE-1] a release', () => {
  it('moves what was unreleased, and the text of each changeset, under its version', () => {
    const before = '# Changelog\n\n## Unreleased\n\n- One.\n- Two.\n\n## 0.1.0\n\nThe first version.\n'
    expect(released(before, [noteOf(CHANGESET), '- Four.'], '0.2.0')).toBe(
      '# Changelog\n\n## Unreleased\n\n## 0.2.0\n\n- One.\n- Two.\n- `SojournStore` does this.\n  It also does that.\n- Four.\n\n## 0.1.0\n\nThe first version.\n',
    )
  })

  it('needs nothing that was written by hand, and no earlier version', () => {
    expect(released('# Changelog\n\n## Unreleased\n', ['Note.'], '0.2.0')).toBe(
      '# Changelog\n\n## Unreleased\n\n## 0.2.0\n\n- Note.\n',
    )
  })

  it('refuses a changelog without a place for it', () => {
    expect(() => released('# Changelog\n', ['Note.'], '0.2.0')).toThrow('Unreleased')
  })

  it('keeps each line of the changelog that there is', () => {
    const changelog = readFileSync(join(ROOT, 'CHANGELOG.md'), 'utf8')
    const after = released(changelog, ['Note.'], '9.9.9')
    expect(after.split('\n').filter((line) => line !== '')).toEqual(
      expect.arrayContaining(changelog.split('\n').filter((line) => line !== '')),
    )
    expect(after).toContain('\n## 9.9.9\n')
  })
})
