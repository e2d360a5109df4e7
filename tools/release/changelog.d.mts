/** Types of changelog.mjs, for its test. */
export declare const noteOf: (changeset: string) => string
export declare const released: (changelog: string, notes: readonly string[], version: string) => string
