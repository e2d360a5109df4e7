/** The face of @sojourn/server. */
/// <reference types="node" preserve="true" />
/** The door of the command line. */
export { main } from './main.js'
