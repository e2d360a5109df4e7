/** For CommonJS: the same as `parts.ts`. */
export * from './parts.js'
