/** `sojourn end` by subject, by handle, or of all: ends sessions, and shows the receipt. */
import { SojournError } from '@sojourn/core/internal'
import type { AdminReceipt, AdminRequest } from '@sojourn/wire'
import type { AdminClient } from './admin-client.js'
import { EXIT } from './exit-codes.js'
import type { Output } from './output.js'

/** A session that regions do not hold the end of may show there until they do. */
const exitOf = ({ regions }: AdminReceipt): number => (Object.values(regions).includes('pending') ? EXIT.no : EXIT.ok)

const regionsWith = ({ regions }: AdminReceipt, state: 'held' | 'pending'): string =>
  Object.keys(regions)
    .filter((region) => regions[region] === state)
    .sort()
    .join(', ')

const showReceipt = (receipt: AdminReceipt, out: Output): void => {
  const pending = regionsWith(receipt, 'pending')
  const rows = [
    `ended    ${receipt.ended}`,
    `held by  ${regionsWith(receipt, 'held')}`,
    ...(pending === '' ? [] : [out.paint('yellow', `pending  ${pending}: they get it as soon as they are linked`)]),
  ]
  out.text(rows.join('\n'))
}

const showEnd = (receipt: AdminReceipt, isJson: boolean, out: Output): number => {
  if (isJson) out.json(receipt)
  else showReceipt(receipt, out)
  return exitOf(receipt)
}

/** Ends the sessions of a subject; one that has none is cut off all the same. */
export const endSubject = async (
  client: AdminClient,
  request: Omit<Extract<AdminRequest<'end'>, { readonly call: 'subject' }>, 'call'>,
  isJson: boolean,
  out: Output,
): Promise<number> => showEnd(await client.ask('end', { call: 'subject', ...request }), isJson, out)

/** Ends one session. That there is none is an answer: no. */
export const endHandle = async (
  client: AdminClient,
  request: Omit<Extract<AdminRequest<'end'>, { readonly call: 'handle' }>, 'call'>,
  isJson: boolean,
  out: Output,
): Promise<number> => {
  const receipt = await client.ask('end', { call: 'handle', ...request })
  const code = showEnd(receipt, isJson, out)
  return receipt.ended === 0 ? EXIT.no : code
}

/** Ends every session that the region holds. */
export const endAll = async (
  client: AdminClient,
  request: AdminRequest<'endAll'>,
  { isJson, isQuiet }: { readonly isJson: boolean; readonly isQuiet: boolean },
  out: Output,
): Promise<number> => {
  const progress = out.progress(isQuiet)
  let receipt: AdminReceipt | undefined
  try {
    for await (const line of client.lines('endAll', request)) {
      if ('left' in line) progress.report(() => `${line.left} sessions are left`)
      else receipt = line
    }
  } finally {
    progress.end()
  }
  if (receipt === undefined)
    throw new SojournError('UNAVAILABLE', `${client.url.origin} did not say what became of the end. Ask it again`)
  return showEnd(receipt, isJson, out)
}
