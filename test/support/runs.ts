/** What random tests draw: how often, and from which seed. */
import fc from 'fast-check'

/**
 * `npm test` says the same of the same commit each time: it draws from one seed. `npm run check` draws from a new one each time, as does
 * SOJOURN_SEED=random; a number plays that seed again. Who fails prints it.
 */
const { SOJOURN_SEED = '20261127' } = process.env
if (SOJOURN_SEED !== 'random') fc.configureGlobal({ seed: Number(SOJOURN_SEED) })

/** How many runs a property gets: `n`, times SOJOURN_RUNS for a longer search, or a share of it for a shorter one; never none. */
export const runs = (n: number): number => Math.max(1, Math.round(n * Number(process.env.SOJOURN_RUNS ?? 1)))
