/** What @sojourn/automerge offers: the one package that loads Automerge's WebAssembly. */
export { exportDocument } from './export-document.js'
