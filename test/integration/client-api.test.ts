import { callOverTheNetwork } from '../support/door.js'

// The tests of the session API, once more, through a client.
callOverTheNetwork()
await import('./session-data.test.js')
await import('./session-lifetime.test.js')
await import('./replica-status.test.js')
await import('./replica-events.test.js')
await import('./replica-opening.test.js')
await import('./call-options.test.js')
