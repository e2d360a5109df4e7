// A region in a process of its own (see region-process.ts), from what `tsc -b` built. Acknowledged writes are written to
// standard output before anything else happens, so that whoever kills the process knows of each.
import { writeSync } from 'node:fs'
import { openReplica } from '@sojourn/replica'

const acknowledge = (...words) => writeSync(1, `${words.join(' ')}\n`)

let replica
let peakHeap = 0
let running = false
let workers = Promise.resolve()

/** Makes a session, or goes on with one that is there, and counts it up; ends every other one, and begins the next. */
const work = async (id, options) => {
  let n = 0
  for (let round = 1; running; round++) {
    if (id === undefined) {
      id = (await replica.create({ n: 0 }, options)).id
      n = 0
      acknowledge('count', id, n)
    }
    for (let step = 0; running && step < 12; step++) {
      if (step % 4 === 3) {
        const { data } = await replica.update(id, { text: `${round}.${step}` }, options)
        n = data.n
      } else n = (await replica.increment(id, '/n', 1, options)).data.n
      acknowledge('count', id, n)
    }
    if (!running) return
    if (round % 2 === 0) {
      await replica.end(id, options)
      acknowledge('end', id)
    }
    id = undefined
  }
}

const commands = {
  async open(options) {
    replica = await openReplica(options)
    return replica.address
  },
  status: () => replica.status(),
  async load({ ids = [], workers: count, write = 'local' }) {
    running = true
    workers = Promise.all(Array.from({ length: count }, (_, index) => work(ids[index], { write, timeout: '20s' })))
    // Where the process lives on, what fails is reported when it is stopped.
    workers.catch(() => {})
  },
  async stop() {
    running = false
    await workers
  },
  increment: (id) => replica.increment(id, '/n'),
  rekey: (encryption) => replica.rekey(encryption),
  compareDigests: () => replica.compareDigests(),
  async contents() {
    const sessions = []
    for await (const session of replica.sessions()) sessions.push(session)
    return { sessions, tombstones: replica.status().tombstones }
  },
  heap() {
    globalThis.gc()
    const { heapUsed } = process.memoryUsage()
    const usage = { heapUsed, peakHeap }
    peakHeap = heapUsed
    return usage
  },
  close: () => replica.close(),
}

setInterval(() => {
  peakHeap = Math.max(peakHeap, process.memoryUsage().heapUsed)
}, 10).unref()

process.on('message', async ({ request, command, argument }) => {
  try {
    process.send({ request, result: await commands[command](argument) })
  } catch (error) {
    process.send({ request, error: String(error.stack) })
  }
})
process.on('disconnect', () => process.exit())
