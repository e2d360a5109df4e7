import { callOverTheNetwork } from '../support/door.js'

callOverTheNetwork()
await import('./session-api.test.js')
