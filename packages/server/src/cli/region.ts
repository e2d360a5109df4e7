import type { AdminRequest, Told } from '@sojourn/wire'
import { EXIT } from '../exit-codes.js'
import type { AdminClient } from './admin-client.js'
import type { Output } from './output.js'
import { table } from './table.js'

const MEANING: { readonly [told in Told]: string } = {
  told: 'knows',
  unreachable: 'cannot be reached; it is told as soon as it is linked',
  refused: 'refused to be told; see its log',
  'dials this region': 'dials this region, and is told when it does',
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
    if (!answer.changed) out.text(`${JSON.stringify(call.region)} is no region here`)
    out.text(
      table(
        ['REGION', 'ADDRESS', 'NEWS'],
        answer.members.map(({ region, url }) => [
          region,
          url ?? undefined,
          answer.told[region] && MEANING[answer.told[region]],
        ]),
      ),
    )
  }
  return answer.changed ? EXIT.ok : EXIT.no
}
