/** Hands out a mutated file in the place of the real one. */
import type { InitializeHook, LoadHook } from 'node:module'
import { CLIENT_MUTATIONS } from './client-mutations.js'
import { LOGIN_MUTATIONS } from './login-mutations.js'
import { type Edit, MUTATIONS } from './mutations.js'

let active: readonly Edit[] = []

export const initialize: InitializeHook<{ name: string } | { edits: readonly Edit[] }> = (data) => {
  const edits =
    'edits' in data
      ? data.edits
      : [...MUTATIONS, ...CLIENT_MUTATIONS, ...LOGIN_MUTATIONS].find(({ name }) => name === data.name)?.edits
  if (edits === undefined) throw new Error(`no mutation is called ${'name' in data && data.name}`)
  active = edits
}

/** Hands out the mutated file in place of the real one, which stays as it is. */
export const load: LoadHook = async (url, context, next) => {
  const loaded = await next(url, context)
  const edits = active.filter(({ file }) => url.endsWith(`/packages/${file}`))
  if (edits.length === 0) return loaded
  let source = Buffer.from(loaded.source as Uint8Array).toString('utf8')
  for (const { file, find, replace } of edits) {
    if (!source.includes(find)) throw new Error(`a mutation no longer applies: ${file} has no ${JSON.stringify(find)}`)
    source = source.replaceAll(find, replace)
  }
  return { ...loaded, source }
}
