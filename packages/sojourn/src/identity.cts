/** For CommonJS: the same as `identity.ts`. */
export * from './identity.js'
