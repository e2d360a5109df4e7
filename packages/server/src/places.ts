/** What is where in the directory of a server. */
import { join } from 'node:path'
import { IN_MEMORY } from '@sojourn/store'

/** What is where in the directory that `data` names. */
export interface Places {
  /** The store of the replica. */
  readonly store: string
  /** Regions that were added and removed at run time; undefined: nothing is kept. */
  readonly members: string | undefined
  /** There while the store came from a backup and has not caught up yet. */
  readonly restored: string | undefined
}

export const placesIn = (data: string): Places =>
  data === IN_MEMORY
    ? { store: IN_MEMORY, members: undefined, restored: undefined }
    : { store: join(data, 'store'), members: join(data, 'members.json'), restored: join(data, 'restored.json') }
