import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { SojournStore, type SojournStoreOptions } from '@sojourn/express'
import type { SessionApi } from '@sojourn/replica'
import express, { type NextFunction, type Request, type RequestHandler, type Response } from 'express'
import session, { type SessionOptions } from 'express-session'
import { expect } from 'vitest'
import { Browser } from './browser.js'
import { openRegions, type Regions, type SteppedClock } from './region.js'

declare module 'express-session' {
  interface SessionData {
    user?: string
    views?: number
    fields?: Record<string, unknown>
  }
}

export const MINUTE_MS = 60_000
const closers: (() => Promise<unknown>)[] = []

/** Closes what was opened here: for `afterEach`. */
export const closeOpened = async (): Promise<void> => {
  for (const close of closers.splice(0).reverse()) await close()
}

export const regionsOf = async <const N extends string>(
  names: readonly N[],
  options: Parameters<typeof openRegions<N>>[1] = {},
): Promise<Regions<N>> => {
  const regions = await openRegions(names, options)
  closers.push(() => regions.close())
  return regions
}

interface AppOptions extends Omit<SojournStoreOptions, 'sessions'> {
  readonly session?: Partial<SessionOptions>
}

/** An Express app in front of a region: each route under its path. */
export const serve = async (sessions: SessionApi, routes: Record<string, RequestHandler>, options: AppOptions = {}) => {
  const { session: sessionOptions, ...storeOptions } = options
  const errors: unknown[] = []
  const app = express()
  app.use(
    session({
      name: 'sid',
      secret: 'signs the cookies of the tests',
      store: new SojournStore({ sessions, ...storeOptions }),
      resave: false,
      saveUninitialized: false,
      ...sessionOptions,
    }),
  )
  for (const [path, route] of Object.entries(routes)) app.get(path, route)
  app.use((error: unknown, _req: Request, res: Response, next: NextFunction) => {
    errors.push(error)
    if (res.headersSent) next(error)
    else res.status(500).json({ error: String(error) })
  })
  const server: Server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, errors }
}

export const show: RequestHandler = (req, res) =>
  void res.json({ ...req.session, id: req.sessionID, cookie: undefined })
export const login: RequestHandler = (req, res) => {
  req.session.user = 'ada'
  res.json({ id: req.sessionID })
}
export const view: RequestHandler = (req, res) => {
  req.session.views = (req.session.views ?? 0) + 1
  res.json({})
}

/** Opens for all once `count` wait at it. */
export const gate = (count: number) => {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  let waiting = 0
  return () => {
    if (++waiting === count) open()
    return opened
  }
}

/** A request that has read the session and waits until the test lets it go on. */
export const pause = () => {
  let go = () => {}
  let arrived = () => {}
  const gone = new Promise<void>((resolve) => {
    go = resolve
  })
  const here = new Promise<void>((resolve) => {
    arrived = resolve
  })
  return {
    arrived: here,
    go: () => go(),
    wait: () => {
      arrived()
      return gone
    },
  }
}

/**
 * A browser begins a session at the first path; its request to the second one waits at `slow` with what it read, until one to the third has
 * been answered.
 */
export const overtake = async (
  url: string,
  slow: ReturnType<typeof pause>,
  [begin, late, between]: readonly string[],
) => {
  const browser = new Browser()
  await browser.json('GET', `${url}${begin}`)
  const lateAnswer = browser.copy().json('GET', `${url}${late}`)
  await slow.arrived
  await browser.copy().json('GET', `${url}${between}`)
  slow.go()
  return { browser, lateAnswer: await lateAnswer }
}

/** Whoever logs in is known while the idle timeout runs, and from each use on again; after it, no more. */
export const expectIdleTimeout = async (url: string, clock: SteppedClock, idleMs: number): Promise<void> => {
  const browser = new Browser()
  await browser.json('GET', `${url}/login`)
  clock.advance(0.8 * idleMs)
  expect(await browser.json('GET', url)).toMatchObject({ user: 'ada' })
  clock.advance(1.2 * idleMs)
  expect((await browser.json('GET', url)).user).toBeUndefined()
}
