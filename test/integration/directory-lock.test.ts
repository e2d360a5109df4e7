/** One owner for a store's directory: whatever it is called, whoever asks, however the last owner ended. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, readdir, readFile, rename, symlink, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { openReplica } from '@sojourn/replica'
import { fillStore, levelEngine, lockDirectory } from '@sojourn/store'
import { afterEach, describe, expect, it } from 'vitest'
import { openRegionProcess } from '../support/region-process.js'
import { closeOpened, open, refuses, temporary } from '../support/replica.js'

const BUILT = fileURLToPath(new URL('../../packages/replica/dist/index.js', import.meta.url))
const hasProc = process.platform === 'linux'

afterEach(closeOpened)

const place = async (): Promise<string> => join(await temporary(), 'store')

const claims = async (location: string): Promise<string[]> =>
  (await readdir(location)).filter((name) => name.startsWith('owner.')).sort()

/** What a file of a claim says, with something else in it. */
const forge = async (location: string, change: object): Promise<void> => {
  const [name] = await claims(location)
  const path = join(location, name!)
  const claim = JSON.parse(await readFile(path, 'utf8')) as object
  await writeFile(path, JSON.stringify({ ...claim, ...change }))
}

/** A claim of this process on a directory that nobody has open. */
const claimed = async (location: string): Promise<void> => {
  const lock = lockDirectory(location)
  lock.confirm()
  const [name] = await claims(location)
  const text = await readFile(join(location, name!), 'utf8')
  lock.release()
  await writeFile(join(location, name!), text)
}

/** Opens the location in a worker of this process, and stays. */
const openInWorker = (location: string): Worker =>
  new Worker(
    `const { parentPort, workerData } = require('node:worker_threads')
     parentPort.on('message', () => {})
     import(workerData.built).then(({ openReplica }) => openReplica({ region: 'eu', location: workerData.location })).then(
       (replica) => { globalThis.replica = replica; parentPort.postMessage('open') },
       (error) => parentPort.postMessage(String(error.message)),
     )`,
    { eval: true, workerData: { built: BUILT, location } },
  )

describe('[LOCK-1] a directory has one owner', () => {
  it('and a refused open does not open it to another process: what was acknowledged is there', async () => {
    const location = await place()
    const first = await open({ location })
    const ids: string[] = []
    const write = async (count: number) => {
      for (let n = 0; n < count; n++) ids.push((await first.create({ n })).id)
    }
    await write(200)
    await refuses(openReplica({ region: 'eu', location }), 'STORE_LOCKED')
    await expect(openRegionProcess({ region: 'eu', location })).rejects.toThrow(/STORE_LOCKED/)
    await write(200)
    await refuses(openReplica({ region: 'eu', location }), 'STORE_LOCKED')
    await expect(openRegionProcess({ region: 'eu', location })).rejects.toThrow(/STORE_LOCKED/)
    await first.close()

    const second = await open({ location })
    expect(await second.count()).toBe(400)
    for (const id of ids) expect(await second.get(id)).toBeDefined()
  })

  it('by its real path, whatever it is called', async () => {
    const location = await place()
    const link = join(await temporary(), 'link')
    const first = await open({ location })
    await symlink(location, link)
    const { id } = await first.create({ kept: true })
    const names = [`${location}/`, `${location}/.`, relative(process.cwd(), location), link, `${link}/`]
    for (const name of names) await refuses(openReplica({ region: 'eu', location: name }), 'STORE_LOCKED', {}, name)
    await expect(openRegionProcess({ region: 'eu', location: link })).rejects.toThrow(/STORE_LOCKED/)
    await first.close()
    const second = await open({ location: link })
    expect((await second.get(id))?.data).toEqual({ kept: true })
    await refuses(openReplica({ region: 'eu', location }), 'STORE_LOCKED')
  })

  it('also where a store is filled or repaired', async () => {
    const location = await place()
    await open({ location })
    const nothing = (async function* () {})()
    await expect(fillStore(levelEngine, `${location}/`, nothing)).rejects.toThrow(/^STORE_LOCKED: .* is open already/)
    // A manifest that is corrupt would be repaired under the owner's feet.
    await writeFile(join(location, 'CURRENT'), 'nonsense')
    await expect(openReplica({ region: 'eu', location })).rejects.toThrow(/^STORE_LOCKED: .* is open already/)
    expect(await readFile(join(location, 'CURRENT'), 'utf8')).toBe('nonsense')
  })

  it.skipIf(!hasProc)('also among the threads of a process, of which one can end without a word', async () => {
    const location = await place()
    const worker = openInWorker(location)
    expect(await once(worker, 'message')).toEqual(['open'])
    await refuses(openReplica({ region: 'eu', location }), 'STORE_LOCKED')
    await worker.terminate()
    const replica = await open({ location })
    const other = openInWorker(location)
    expect(String((await once(other, 'message'))[0])).toMatch(/^STORE_LOCKED: .* this process/)
    await other.terminate()
    await replica.create({})
    await expect(openRegionProcess({ region: 'eu', location })).rejects.toThrow(/STORE_LOCKED/)
  })

  it('of many that ask at one time one gets it', async () => {
    const location = await place()
    const asked = await Promise.allSettled([
      ...Array.from({ length: 4 }, () => openReplica({ region: 'eu', location })),
      ...Array.from({ length: 3 }, () => openRegionProcess({ region: 'eu', location })),
    ])
    const opened = asked.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    expect(opened).toHaveLength(1)
    for (const one of asked) if (one.status === 'rejected') expect(String(one.reason)).toMatch(/STORE_LOCKED/)
    await Promise.all(opened.map((one) => one.close()))
    expect(await claims(location)).toHaveLength(1)
    await open({ location })
  })

  it('and says who that is, since when, and what to do', async () => {
    const location = await place()
    const before = Date.now()
    const first = await open({ location })
    const refused = (reason: Error) => reason.message
    const ours = await openReplica({ region: 'eu', location }).then(String, refused)
    expect(ours).toContain(`this process (${process.pid}) has had it since `)
    const since = new Date(/since (\S+Z)\./.exec(ours)![1]!).getTime()
    expect(Math.abs(since - before)).toBeLessThan(60_000)
    expect(ours).toContain('sojourn serve')
    const theirs = await openRegionProcess({ region: 'eu', location }).then(String, refused)
    expect(theirs).toContain(`process ${process.pid} on "${hostname()}" has had it since `)
    await first.close()
  })
})

describe('[LOCK-2] an owner that is gone locks nobody out', () => {
  it('where it was killed', async () => {
    const location = await place()
    const child = await openRegionProcess({ region: 'eu', location })
    await refuses(openReplica({ region: 'eu', location }), 'STORE_LOCKED')
    await child.kill()
    await open({ location })
    expect(await claims(location)).toHaveLength(1)
  })

  it.skipIf(!hasProc)('where its number was given to another process, this one or not', async () => {
    const location = await place()
    await claimed(location)
    await forge(location, { started: '1' })
    await (await open({ location })).close()

    const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
    await once(other, 'spawn')
    await claimed(location)
    await forge(location, { pid: other.pid, started: '1' })
    await (await open({ location })).close()
    // Its very number and start: that is the owner.
    const stat = await readFile(`/proc/${other.pid}/stat`, 'utf8')
    const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
    await claimed(location)
    await forge(location, { pid: other.pid, started })
    await refuses(openReplica({ region: 'eu', location }), 'STORE_LOCKED')
    other.kill()
    await once(other, 'exit')
    await open({ location })
  })

  it.each([
    ['the machine was started again', { boot: 'another' }],
    ['it ran in a container that is gone', { pids: 'pid:[1]' }],
    ['the claim is of another directory', { directory: '1:1' }],
  ])('where %s', async (_, change) => {
    const location = await place()
    await claimed(location)
    await forge(location, { pid: process.ppid, ...change })
    await open({ location })
  })

  it('where its claim was cut off, or is nonsense', async () => {
    const location = await place()
    for (const text of ['', '{', 'null', '{"pid":"x"}']) {
      await claimed(location)
      await writeFile(join(location, (await claims(location))[0]!), text)
      await (await open({ location })).close()
    }
  })

  it('nor does a copy of its directory, nor the place that it was moved from', async () => {
    const location = await place()
    const first = await open({ location })
    const { id } = await first.create({})
    await first.close()
    const second = await open({ location })
    const copy = await place()
    await cp(location, copy, { recursive: true })
    const copied = await open({ location: copy })
    expect(await copied.get(id)).toBeDefined()
    await second.close()
    await rename(location, `${location}.old`)
    await open({ location: `${location}.old` })
    await open({ location })
  })

  it.skipIf(!hasProc)('and is not taken for gone because this process cannot see it: LevelDB decides', async () => {
    const location = await place()
    const child = await openRegionProcess({ region: 'eu', location })
    await forge(location, { pids: 'pid:[1]' })
    const before = await readFile(join(location, (await claims(location))[0]!), 'utf8')
    const refused = await openReplica({ region: 'eu', location }).then(String, (error: Error) => error.message)
    expect(refused).toMatch(/^STORE_LOCKED: .*A process in another container or on another machine has it/)
    // The claim that was taken over was given back.
    const names = await claims(location)
    expect(await readFile(join(location, names.at(-1)!), 'utf8')).toBe(before)
    await child.kill()
    await open({ location })
  })
})
