/** The private directory of a cluster on one machine: secrets, tokens, the settings of each region, and its data. */
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { systemRandom } from '@sojourn/core/internal'
import { readText } from '@sojourn/net'
import { writeWhole } from '@sojourn/server/parts'
import { lockDirectory, makePrivateDirectory } from '@sojourn/store'
import { HOST, type RegionPlan } from './plan.js'

const SECRET_BYTES = 24
/** A cluster of somebody who waits at a terminal stops soon. */
const SHUTDOWN_TIMEOUT = '5s'

/** Tokens as clients and commands send them. */
export interface Tokens {
  /** Reads and writes sessions. */
  readonly app: string
  /** Does what the admin listener offers. */
  readonly ops: string
}

export interface ClusterDirectory {
  readonly path: string
  /** Removed at the end, with all sessions. */
  readonly isTemporary: boolean
  readonly tokens: Tokens
  /** The plan that was last run here; undefined: none. */
  readonly lastPlan: readonly RegionPlan[] | undefined
  /** Writes the settings of each region. @throws STORE_FAILED */
  write(plan: readonly RegionPlan[]): void
  settingsOf(region: string): string
  /** Gives the directory back, or removes it where it is temporary. */
  close(): void
}

/** What is in the file; made and kept where it is missing, so that clients of the run before go on. */
const secretIn = (file: string): string => {
  if (!existsSync(file)) writeWhole(file, `${Buffer.from(systemRandom.bytes(SECRET_BYTES)).toString('base64url')}\n`)
  return readText(file, 'data').trim()
}

const hashed = (token: string): string => `sha256:${createHash('sha256').update(token).digest('hex')}`

const settingsText = (plan: readonly RegionPlan[], own: RegionPlan, directory: string): string => {
  const others = plan.filter(({ name }) => name !== own.name)
  const addresses = (of: (region: RegionPlan) => string) => {
    const entries = others.map((region) => `${region.name}: ${of(region)}`)
    return `{ ${entries.join(', ')} }`.replace('{  }', '{}')
  }
  const file = (name: string) => JSON.stringify(join(directory, name))
  return `# Written by \`sojourn dev\` at each start.
region: ${own.name}
data: ${file(own.name)}
secretFile: ${file('link.secret')}
tokensFile: ${file('tokens')}
peers: ${addresses(({ links }) => `'ws://${HOST}:${links}'`)}
links: { host: ${HOST}, port: ${own.links} }
clients: { host: ${HOST}, port: ${own.clients} }
admin:
  host: ${HOST}
  port: ${own.admin}
  peers: ${addresses(({ admin }) => `'http://${HOST}:${admin}'`)}
shutdownTimeout: ${SHUTDOWN_TIMEOUT}
`
}

const readPlan = (file: string): readonly RegionPlan[] | undefined => {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as readonly RegionPlan[]
  } catch {
    // None yet, or a torn one: new ports will do.
    return undefined
  }
}

/**
 * @param given where to; undefined: a temporary directory
 * @throws STORE_FAILED, STORE_LOCKED where another cluster runs in it
 */
export const openClusterDirectory = (given: string | undefined): ClusterDirectory => {
  const isTemporary = given === undefined
  const path = isTemporary ? mkdtempSync(join(tmpdir(), 'sojourn-dev-')) : resolve(given)
  makePrivateDirectory(path)
  const lock = lockDirectory(path)
  lock.confirm()
  secretIn(join(path, 'link.secret'))
  const tokens = { app: secretIn(join(path, 'app.token')), ops: secretIn(join(path, 'ops.token')) }
  const planFile = join(path, 'ports.json')
  writeWhole(join(path, 'tokens'), `app:write:${hashed(tokens.app)}\nops:admin:${hashed(tokens.ops)}\n`)
  const settingsOf = (region: string): string => join(path, `${region}.yaml`)
  return {
    path,
    isTemporary,
    tokens,
    lastPlan: readPlan(planFile),
    settingsOf,
    write(plan) {
      for (const own of plan) writeWhole(settingsOf(own.name), settingsText(plan, own, path))
      writeWhole(planFile, `${JSON.stringify(plan)}\n`)
    },
    close() {
      lock.release()
      if (isTemporary) rmSync(path, { recursive: true, force: true })
    },
  }
}
