import type { InitializeHook, LoadHook } from 'node:module'
import { MUTATIONS, type Mutation } from './mutations.js'

let active: Mutation | undefined

export const initialize: InitializeHook<{ name: string }> = ({ name }) => {
  active = MUTATIONS.find((mutation) => mutation.name === name)
  if (active === undefined) throw new Error(`no mutation is called ${name}`)
}

/** Hands out the mutated file in place of the real one, which stays as it is. */
export const load: LoadHook = async (url, context, next) => {
  const loaded = await next(url, context)
  const edits = active?.edits.filter(({ file }) => url.endsWith(`/packages/${file}`)) ?? []
  if (edits.length === 0) return loaded
  let source = Buffer.from(loaded.source as Uint8Array).toString('utf8')
  for (const { file, find, replace } of edits) {
    if (!source.includes(find))
      throw new Error(`the mutation ${active!.name} no longer applies: ${file} has no ${JSON.stringify(find)}`)
    source = source.replaceAll(find, replace)
  }
  return { ...loaded, source }
}
