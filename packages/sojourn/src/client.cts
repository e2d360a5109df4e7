/** For CommonJS: the same as `client.ts`. */
export * from './client.js'
