/** How errors, metrics, commands and options are worded: short sentences, and the glossary's words. */
import { CLIENT_OPTIONS } from '@sojourn/client'
import { CALL_OPTIONS, ERROR_CODES, insideOf, LIMITS, type Options } from '@sojourn/core/internal'
import { STORE_OPTIONS } from '@sojourn/express'
import { REPLICA_OPTIONS } from '@sojourn/replica/options'
import { describe, expect, it } from 'vitest'
import { commandPaths } from '../../packages/cli/src/command.js'
import { COMMANDS } from '../../packages/cli/src/commands.js'
import { SETTINGS } from '../../packages/server/src/config/catalogue.js'
import { BANNED, MAX_WORDS, sentencesOf, wordsOf } from '../support/prose.js'
import { filesBelow, readSource } from '../support/sources.js'

type Text = readonly [where: string, text: string]

/** The string or template that begins at a quote, each `${…}` as one word, and where it ends. */
const literalAt = (code: string, start: number): { readonly text: string; readonly end: number } => {
  const quote = code[start]!
  let text = ''
  let at = start + 1
  while (at < code.length && code[at] !== quote) {
    if (code[at] === '\\') at++
    if (quote === '`' && code.startsWith('${', at)) {
      at = blockEnd(code, at + 1)
      text += 'value'
    } else text += code[at++]
  }
  return { text, end: at + 1 }
}

/** Behind the bracket that closes the one at `start`; strings in between may hold brackets. */
const blockEnd = (code: string, start: number): number => {
  let depth = 0
  for (let at = start; at < code.length; ) {
    const char = code[at]!
    if (/['"`]/.test(char)) at = literalAt(code, at).end
    else {
      at++
      if (/[({[]/.test(char)) depth++
      if (/[)}\]]/.test(char) && --depth === 0) return at
    }
  }
  return code.length
}

const literalsOf = (code: string): string[] => {
  const found: string[] = []
  for (let at = 0; at < code.length; ) {
    if (!/['"`]/.test(code[at]!)) at++
    else {
      const { text, end } = literalAt(code, at)
      found.push(text)
      at = end
    }
  }
  return found
}

/** The texts in the arguments of each call that `opening` finds; what has no space is a name or a code. */
const textsIn = (code: string, opening: RegExp): string[] =>
  [...code.matchAll(opening)].flatMap(({ index, 0: call }) => {
    const start = index + call.length - 1
    return literalsOf(code.slice(start, blockEnd(code, start))).filter((text) => text.includes(' '))
  })

const sources = (folder: string): string[] => filesBelow(folder, '.ts').filter((path) => path.includes('/src/'))

const calls = (paths: readonly string[], opening: RegExp): Text[] =>
  paths.flatMap((path) => textsIn(readSource(path).code, opening).map((text) => [path, text] as const))

const optionTexts = (options: Options, path: string): Text[] =>
  Object.entries(options).flatMap(([name, option]) => [
    // What an object is set to may have rules without a text.
    [`${path}.${name}`, option.about ?? ''] as const,
    ...optionTexts(insideOf(option) ?? {}, `${path}.${name}`),
  ])

const TEXTS: Readonly<Record<string, readonly Text[]>> = {
  'error codes': Object.entries(ERROR_CODES),
  'error messages': calls(sources('packages'), /new SojournError\(/g),
  'metric help': [
    ...calls(
      sources('packages/server/src').filter((path) => path.includes('/metrics')),
      /\b(?:gauge|counter|total|each|Histogram)\(/g,
    ),
  ],
  'log messages': calls(sources('packages'), /\blog\.(?:debug|info|warn|error|fatal)\(/g),
  'command help': commandPaths(COMMANDS).flatMap(({ path, command }) => {
    const where = path.join(' ')
    return [
      [where, command.about] as const,
      [where, command.example.does] as const,
      ...command.arguments.map(({ name, about }) => [`${where} <${name}>`, about] as const),
      ...Object.entries(command.flags).map(([name, { about }]) => [`${where} --${name}`, about] as const),
    ]
  }),
  'option texts': [
    ...optionTexts(LIMITS, 'LIMITS'),
    ...optionTexts(REPLICA_OPTIONS, 'REPLICA_OPTIONS'),
    ...Object.entries(CLIENT_OPTIONS).flatMap(([name, options]) => optionTexts(options, name)),
    ...optionTexts(STORE_OPTIONS, 'STORE_OPTIONS'),
    ...Object.entries(CALL_OPTIONS).flatMap(([name, options]) => optionTexts(options, name)),
    ...SETTINGS.map(({ path, about }) => [path, about] as const),
  ],
}

const FEWEST: Readonly<Record<string, number>> = {
  'error codes': 35,
  'error messages': 150,
  'metric help': 40,
  'log messages': 8,
  'command help': 100,
  'option texts': 150,
}

describe('[PROSE-1] what users meet is short and plain', () => {
  it.each(Object.entries(TEXTS))(`%s have no sentence of more than ${MAX_WORDS} words`, (kind, texts) => {
    expect(texts.length).toBeGreaterThanOrEqual(FEWEST[kind]!)
    const long = texts.flatMap(([where, text]) =>
      sentencesOf(text.replace(/`[^`]*`/g, 'code').replace(/\s+/g, ' '))
        .filter((sentence) => wordsOf(sentence) > MAX_WORDS)
        .map((sentence) => `${where}: ${wordsOf(sentence)} words: ${sentence}`),
    )
    expect([...new Set(long)]).toEqual([])
  })

  it.each(Object.entries(TEXTS))("%s use the field's words", (_, texts) => {
    const found = texts.flatMap(([where, text]) =>
      BANNED.filter(([word]) => word.test(text)).map(([, instead]) => `${where}: ${text} → ${instead}`),
    )
    expect(found).toEqual([])
  })

  it('and the rule finds what it looks for', () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: source text to be read
    const code = "new SojournError('OVERLOADED', `${size(`a ) b`)} bytes (maxBytes)`, { cause })"
    expect(textsIn(code, /new SojournError\(/g)).toEqual(['value bytes (maxBytes)'])
  })
})
