/** For CommonJS: the same as `index.ts`. */
export * from './index.js'
