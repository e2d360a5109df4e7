/** For CommonJS: the same as `keys.ts`. */
export * from './keys.js'
