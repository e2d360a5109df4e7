/** What a client's request is answered. */
import type {
  CreateOptions,
  Data,
  ErrorCode,
  ReadOptions,
  Session,
  SessionApi,
  UpdateOptions,
} from '@sojourn/core/internal'
import { CALLER, isSojournError, READ_OBJECTS, tokensOf } from '@sojourn/core/internal'
import {
  type Answer,
  type ClientRequest,
  type CreateChoices,
  decodeData,
  type FailedAnswer,
  type PatchChoices,
  packData,
  type ReadChoices,
  type ReplaceChoices,
  type UpdateChoices,
  type WriteChoices,
} from '@sojourn/wire'

/** Requests that stand for themselves: scans have a place in `scans.ts`. */
export type PlainRequest = Exclude<ClientRequest, { type: 'scan' | 'step' }>

/** Those that change nothing, or the same again, and may be done as often as they come: their answers need not be remembered. */
export const REPEATABLE: ReadonlySet<ClientRequest['type']> = new Set(['get', 'touch', 'count', 'scan', 'step'])

export interface AnswerOptions {
  /** Whether the client is sent the next change; asked when the session has been read. Default: it is not. */
  readonly isWatched?: () => boolean
  /** Whom it is answered for, where it may wait for other regions. */
  readonly caller?: object | undefined
}

/** Does what a request asks for. @throws what the session API throws, and FRAME_INVALID for data that is none */
export const answerRequest = async (
  sessions: SessionApi,
  request: PlainRequest,
  { isWatched = () => false, caller }: AnswerOptions = {},
): Promise<Answer> => {
  const { number } = request
  switch (request.type) {
    case 'get': {
      const session = await sessions.get<object>(request.id, forRead(request.choices, caller))
      return session ? found(number, session, isWatched()) : { type: 'none', number }
    }
    case 'touch': {
      const session = await sessions.touch<object>(request.id, forUpdate(request.choices, caller))
      return session ? found(number, session, false) : { type: 'none', number }
    }
    case 'patch': {
      const patch = decodeData(request.patch)
      const options = { ...forUpdate(request.choices, caller), ...forObjects(request.choices) }
      return found(number, await sessions.update<object>(request.id, patch, options), false)
    }
    case 'replace': {
      const { id, base, next, counters, choices } = request
      const options = {
        ...forUpdate(choices, caller),
        ...forObjects(choices),
        counters,
        ...(base !== undefined && { base: decodeData(base) }),
      }
      return found(number, await sessions.replace<object>(id, decodeData(next), options), false)
    }
    case 'increment': {
      const { id, path, by, choices } = request
      return found(number, await sessions.increment<object>(id, path, by, forUpdate(choices, caller)), false)
    }
    case 'create': {
      const session = await sessions.create<object>(decodeData(request.data), forCreate(request.choices, caller))
      return { type: 'made', number, ...shown(session) }
    }
    case 'rotate':
      return {
        type: 'made',
        number,
        ...shown(await sessions.rotate<object>(request.id, forWrite(request.choices, caller))),
      }
    case 'end': {
      const { reason } = request.choices
      const options = { ...forWrite(request.choices, caller), ...(reason !== undefined && { reason }) }
      return { type: 'counted', number, count: (await sessions.end(request.id, options)) ? 1 : 0 }
    }
    case 'endAll': {
      const { reason } = request.choices
      const options = { ...forWrite(request.choices, caller), ...(reason !== undefined && { reason }) }
      return { type: 'counted', number, count: await sessions.endAll(options) }
    }
    case 'count':
      return { type: 'counted', number, count: await sessions.count() }
  }
}

const NO_OPTIONS = Object.freeze({})

type Caller = object | undefined

const forRead = ({ read, timeoutMs }: ReadChoices, caller: Caller): ReadOptions =>
  read === undefined && timeoutMs === undefined && caller === undefined
    ? NO_OPTIONS
    : {
        ...(read !== undefined && { read }),
        ...(timeoutMs !== undefined && { timeout: timeoutMs }),
        ...(caller && { [CALLER]: caller }),
      }

const forWrite = ({ write, timeoutMs }: WriteChoices, caller: Caller) => ({
  ...(write !== undefined && { write }),
  ...(timeoutMs !== undefined && { timeout: timeoutMs }),
  ...(caller && { [CALLER]: caller }),
})

const forCreate = (choices: CreateChoices, caller: Caller): CreateOptions => {
  const { id, idleTimeoutMs, maxLifetimeMs } = choices
  return {
    ...forWrite(choices, caller),
    ...forObjects(choices),
    ...(id !== undefined && { id }),
    ...(idleTimeoutMs !== undefined && { idleTimeout: idleTimeoutMs }),
    ...(maxLifetimeMs !== undefined && { maxLifetime: maxLifetimeMs }),
  }
}

const forUpdate = ({ write, timeoutMs, touch, idleTimeoutMs }: UpdateChoices, caller: Caller): UpdateOptions =>
  // As nearly all are.
  write === undefined &&
  timeoutMs === undefined &&
  touch === undefined &&
  idleTimeoutMs === undefined &&
  caller === undefined
    ? NO_OPTIONS
    : {
        ...forWrite({ write, timeoutMs }, caller),
        ...(touch !== undefined && { touch }),
        ...(idleTimeoutMs !== undefined && { idleTimeout: idleTimeoutMs }),
      }

/** What a write says of objects in its data. */
const forObjects = ({ atomic, assigned, within }: CreateChoices & PatchChoices & ReplaceChoices): object => ({
  ...(atomic && { atomic }),
  ...(assigned && { assigned }),
  ...(within && { [READ_OBJECTS]: new Map(within.map(({ path, object }) => [path, object])) }),
})

interface Shown {
  readonly data: Uint8Array
  readonly objects: readonly string[]
}

/** What was sent of data, for as long as the data is kept: what is read often is packed once. */
const packed = new WeakMap<object, Shown>()

/** As {@link packData}. Data that is frozen stays as it is: a session's is to its depth, where it is plain. */
const shownOf = (data: object): Shown => {
  const known = packed.get(data)
  if (known !== undefined) return known
  const { bytes, isPlain } = packData(data)
  const shown = { data: bytes, objects: tokensOf(data as Data) }
  if (isPlain && Object.isFrozen(data)) packed.set(data, shown)
  return shown
}

const shown = ({ id, data, createdAt, expiresAt }: Session<object>) => ({
  id,
  createdAt,
  expiresAt,
  ...shownOf(data),
})

const found = (number: number, { data, createdAt, expiresAt }: Session<object>, watched: boolean): Answer => ({
  type: 'found',
  number,
  createdAt,
  expiresAt,
  ...shownOf(data),
  watched,
})

/** What a client is answered in an error. What is no SojournError is a bug: its text stays here. */
export const failure = (number: number, error: unknown): FailedAnswer => {
  if (!isSojournError(error)) return refusal(number, 'STORE_FAILED', 'the server failed. Its log has the error')
  const { code, message, option, path, need, got, regions, mayHaveApplied, limit, state, session } = error
  const details = { option, path, need, got, regions, mayHaveApplied, limit, state }
  return {
    type: 'failed',
    number,
    code,
    message: message.startsWith(`${code}: `) ? message.slice(code.length + 2) : message,
    details: session === undefined ? details : { ...details, session: shown(session as Session<object>) },
  }
}

export const refusal = (
  number: number,
  code: ErrorCode,
  message: string,
  details: FailedAnswer['details'] = {},
): FailedAnswer => ({ type: 'failed', number, code, message, details })
