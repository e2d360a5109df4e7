/** What a client's request is answered. */
import type {
  Authenticated,
  CreateOptions,
  Data,
  ElevateOptions,
  EndOptions,
  EndReceipt,
  ErrorCode,
  ReadOptions,
  RotateOptions,
  Session,
  SessionApi,
  UpdateOptions,
} from '@sojourn/core/internal'
import { CALLER, isSojournError, LazySession, READ_OBJECTS, tokensOf } from '@sojourn/core/internal'
import {
  type Answer,
  type ClientRequest,
  type CreateChoices,
  decodeData,
  type ElevateChoices,
  type EndChoices,
  type FailedAnswer,
  MAX_MESSAGE_BYTES,
  type PatchChoices,
  packData,
  type ReadChoices,
  type ReplaceChoices,
  type RotateChoices,
  type UpdateChoices,
  type Who,
  type WriteChoices,
} from '@sojourn/wire'

/** Requests that stand for themselves: scans have a place in `scans.ts`. */
export type PlainRequest = Exclude<ClientRequest, { type: 'scan' | 'step' | 'sessionsOf' | 'stepOf' }>

/** Those that change nothing, or the same again, and may be done as often as they come: their answers need not be remembered. */
export const REPEATABLE: ReadonlySet<ClientRequest['type']> = new Set([
  'get',
  'touch',
  'count',
  'isLive',
  'scan',
  'step',
  'sessionsOf',
  'stepOf',
])

export interface AnswerOptions {
  /** Whether the client is sent the next change; asked when the session has been read. Default: it is not. */
  readonly isWatched?: () => boolean
  /** Whether the client knows of identity. Default: it does not. */
  readonly isIdentified?: boolean
  /** Whom it is answered for, where it may wait for other regions. */
  readonly caller?: object | undefined
}

/** Does what a request asks for. @throws what the session API throws, and FRAME_INVALID for data that is none */
export const answerRequest = async (
  sessions: SessionApi,
  request: PlainRequest,
  { isWatched = () => false, caller, isIdentified = false }: AnswerOptions = {},
): Promise<Answer> => {
  const { number } = request
  const found = (session: Session<object> | undefined) =>
    session ? foundOf(number, session, isWatched(), isIdentified) : ({ type: 'none', number } as const)
  switch (request.type) {
    case 'get':
      return found(await sessions.get<object>(request.id, forRead(request.choices, caller)))
    case 'touch':
      return found(await sessions.touch<object>(request.id, forUpdate(request.choices, caller)))
    case 'patch': {
      const patch = decodeData(request.patch)
      const options = { ...forUpdate(request.choices, caller), ...forObjects(request.choices) }
      return found(await sessions.update<object>(request.id, patch, options))
    }
    case 'replace':
      return found(await replaced(sessions, request, caller))
    case 'increment': {
      const { id, path, by, choices } = request
      return found(await sessions.increment<object>(id, path, by, forUpdate(choices, caller)))
    }
    case 'create': {
      const options = forCreate(request.choices, caller)
      return made(number, await sessions.create<object>(decodeData(request.data), options), isIdentified)
    }
    case 'elevate': {
      const options = forElevate(request.subject, request.choices, caller)
      return made(number, await sessions.elevate<object>(request.id, options), isIdentified)
    }
    case 'rotate': {
      const options = forRotate(request.choices, caller)
      return made(number, await sessions.rotate<object>(request.id, options), isIdentified)
    }
    case 'isLive':
      return counted(number, await sessions.isLive(request.handle))
    case 'end':
      return counted(number, await sessions.end(request.id, forEnd(request.choices, caller)))
    case 'endHandle':
      return receipt(number, await sessions.endHandle(request.handle, forEnd(request.choices, caller)))
    case 'endOthers':
      return receipt(number, await sessions.endOthers(request.id, forEnd(request.choices, caller)))
    case 'endSubject': {
      const { except = [] } = request.choices
      return receipt(number, await sessions.endSubject(request.subject, { ...forEnd(request.choices, caller), except }))
    }
    case 'endAll':
      return { type: 'counted', number, count: await sessions.endAll(forEnd(request.choices, caller)) }
    case 'count':
      return { type: 'counted', number, count: await sessions.count() }
  }
}

const replaced = (sessions: SessionApi, request: PlainRequest & { type: 'replace' }, caller: Caller) => {
  const { id, base, next, counters, choices } = request
  const options = {
    ...forUpdate(choices, caller),
    ...forObjects(choices),
    counters,
    ...(base !== undefined && { base: decodeData(base) }),
  }
  return sessions.replace<object>(id, decodeData(next), options)
}

const NO_OPTIONS = Object.freeze({})

type Caller = object | undefined

const forRead = ({ read, timeoutMs, after }: ReadChoices, caller: Caller): ReadOptions =>
  read === undefined && timeoutMs === undefined && after === undefined && caller === undefined
    ? NO_OPTIONS
    : {
        ...(read !== undefined && { read }),
        ...(after !== undefined && { after }),
        ...(timeoutMs !== undefined && { timeout: timeoutMs }),
        ...(caller && { [CALLER]: caller }),
      }

const forWrite = ({ write, timeoutMs }: WriteChoices, caller: Caller) => ({
  ...(write !== undefined && { write }),
  ...(timeoutMs !== undefined && { timeout: timeoutMs }),
  ...(caller && { [CALLER]: caller }),
})

const forCreate = (choices: CreateChoices, caller: Caller): CreateOptions => {
  const { id, subject } = choices
  return {
    ...forWrite(choices, caller),
    ...forObjects(choices),
    ...forLogin(choices),
    ...(id !== undefined && { id }),
    ...(subject !== undefined && { subject }),
  }
}

/** How a login was made, and for how long it lasts. */
const forLogin = ({ device, auth, idleTimeoutMs, maxLifetimeMs }: ElevateChoices) => ({
  ...(device !== undefined && { device }),
  ...(auth !== undefined && { auth }),
  ...(idleTimeoutMs !== undefined && { idleTimeout: idleTimeoutMs }),
  ...(maxLifetimeMs !== undefined && { maxLifetime: maxLifetimeMs }),
})

const forElevate = (subject: string, choices: ElevateChoices, caller: Caller): ElevateOptions => ({
  ...forWrite(choices, caller),
  ...forLogin(choices),
  subject,
})

const forRotate = (choices: RotateChoices, caller: Caller): RotateOptions => ({
  ...forWrite(choices, caller),
  ...(choices.graceMs !== undefined && { grace: choices.graceMs }),
})

const forEnd = (choices: EndChoices, caller: Caller): EndOptions => ({
  ...forWrite(choices, caller),
  ...(choices.reason !== undefined && { reason: choices.reason }),
})

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

const answeredOf = ({ data, createdAt, expiresAt }: Session<object>) => ({ createdAt, expiresAt, ...shownOf(data) })

/** An authentication with all that a message has of it. */
export const shownAuth = ({ time, acr, amr = [] }: Authenticated) => ({ time, acr, amr })

/** Whose session it is. */
const whoOf = (session: Session<object>): Who => {
  const { lastUsedAt, subject, device, auth, written } = session
  const opensUntil = session instanceof LazySession ? session.opensUntil : undefined
  return { lastUsedAt, subject, device, auth: auth && shownAuth(auth), written, opensUntil }
}

const made = (number: number, session: Session<object>, isIdentified: boolean): Answer => {
  const fields = { number, id: session.id, ...answeredOf(session) }
  return isIdentified ? { type: 'madeWho', ...fields, who: whoOf(session) } : { type: 'made', ...fields }
}

const foundOf = (number: number, session: Session<object>, watched: boolean, isIdentified: boolean): Answer => {
  const fields = { number, watched, ...answeredOf(session) }
  return isIdentified ? { type: 'foundWho', ...fields, who: whoOf(session) } : { type: 'found', ...fields }
}

const counted = (number: number, isSo: boolean): Answer => ({ type: 'counted', number, count: isSo ? 1 : 0 })

const receipt = (number: number, { ended, regions }: EndReceipt): Answer => ({
  type: 'receipt',
  number,
  ended,
  regions: Object.entries(regions).map(([region, state]) => ({ region, isHeld: state === 'held' })),
})

/** A UTF-16 code unit takes three bytes at most. */
const MAX_MESSAGE_CHARS = MAX_MESSAGE_BYTES / 4

/**
 * What a client is answered in an error. What is no SojournError is a bug: its text stays here.
 * @param isIdentified whether the client knows of identity
 */
export const failure = (number: number, error: unknown, isIdentified = false): FailedAnswer => {
  if (!isSojournError(error)) return refusal(number, 'STORE_FAILED', 'the server failed. Its log has the error')
  const { code, message, option, path, need, got, regions, mayHaveApplied, limit, state, session } = error
  const details = { option, path, need, got, regions, mayHaveApplied, limit, state }
  const text = message.startsWith(`${code}: `) ? message.slice(code.length + 2) : message
  return {
    type: 'failed',
    number,
    code,
    // A client refuses a longer one, and would ask again and again.
    message: text.slice(0, MAX_MESSAGE_CHARS),
    details: session === undefined ? details : { ...details, ...sessionOf(session as Session<object>, isIdentified) },
  }
}

const sessionOf = (session: Session<object>, isIdentified: boolean) => ({
  session: { id: session.id, ...answeredOf(session) },
  ...(isIdentified && { who: whoOf(session) }),
})

export const refusal = (
  number: number,
  code: ErrorCode,
  message: string,
  details: FailedAnswer['details'] = {},
): FailedAnswer => ({ type: 'failed', number, code, message, details })
