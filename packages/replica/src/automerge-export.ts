import type { Doc } from '@automerge/automerge'
import type { SessionKey } from '@sojourn/core/internal'
import { thaw } from '@sojourn/core/internal'

/** An Automerge document with this data: one change, by an actor that is named by the session's key. */
export const exportDocument = async (key: SessionKey, data: object): Promise<Doc<Record<string, unknown>>> => {
  // Loaded on demand: it is WebAssembly of some megabytes, and most processes never need it.
  const { change, init } = await import('@automerge/automerge')
  return change(init<Record<string, unknown>>({ actor: key }), { time: 0 }, (document) => {
    Object.assign(document, thaw(data))
  })
}
