/** For CommonJS: the same as `replica.ts`. */
export * from './replica.js'
