/** For CommonJS: the same as `option-table.ts`. */
export * from './option-table.js'
