/** What the store does to be quick: sessions that answer at once, and answers that leave in one piece. */
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import type { SessionApi } from '@sojourn/core/internal'
import { SojournStore } from '@sojourn/express'
import { isSojournError, type Replica } from '@sojourn/replica'
import express, { type Request } from 'express'
import session, { type Session, type SessionData } from 'express-session'
import fc from 'fast-check'
import { afterEach, describe, expect, it, onTestFinished } from 'vitest'
import { closeOpened, pause, regionsOf } from '../support/express-app.js'
import { runs } from '../support/runs.js'

afterEach(closeOpened)

/** The same sessions, which answer by promise only, as a client's do. */
const byPromise = (replica: Replica, replace?: () => Promise<void>): SessionApi =>
  new Proxy(replica, {
    get(target, name) {
      if (name === 'getNow' || name === 'touchNow' || name === 'replaceNow') return undefined
      if (name === 'replace' && replace)
        return async (...args: Parameters<Replica['replace']>) => {
          await replace()
          return target.replace(...args)
        }
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })

type Fields = Record<string, unknown>

const HOLDERS = 3
const SIDS = ['a', 'b'] as const
const KEYS = ['x', 'y', 'z'] as const

const value = fc.oneof(
  fc.integer({ min: 0, max: 3 }),
  fc.constantFrom('', 'ä', '\ud800'),
  fc.constant(null),
  fc.constant(undefined),
  fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 2 }),
  fc.record(
    { p: fc.integer({ min: 0, max: 2 }), q: fc.record({ r: fc.integer({ min: 0, max: 1 }) }) },
    { requiredKeys: [] },
  ),
)
const holder = fc.nat({ max: HOLDERS - 1 })
const step = fc.oneof(
  fc.record({ kind: fc.constant('read' as const), holder, sid: fc.constantFrom(...SIDS) }),
  fc.record({ kind: fc.constant('assign' as const), holder, key: fc.constantFrom(...KEYS), value }),
  fc.record({ kind: fc.constant('inside' as const), holder, key: fc.constantFrom(...KEYS), value }),
  fc.record({ kind: fc.constant('count' as const), holder }),
  fc.record({ kind: fc.constant('remove' as const), holder, key: fc.constantFrom(...KEYS) }),
  fc.record({ kind: fc.constant('cookie' as const), holder, httpOnly: fc.boolean() }),
  fc.record({ kind: fc.constantFrom('save' as const, 'touch' as const, 'save twice' as const), holder }),
  fc.record({ kind: fc.constant('destroy' as const), sid: fc.constantFrom(...SIDS) }),
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** Requests on one store, as express-session makes them of an app's. */
class Requests {
  readonly #store: SojournStore
  readonly #prefix: string
  readonly #sessions: (Session & Fields)[] = []
  /** What each call came to. */
  readonly outcomes: string[] = []

  constructor(store: SojournStore, prefix: string) {
    this.#store = store
    this.#prefix = prefix
  }

  async take(steps: readonly Step[]): Promise<void> {
    for (const each of steps) await this.#take(each)
  }

  async #take(each: Step): Promise<void> {
    if (each.kind === 'read') return this.#read(each.holder, `${this.#prefix}-${each.sid}`)
    if (each.kind === 'destroy') return this.#note(this.#store.destroy(`${this.#prefix}-${each.sid}`))
    const held = this.#sessions[each.holder]
    if (!held) return
    const save = () => this.#note(this.#store.set(held.id, held as unknown as SessionData))
    if (each.kind === 'assign') held[each.key] = structuredClone(each.value)
    else if (each.kind === 'remove') delete held[each.key]
    else if (each.kind === 'count') held.n = ((held.n as number | undefined) ?? 0) + 1
    else if (each.kind === 'cookie') held.cookie.httpOnly = each.httpOnly
    else if (each.kind === 'touch') await this.#note(this.#store.touch(held.id, held as unknown as SessionData))
    else if (each.kind === 'inside') {
      const object = held[each.key]
      if (typeof object === 'object' && object !== null && !Array.isArray(object)) (object as Fields).p = each.value
    } else if (each.kind === 'save') await save()
    else {
      const first = save()
      held.x = 'between'
      await Promise.all([first, save()])
    }
  }

  async #read(index: number, sid: string): Promise<void> {
    const request = { sessionID: sid, sessionStore: this.#store } as unknown as Request
    const data = await new Promise<SessionData | null | undefined>((resolve, reject) => {
      void this.#store.get(sid, (error, found) => (error ? reject(error) : resolve(found)))
    })
    this.outcomes.push(data ? 'found' : 'none')
    if (data) this.#store.createSession(request, data)
    else {
      // As the package does it, whose types leave the constructor out.
      const made = new (session.Session as unknown as new (request: Request) => Session)(request)
      request.session = Object.assign(made, { cookie: new session.Cookie() })
    }
    this.#sessions[index] = request.session as unknown as Session & Fields
  }

  async #note(call: Promise<unknown>): Promise<void> {
    const error = await call.then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    this.outcomes.push(error === undefined ? 'done' : isSojournError(error) ? error.code : String(error))
  }
}

describe('sessions that answer at once', () => {
  it('[EXPR-11] make of the same requests the same sessions as sessions that answer by promise', async () => {
    const { eu, us } = await regionsOf(['eu', 'us'], { pairs: [] })
    const counters = ['/n']
    const atOnce = new SojournStore({ sessions: eu, counters })
    const plain = new SojournStore({ sessions: byPromise(us), counters })
    let run = 0
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 6, maxLength: 30 }), async (steps) => {
        const prefix = `run ${run++}`
        const [one, other] = [new Requests(atOnce, prefix), new Requests(plain, prefix)]
        await Promise.all([one.take(steps), other.take(steps)])
        expect(one.outcomes).toEqual(other.outcomes)
        for (const sid of SIDS) {
          const [here, there] = [await eu.get(`${prefix}-${sid}`), await us.get(`${prefix}-${sid}`)]
          expect(here?.data).toEqual(there?.data)
        }
      }),
      { numRuns: runs(150) },
    )
  })
})

describe('a session object', () => {
  it('[EXPR-1] that is saved in two stores is known to each by itself', async () => {
    const { eu, us } = await regionsOf(['eu', 'us'], { pairs: [] })
    const [one, other] = [new SojournStore({ sessions: eu }), new SojournStore({ sessions: us })]
    await one.set('a', { cookie: new session.Cookie(), user: 'ada' })
    const held = (await one.get('a'))!
    await eu.update('a', { theirs: 1 })
    for (const views of [1, 2]) {
      held.views = views
      await one.set('a', held)
      await other.set('a', held)
    }
    expect((await eu.get('a'))?.data).toMatchObject({ user: 'ada', views: 2, theirs: 1 })
    expect((await us.get('a'))?.data).toMatchObject({ user: 'ada', views: 2 })
  })

  it('[EXPR-1] that is frozen is known as any other', async () => {
    const { eu } = await regionsOf(['eu'])
    const store = new SojournStore({ sessions: eu })
    const held = Object.freeze({ cookie: new session.Cookie(), user: 'ada' })
    await store.set('a', held)
    await eu.update('a', { theirs: 1 })
    await store.set('a', held)
    expect((await eu.get('a'))?.data).toMatchObject({ user: 'ada', theirs: 1 })
  })
})

/** An Express app, and a connection to it that says what comes when. */
const appOf = async (sessions: SessionApi, route: express.RequestHandler) => {
  const app = express()
  const store = new SojournStore({ sessions })
  app.use(session({ secret: 'signs', store, resave: false, saveUninitialized: false, cookie: { maxAge: 600_000 } }))
  app.get('/login', (req, res) => {
    req.session.user = 'ada'
    res.send('ada')
  })
  app.get('/', route)
  const server = createServer(app as RequestListener)
  let written = 0
  server.on('connection', (socket: Socket) => {
    // What the stream hands to the system, piece by piece.
    const { _write, _writev } = socket
    socket._write = (...args) => {
      written++
      _write.apply(socket, args)
    }
    socket._writev = (...args) => {
      written++
      _writev!.apply(socket, args)
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
  const { port } = server.address() as AddressInfo
  const login = await fetch(`http://127.0.0.1:${port}/login`)
  await login.text()
  const cookie = login.headers.getSetCookie()[0]!.split(';')[0]!
  const socket = connect(port, '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  await once(socket, 'connect')
  let received = ''
  socket.setEncoding('utf8').on('data', (text: string) => {
    received += text
  })
  const heard = async (ending: string): Promise<void> => {
    while (!received.includes(ending)) await once(socket, 'data')
  }
  const ask = () => {
    written = 0
    received = ''
    socket.write(`GET / HTTP/1.1\r\nhost: localhost\r\ncookie: ${cookie}\r\n\r\n`)
  }
  return { ask, heard, pieces: () => written }
}

const BODY = 'this is the body'

const change: express.RequestHandler = (req, res) => {
  req.session.views = (req.session.views ?? 0) + 1
  res.send(BODY)
}

describe('an answer', () => {
  it.each([
    ['reads its session', ((_req, res) => void res.send(BODY)) as express.RequestHandler],
    ['changes its session', change],
  ])('[EXPR-12] that %s leaves in one piece, where nothing but this process is waited for', async (_what, route) => {
    const { eu } = await regionsOf(['eu'])
    const { ask, heard, pieces } = await appOf(eu, route)
    for (let times = 0; times < 3; times++) {
      ask()
      await heard(BODY)
      expect(pieces()).toBe(1)
    }
  })

  it('[EXPR-12] begins when its turn is over, where the save takes longer, and ends with the save', async () => {
    const { eu } = await regionsOf(['eu'])
    const save = pause()
    const { ask, heard, pieces } = await appOf(
      byPromise(eu, () => save.wait()),
      change,
    )
    ask()
    await save.arrived
    await heard(BODY.slice(0, -1))
    expect(pieces()).toBe(1)
    save.go()
    await heard(BODY)
    expect(pieces()).toBe(2)
  })
})
