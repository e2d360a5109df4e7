/** For CommonJS: the same as `internal.ts`. */
export * from './internal.js'
