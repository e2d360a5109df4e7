import { callOverTheNetwork } from '../support/door.js'

callOverTheNetwork()
await import('./express.test.js')
