/** The login story again, told through clients. */
import { callOverTheNetwork } from '../support/door.js'

callOverTheNetwork()
await import('./login-story.test.js')
