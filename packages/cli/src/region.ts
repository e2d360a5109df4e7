/** `sojourn region add` and `remove`: which regions there are. */
import type { AdminRequest, Notice } from '@sojourn/wire'
import type { AdminClient } from './admin-client.js'
import { EXIT } from './exit-codes.js'
import type { Output } from './output.js'
import { table } from './table.js'

const MEANING: { readonly [notice in Notice]: string } = {
  notified: 'knows',
  unreachable: 'cannot be reached, and learns of the change as soon as it is linked',
  refused: 'refused the change, and its log says why',
  'dials this region': 'dials this region, and learns of the change then',
}

export const changeRegions = async (
  client: AdminClient,
  call: AdminRequest<'members'>,
  isJson: boolean,
  out: Output,
): Promise<number> => {
  const answer = await client.ask('members', call)
  if (isJson) out.json(answer)
  else {
    if (!answer.changed) out.text(`${JSON.stringify(call.region)} is not a region here`)
    out.text(
      table(
        ['REGION', 'ADDRESS', 'NEWS'],
        answer.members.map(({ region, url }) => [
          region,
          url ?? undefined,
          answer.notified[region] && MEANING[answer.notified[region]],
        ]),
      ),
    )
  }
  return answer.changed ? EXIT.ok : EXIT.no
}
