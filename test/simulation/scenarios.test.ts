import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runScenario, ScenarioError } from '@sojourn/sim'
import { describe, expect, it } from 'vitest'
import { ROOT } from '../support/sources.js'

const FOLDER = join(ROOT, 'scenarios')

describe('scenarios', () => {
  const names = readdirSync(FOLDER).filter((name) => name.endsWith('.txt'))

  // To write what they come to now: UPDATE_SCENARIOS=1 npx vitest run scenarios
  it.each(names)('[SIM-3] %s comes to what it says', async (name) => {
    const path = join(FOLDER, name)
    const text = readFileSync(path, 'utf8')
    const played = await runScenario(text)
    if (process.env.UPDATE_SCENARIOS) writeFileSync(path, played)
    else expect(played).toBe(text)
  })

  it.each([
    ['> eu: get s', /line 1: the first command says which regions there are/],
    ['> regions eu us\n> xx: get s', /line 2: no region is called xx; there are eu, us/],
    ['> regions eu us\n> eu: get s', /line 2: no session is called s yet/],
    ['> regions eu us\n> fly', /line 2: no command is called fly/],
    ['> regions eu us\n> eu: create s {}\n> eu: burn s', /line 3: no call is named burn/],
    ['ok', /line 1: neither a command, a comment nor output/],
  ])('[SIM-3] %j is refused, naming the line', async (text, message) => {
    await expect(runScenario(text)).rejects.toThrow(ScenarioError)
    await expect(runScenario(text)).rejects.toThrow(message)
  })
})
