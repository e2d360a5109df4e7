/** What a caller chooses for a call, checked, in the words of the protocol. */
import type { CreateOptions, EndOptions, ReplaceOptions, UpdateOptions, WriteOptions } from '@sojourn/core/internal'
import { checkPointer, MAX_AMR, optionalDuration, SojournError } from '@sojourn/core/internal'
import {
  type ElevateChoices,
  type EndChoices,
  MAX_ASSIGNED,
  MAX_ATOMIC,
  type ReplaceChoices,
  type UpdateChoices,
  type WriteChoices,
} from '@sojourn/wire'

export const writeChoices = ({ write, timeout }: WriteOptions): WriteChoices => ({
  write,
  timeoutMs: optionalDuration(timeout, 'timeout'),
})

export const updateChoices = (options: UpdateOptions): UpdateChoices => ({
  ...writeChoices(options),
  touch: options.touch === false ? false : undefined,
  idleTimeoutMs: optionalDuration(options.idleTimeout, 'idleTimeout'),
})

export const endChoices = (options: EndOptions): EndChoices => ({ ...writeChoices(options), reason: options.reason })

/** What a login says of how it was made. @throws INVALID_OPTION */
export const loginChoices = ({ device, auth }: Pick<CreateOptions, 'device' | 'auth'>): LoginChoices => {
  const amr = auth?.amr
  if (amr !== undefined && amr.length > MAX_AMR)
    throw new SojournError('INVALID_OPTION', `auth.amr: has ${amr.length} methods. Give at most ${MAX_AMR}`, {
      option: 'auth.amr',
    })
  return { device, auth }
}

type LoginChoices = Pick<ElevateChoices, 'device' | 'auth'>

/** What a write says of objects in its data. @throws INVALID_OPTION */
export const objectChoices = ({ atomic, assigned }: Pick<ReplaceOptions, 'atomic' | 'assigned'>): ObjectChoices => {
  return {
    ...(atomic && { atomic: pointersIn('atomic', atomic, MAX_ATOMIC) }),
    ...(assigned && assigned.length > 0 && { assigned: pointersIn('assigned', assigned, MAX_ASSIGNED) }),
  }
}

type ObjectChoices = Pick<ReplaceChoices, 'atomic' | 'assigned'>

export const pointersIn = (option: string, pointers: readonly string[], max: number): string[] => {
  if (pointers.length > max) throw new SojournError('INVALID_OPTION', `${option}: at most ${max}`, { option })
  return pointers.map(checkPointer)
}
