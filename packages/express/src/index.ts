export { SojournStore, type SojournStoreOptions } from './store.js'
