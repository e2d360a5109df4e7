import { callOverTheNetwork } from '../support/door.js'

// The tests of the store for express-session, once more, through a client.
callOverTheNetwork()
await import('./express-requests.test.js')
await import('./express-sessions.test.js')
await import('./express-store.test.js')
