/** How long a session's id may be: as long at every door. */
import { ByteWriter, CALL_OPTIONS, checkId, isSojournError, MAX_ID_CHARS } from '@sojourn/core/internal'
import { readFromClient, writeFromClient } from '@sojourn/wire'
import { expect, it } from 'vitest'

/** In UTF-8 a character takes 1, 2, 3, or (as two UTF-16 code units) 4 bytes. */
const LONGEST = ['x', 'é', '漢', '🚲'].map((character) => character.repeat(MAX_ID_CHARS / character.length))

it.each(LONGEST)('[OPT-4] the longest id, %.2s…, is taken where one is chosen, looked up, and sent', (id) => {
  const { takes } = CALL_OPTIONS.CreateOptions.id
  expect(checkId(id)).toBe(id)
  expect(takes(id, 'id', 'create')).toBe(true)
  const out = new ByteWriter()
  writeFromClient(out, { type: 'touch', number: 1, id, choices: {} })
  expect([...readFromClient(out.finish(), 10_000)]).toMatchObject([{ type: 'touch', id }])
  expect(takes(`${id}x`, 'id', 'create')).toBe(false)
  expect(() => checkId(`${id}x`)).toThrow(
    expect.toSatisfy((error: unknown) => isSojournError(error, 'INVALID_OPTION') && !error.message.includes(id)),
  )
})
