/** Whether apps see little of what the packages see of each other. */
import * as automerge from '@sojourn/automerge'
import * as client from '@sojourn/client'
import * as face from '@sojourn/core'
import * as internal from '@sojourn/core/internal'
import * as express from '@sojourn/express'
import * as identity from '@sojourn/identity'
import * as replica from '@sojourn/replica'
import * as server from '@sojourn/server'
import * as umbrella from 'sojourn'
import { describe, expect, it } from 'vitest'
import { filesBelow, readSource } from '../support/sources.js'

/** What an app, an adapter, an engine or a transport needs. Each name here is a promise: think twice before it gets longer. */
const FACE = [
  // The session API.
  ...['AnyData', 'CreateOptions', 'Data', 'DataOptions', 'Duration', 'EndOptions', 'EndReason', 'Level', 'Lifetimes'],
  ...['ReadOptions', 'ReplaceOptions', 'Session', 'SessionApi', 'SessionKey', 'StoredSession', 'TouchOptions'],
  ...['Update', 'UpdateOptions', 'Value', 'WriteOptions', 'sessionKey'],
  // Logins, and sessions on other devices.
  ...['Authenticated', 'ElevateOptions', 'EndHandleOptions', 'EndReceipt', 'EndSubjectOptions', 'RotateOptions'],
  ...['SubjectSession', 'PROFILES', 'Profile'],
  // Errors and bounds.
  ...['ERROR_CODES', 'ErrorCode', 'ErrorDetails', 'SojournError', 'isSojournError', 'DEFAULT_LIMITS', 'Limits'],
  // The ports, and the real ones of two of them.
  ...['Clock', 'Random', 'Timer', 'systemClock', 'systemRandom'],
  ...['Journal', 'JournalEntry', 'Row', 'RowWrite', 'Rows', 'Storage', 'StorageEngine'],
  ...['Connection', 'ConnectionFault', 'ConnectionHandler', 'Listener', 'Transport', 'TransportOptions'],
]

const APPS = { automerge, client, express, identity, replica, server, sojourn: umbrella }

const INTERNAL = /\bexport\b[^;'"]*\bfrom '@sojourn\/[^']*\/internal'/

/** The names that a module exports from others. */
const exportedBy = (code: string): string[] =>
  [...code.matchAll(/^export (?:type )?\{([^}]*)\}/gm)].flatMap(([, names]) =>
    names!
      .split(',')
      .map((name) => name.trim().replace(/^type /, ''))
      .filter((name) => name !== ''),
  )

describe('[FACE-1] core shows apps a small face', () => {
  const index = readSource('packages/core/src/index.ts').code

  it('which is this list', () => {
    expect(index).not.toMatch(/export \*/)
    expect(exportedBy(index).sort()).toEqual([...FACE].sort())
  })

  it('of which nothing stands in the other one again', () => {
    const inner = readSource('packages/core/src/internal.ts').code
    expect(inner).toMatch(/^export \* from '.\/index.js'$/m)
    expect(exportedBy(inner).filter((name) => FACE.includes(name))).toEqual([])
  })
})

describe('[FACE-2] what is internal stays so', () => {
  const hidden = new Map(
    Object.entries(internal)
      .filter(([name, value]) => !(name in face) && /^(object|function)$/.test(typeof value))
      .map(([name, value]) => [value, name]),
  )

  it.each(Object.entries(APPS))('%s exports none of it', (_name, door) => {
    expect(hidden.size).toBeGreaterThan(50)
    expect(Object.values(door).flatMap((value) => hidden.get(value) ?? [])).toEqual([])
  })

  it('no file hands it on, types among it', () => {
    const sources = filesBelow('packages', '.ts').map(readSource)
    expect(sources.filter(({ code }) => INTERNAL.test(code)).map(({ path }) => path)).toEqual([])
    expect("export { a } from '@sojourn/core/internal'").toMatch(INTERNAL)
  })

  it('no app imports it', () => {
    const apps = ['demo', 'examples', 'packages/sojourn/src'].flatMap((folder) => filesOf(folder))
    expect(apps.length).toBeGreaterThan(3)
    const strays = apps.filter(({ imports }) => imports.some((target) => target.endsWith('/internal')))
    expect(strays.map(({ path }) => path)).toEqual([])
  })
})

const filesOf = (folder: string) => {
  try {
    return ['.ts', '.js', '.mjs'].flatMap((ending) => filesBelow(folder, ending)).map(readSource)
  } catch {
    return []
  }
}
