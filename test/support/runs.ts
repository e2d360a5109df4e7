/** How many runs a property gets: `n`, times SOJOURN_RUNS for a longer search. */
export const runs = (n: number): number => n * Number(process.env.SOJOURN_RUNS ?? 1)
