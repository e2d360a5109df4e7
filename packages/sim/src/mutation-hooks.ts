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
  if (active === undefined || !url.endsWith(`/packages/${active.file}`)) return loaded
  const source = Buffer.from(loaded.source as Uint8Array).toString('utf8')
  if (!source.includes(active.find))
    throw new Error(`the mutation ${active.name} no longer applies: ${active.file} has no ${JSON.stringify(active.find)}`)
  return { ...loaded, source: source.replaceAll(active.find, active.replace) }
}
