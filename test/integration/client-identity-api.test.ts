import { callOverTheNetwork } from '../support/door.js'

// What a caller sees of identity, once more, through a client.
callOverTheNetwork()
await import('./identity-api.test.js')
