/** Everything that judges a history. */
import type { Checker } from '../history.js'
import { acknowledgedWrites } from './acknowledged-writes.js'
import { answers } from './answers.js'
import { availability } from './availability.js'
import { boundedness } from './boundedness.js'
import { clientsServed } from './clients.js'
import { convergence } from './convergence.js'
import { expiry } from './expiry.js'
import { majorityReads } from './majority-reads.js'
import { merges } from './merges.js'
import { nearCache } from './near-cache.js'
import { nothingLeft } from './nothing-left.js'
import { objects } from './objects.js'
import { resurrection } from './resurrection.js'
import { retries } from './retries.js'
import { sessionGuarantees } from './session-guarantees.js'
import { uniqueness } from './uniqueness.js'

/** Everything that judges a history. None shares code with what it judges. */
export const CHECKERS: readonly Checker[] = [
  convergence,
  acknowledgedWrites,
  resurrection,
  expiry,
  majorityReads,
  availability,
  merges,
  objects,
  sessionGuarantees,
  uniqueness,
  boundedness,
  retries,
  answers,
  nearCache,
  clientsServed,
  nothingLeft,
]
