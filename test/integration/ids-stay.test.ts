import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Client, connect } from '@sojourn/client'
import { sessionKey } from '@sojourn/core/internal'
import type { Replica } from '@sojourn/replica'
import { expect, it } from 'vitest'
import { CertificateDirectory } from '../support/certificates.js'
import { openRegions } from '../support/region.js'
import { refuses } from '../support/replica.js'
import { openServers, type Server, TOKENS } from '../support/servers.js'
import { until } from '../support/until.js'
import { overheard } from '../support/wire-tap.js'

const NAMES = ['eu', 'us'] as const
const MARKER = 'a marker in the data'
/** A subject, of one word: see `formsOf`. */
const USER = 'a-subject-that-nobody-may-see-0123456789'
/** So that what is committed reaches the rows, too. */
const FLAGS = { 'log.level': 'trace', 'limits.checkpointBytes': '1024' }

/** In every way in which an id, or a part of one, might be written. */
const formsOf = (id: string): Buffer[] => {
  const parts = [...new Set([id, ...id.split('.')])]
  return parts.flatMap((part) => {
    const raw = Buffer.from(part, 'base64url')
    const texts = [
      part,
      encodeURIComponent(part),
      raw.toString('hex'),
      raw.toString('base64'),
      Buffer.from(part).toString('hex'),
    ]
    return [
      raw,
      ...texts.map((text) => Buffer.from(text)),
      Buffer.from(Buffer.from(part).toString('base64').slice(0, -4)),
    ]
  })
}

const filesBelow = async (directory: string): Promise<Buffer> => {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name))
  return Buffer.concat([
    ...files.map((file) => Buffer.from(file)),
    ...(await Promise.all(files.map((file) => readFile(file)))),
  ])
}

/** What a server shows to who looks after it. */
const shownBy = async (server: Server): Promise<Buffer> => {
  const pages = ['/metrics', '/status', '/readyz', '/backup'].map(async (path) => {
    const answer = await server.ask(path, { token: TOKENS.admin })
    return Buffer.from(await answer.arrayBuffer())
  })
  return Buffer.concat([Buffer.from(server.log.join('\n')), ...(await Promise.all(pages))])
}

/** Every kind of call, those that are refused too. Returns the ids that were made or only asked for, and the user. */
const useAll = async (client: Client): Promise<{ readonly kept: string; readonly others: readonly string[] }> => {
  const own = 'an-id-that-a-middleware-chose-0123456789'
  const unknown = 'an-id-that-nobody-has-ever-made-9876543210'
  const { id: kept } = await client.create({ text: MARKER, n: 0 })
  const { id: old } = await client.create({ text: MARKER })
  const { id: ended } = await client.create({ text: MARKER })
  await client.create({ text: MARKER }, { id: own })
  await client.update(kept, { text: `${MARKER}, changed` })
  await client.increment(kept, '/n')
  await client.touch(kept, { idleTimeout: '1h' })
  await client.get(kept, { read: 'all' })
  const { id: rotated } = await client.rotate(old)
  const { id: guest } = await client.create({ text: MARKER })
  const { id: login } = await client.elevate(guest, { subject: USER })
  const { id: other } = await client.create({ text: MARKER }, { subject: USER })
  for await (const { handle } of client.sessionsOf(USER)) expect(await client.isLive(handle)).toBe(true)
  await client.endOthers(login)
  await client.endSubject(`${USER}-of-another-user`)
  await client.end(ended, { write: 'all' })
  await refuses(client.create({}, { id: own }), 'SESSION_EXISTS')
  await refuses(client.update(unknown, { a: 1 }), 'SESSION_NOT_FOUND')
  await refuses(client.update(ended, { a: 1 }), 'SESSION_NOT_FOUND')
  await refuses(client.update(kept, { large: 'x'.repeat(100_000) }), 'SESSION_TOO_LARGE')
  expect(await client.get(unknown, { read: 'all' })).toBeUndefined()
  return { kept, others: [old, ended, own, rotated, unknown, guest, login, other, USER] }
}

it('[SRV-1] no id and no subject goes from region to region, into a log or a figure, or onto a disk', async () => {
  await using servers = await openServers(['eu', 'us'], { options: { flags: FLAGS } })
  const recordings = [servers.link('eu').record(), servers.link('us').record()]
  const cut = () => {
    for (const name of NAMES) servers.link(name).cut()
    const isDown = (name: 'eu' | 'us') => Object.values(servers.get(name).status().replica.links)[0]!.state === 'down'
    return until(() => NAMES.every(isDown), 'the links to be down')
  }
  const heal = () => {
    for (const name of NAMES) servers.link(name).heal()
    return servers.settled()
  }
  // What is recorded begins with the connections.
  await cut()
  await heal()
  const client = await connect({ url: servers.get('eu').url('clients'), token: TOKENS.write })
  const { kept, others } = await useAll(client)
  await servers.settled()
  await cut()
  await refuses(client.update(kept, { cut: true }, { write: 'all', timeout: '50ms' }), 'QUORUM_UNMET')
  await heal()
  await client.close()

  const wire = overheard(recordings.flatMap((recorded) => recorded()))
  const shown = await Promise.all(NAMES.map((name) => shownBy(servers.get(name))))
  const running = await Promise.all(NAMES.map((name) => filesBelow(servers.data(name))))
  await servers.stop('eu')
  const stopped = await filesBelow(servers.data('eu'))
  // What is looked through has what names the session, and what is in it.
  const key = Buffer.from(sessionKey(kept), 'hex')
  for (const place of [wire, ...running, stopped]) {
    expect(place.includes(key)).toBe(true)
    expect(place.includes(MARKER)).toBe(true)
  }
  const places = { wire, shown: Buffer.concat(shown), running: Buffer.concat(running), stopped }
  for (const [name, place] of Object.entries(places))
    for (const id of [kept, ...others])
      expect(
        formsOf(id).filter((form) => place.includes(form)),
        name,
      ).toEqual([])
})

const SUBJECT = 'ada.of.the.marker@example.net'
const DEVICE = 'the marker of a device'

/** Two regions on disks, whose users are logged in; what crosses the wire is recorded, and what they report is noted. */
const loggedIn = async (options: Parameters<typeof openRegions<'eu' | 'us'>>[1]) => {
  const regions = await openRegions(['eu', 'us'], { ...options, disk: true, limits: { checkpointBytes: 1_024 } })
  const reported: unknown[] = []
  const note = (...event: unknown[]) => void reported.push(event)
  for (const name of ['created', 'elevated', 'rotated', 'reused', 'updated', 'ended', 'fault'] as const)
    for (const replica of regions.all) (replica as Replica).on(name, note)
  const recordings = [regions.proxy('eu', 'us').record(), regions.proxy('us', 'eu').record()]
  await regions.cutAll()
  regions.healAll()
  await regions.settled()
  const { eu } = regions
  const visitor = await eu.create({ text: MARKER })
  const first = await eu.elevate(visitor.id, { subject: SUBJECT, device: DEVICE })
  const { id } = await eu.rotate(first.id)
  expect(await eu.get(first.id)).toBeUndefined()
  const other = await eu.create({ text: MARKER }, { subject: SUBJECT, device: DEVICE })
  await eu.update(id, { text: `${MARKER}, changed` })
  await eu.endOthers(id)
  await regions.settled()
  const wire = overheard(recordings.flatMap((recorded) => recorded()))
  const shown = Buffer.from(JSON.stringify([reported, regions.faults, regions.all.map((replica) => replica.status())]))
  const running = await Promise.all(NAMES.map((name) => filesBelow(regions.location(name))))
  await regions.shut('eu')
  const places = { wire, shown, running: Buffer.concat(running), stopped: await filesBelow(regions.location('eu')) }
  await regions.close()
  return { places, ids: [visitor.id, first.id, id, other.id] }
}

it('[CRYPT-1] [TLS-3] with a key ring and TLS no data, subject, device, id or secret is in the directory, on the wire, or in what is reported', async () => {
  await using certificates = await CertificateDirectory.open()
  for (const name of NAMES) await certificates.issue(name)
  const tls = (name: string) => ({ tls: { ...certificates.paths(name), requireClientCertificate: true } })
  const encryption = { keys: { '2026-11': '5e'.repeat(32) }, active: '2026-11' }
  const { places, ids } = await loggedIn({ secure: true, encryption, each: { eu: tls('eu'), us: tls('us') } })
  const secrets = [MARKER, SUBJECT, DEVICE].map((text) => Buffer.from(text))
  for (const [name, place] of Object.entries(places)) {
    expect(place.length, name).toBeGreaterThan(100)
    for (const form of [...secrets, ...ids.flatMap(formsOf)]) expect(place.includes(form), name).toBe(false)
  }
})

it('[CRED-1] without them a disk and the wire hold data, and yet no subject, id or secret', async () => {
  const { places, ids } = await loggedIn({})
  for (const name of ['wire', 'running', 'stopped'] as const) {
    expect(places[name].includes(MARKER), name).toBe(true)
    expect(places[name].includes(DEVICE), name).toBe(true)
  }
  expect(places.shown.includes(MARKER)).toBe(false)
  for (const [name, place] of Object.entries(places))
    for (const form of [Buffer.from(SUBJECT), ...ids.flatMap(formsOf)]) expect(place.includes(form), name).toBe(false)
})
