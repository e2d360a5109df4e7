/** For CommonJS: the same as `contract.ts`. */
export * from './contract.js'
