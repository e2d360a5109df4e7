/** The rules of SPEC.md, and which tests carry them. */
import { filesBelow, readSource } from './sources.js'

const RULE = /\[([A-Z]+-\d+)\]/g

/** The rules that a text names, in brackets: `[END-1]`. */
export const rulesIn = (text: string): string[] => [...text.matchAll(RULE)].map((match) => match[1]!)

/** A rule stands in SPEC.md in bold, once. */
export const statedRules = (): string[] =>
  [...readSource('SPEC.md').text.matchAll(/\*\*\[([A-Z]+-\d+)\]\*\*/g)].map((match) => match[1]!)

/** Titles begin with their rules: one that is only mentioned in a comment is carried by nobody. */
export const carriedRules = (): ReadonlySet<string> =>
  new Set(
    filesBelow('test', '.test.ts').flatMap((path) =>
      [...readSource(path).code.matchAll(/\(\s*['"`]((?:\[[A-Z]+-\d+\]\s*)+)/g)].flatMap(([, rules]) =>
        rulesIn(rules!),
      ),
    ),
  )
