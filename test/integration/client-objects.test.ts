/** The tests of objects in sessions, once more, through a client. */
import { callOverTheNetwork } from '../support/door.js'

callOverTheNetwork()
await import('./session-objects.test.js')
