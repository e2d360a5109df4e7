/** How many runs a property gets: `n`, times SOJOURN_RUNS for a longer search, or a share of it for a shorter one; never none. */
export const runs = (n: number): number => Math.max(1, Math.round(n * Number(process.env.SOJOURN_RUNS ?? 1)))
