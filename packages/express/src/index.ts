/** What @sojourn/express offers. */
export type { SojournStoreOptions } from './options.js'
export { SojournStore } from './store.js'
