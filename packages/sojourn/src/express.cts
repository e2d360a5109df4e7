/** For CommonJS: the same as `express.ts`. */
export * from './express.js'
