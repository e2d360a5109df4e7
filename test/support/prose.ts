/** What plain sentences are: short, and in the glossary's words. */

export const MAX_WORDS = 25

/** Words that the glossary has a better one for. */
export const BANNED: readonly [word: RegExp, instead: string][] = [
  [/\bdiallers?\b/i, 'dialer'],
  [/\brotten\b/i, 'corrupt'],
  [/\bmend(s|ed|ing)?\b/i, 'repair'],
  [/\bstretch(es)?\b/i, 'segment'],
  [/\bwalk(s|ed|ing)?\b/i, 'scan or cursor'],
  [/\bfarewells?\b/i, 'drain'],
  [/\bstrangers?\b/i, 'unauthenticated'],
  [/\b(is|are|was|were|be|been) told\b|\btold of\b/i, 'answered, acknowledged, emitted or reported'],
]

/** A sentence ends with a full stop before a space and a capital, or with its block. */
export const sentencesOf = (block: string): string[] => block.split(/(?<=[.!?]["”)*]*)\s+(?=["“(*[]*(?:[A-Z0-9]|code))/)

export const wordsOf = (sentence: string): number => sentence.match(/[\p{L}\p{N}][\p{L}\p{N}’'./-]*/gu)?.length ?? 0
