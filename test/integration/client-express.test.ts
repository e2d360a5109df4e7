import { callOverTheNetwork } from '../support/door.js'

// The tests of the store for express-session, once more, through a client.
callOverTheNetwork()
await import('./express-cookies.test.js')
await import('./express-frameworks.test.js')
await import('./express-ids.test.js')
await import('./express-requests.test.js')
await import('./express-sessions.test.js')
await import('./express-store.test.js')
await import('./express-values.test.js')
