import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  openReplica,
  type Replica,
  type ReplicaEvents,
  type ReplicaOptions,
  SojournError,
  type StoredSession,
} from '@sojourn/replica'
import { expect } from 'vitest'
import { door } from './door.js'
import { type SteppedClock, steppedClock } from './region.js'
import { Opened } from './serve.js'

/** Single replicas for the tests of the session API, called as `callOverTheNetwork` says. */

export const MINUTE = 60_000
export const HOUR = 60 * MINUTE

const opened = new Opened()

/** Closes, and then removes, what was opened here: for `afterEach`. */
export const closeOpened = (): Promise<void> => opened.close()

export const open = async (options: Partial<ReplicaOptions> = {}): Promise<Replica> =>
  opened.add(await door(await openReplica({ region: 'eu', location: ':memory:', ...options })))

export const openStepped = async (options: Partial<ReplicaOptions> = {}): Promise<[Replica, SteppedClock]> => {
  const clock = steppedClock()
  return [await open({ ports: { clock }, ...options }), clock]
}

/** A directory for one store. */
export const temporary = async (): Promise<string> => {
  const location = await mkdtemp(join(tmpdir(), 'sojourn-api-'))
  opened.add({ close: () => rm(location, { recursive: true, force: true }) })
  return location
}

export const refuses = async (
  call: Promise<unknown>,
  code: string,
  details: object = {},
  what?: string,
): Promise<void> => {
  const error = await call.then(
    (value) => expect.unreachable(`${what ?? code}: resolved with ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  )
  expect(error, what).toBeInstanceOf(SojournError)
  expect(error, what).toMatchObject({ name: 'SojournError', code, ...details })
}

export const all = async (replica: Replica): Promise<StoredSession[]> => {
  const out: StoredSession[] = []
  for await (const session of replica.sessions()) out.push(session)
  return out
}

type Emitted = { [K in keyof ReplicaEvents]: readonly [K, ReplicaEvents[K][0]] }[keyof ReplicaEvents]
export const listen = (replica: Replica, ...names: (keyof ReplicaEvents)[]): Emitted[] => {
  const emitted: Emitted[] = []
  for (const name of names)
    replica.on(name, (body: ReplicaEvents[typeof name][0]) => emitted.push([name, body] as Emitted))
  return emitted
}

/** One of each that a session can hold. */
export const EVERYTHING = {
  null: null,
  yes: true,
  no: false,
  empty: '',
  text: 'žluťoučký 🐎 \0 "quoted"',
  zero: 0,
  minusZero: -0,
  int: -42,
  large: 2 ** 53 - 1,
  double: 0.1,
  tiny: 5e-324,
  huge: Number.MAX_VALUE,
  date: new Date(1_234_567_890_123),
  bytes: Uint8Array.of(0, 1, 255),
  noBytes: new Uint8Array(),
  emptyObject: {},
  nested: { a: { b: { c: { d: 'deep' } } } },
  array: [1, 'two', null, [3, [4]], { five: 5, $six: 6, $$seven: 7 }, new Date(8), Uint8Array.of(9), -0],
  emptyArray: [],
  '': 'an empty key',
  'a/b': 'a slash',
  'm~n': 'a tilde',
  $date: 'no date',
  'with space': 1,
  toString: 'inherited',
  hasOwnProperty: 1,
  ...(JSON.parse('{"then":"no promise"}') as object),
}
