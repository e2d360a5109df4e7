import { register } from 'node:module'

/** Preloaded (`--import`) into a process that is to run a world with a bug in it: see {@link ../mutations.ts}. */
const name = process.env.SOJOURN_SIM_MUTATION
if (name) register('./mutation-hooks.js', import.meta.url, { data: { name } })
