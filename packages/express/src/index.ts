/** What @sojourn/express offers. */
export { type SojournStoreOptions, STORE_OPTIONS } from './options.js'
export { SojournStore } from './store.js'
