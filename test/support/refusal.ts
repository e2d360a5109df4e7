import { SojournError } from '@sojourn/core/internal'
import { expect } from 'vitest'

/** The error that a call is refused with. Fails the test where the call succeeds, or is refused with what is no SojournError. */
export const codeOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    (value) => expect.unreachable(`resolved with ${JSON.stringify(value)}`),
    (error: unknown) => {
      expect(error).toBeInstanceOf(SojournError)
      return error
    },
  )
