/** A checker: nothing outlives its session. */
import { violation } from '../expectations.js'
import type { Checker } from '../history.js'

/** Once every session is past its limit, nothing of any is left: no row, no tombstone, nothing in memory. */
export const nothingLeft: Checker = function* ({ afterwards }) {
  for (const { region, sessions, status, diskRows } of afterwards ?? []) {
    if (sessions.size > 0) yield violation('EXP-4', `${region} still shows ${[...sessions.keys()].join(', ')}`)
    const left = {
      ...status,
      'rows of records': diskRows?.r ?? 0,
    }
    for (const [what, count] of Object.entries(left))
      if (count > 0) yield violation('EXP-4', `${region} is left with ${count} ${what}`)
  }
}
