/** The error that refuses a session which has grown beyond its limit. */
import { largestFields, materialize, type SessionRecord, SojournError, shownValue } from '@sojourn/core/internal'

const NAMED_FIELDS = 3

/** @param bytes what the record would have, encoded */
export const tooLarge = (record: SessionRecord, bytes: number, limit: number): SojournError => {
  const fields = record.kind === 'live' ? largestFields(materialize(record.document).data, NAMED_FIELDS) : []
  const named = fields.map((field) => `${shownValue(field.path)} (${field.bytes} bytes)`).join(', ')
  return new SojournError(
    'SESSION_TOO_LARGE',
    `the session would have ${bytes} bytes, and limits.maxSessionBytes is ${limit}. Its largest fields: ${named}. Keep large values elsewhere, or raise the limit in all regions`,
    { limit, ...(fields[0] && { path: fields[0].path }) },
  )
}
