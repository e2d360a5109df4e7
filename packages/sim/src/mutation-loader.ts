/** Preloaded into a process that is to run with a bug. */
import { register } from 'node:module'

/**
 * Preloaded (`--import`) into a process that is to run with a bug in it: one of {@link ../mutations.ts}, by its name, or edits of the
 * compiled product, as JSON.
 */
const { SOJOURN_SIM_MUTATION: name, SOJOURN_SIM_EDITS: edits } = process.env
if (name) register('./mutation-hooks.js', import.meta.url, { data: { name } })
else if (edits) register('./mutation-hooks.js', import.meta.url, { data: { edits: JSON.parse(edits) } })
