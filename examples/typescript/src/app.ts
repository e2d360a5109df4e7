/** The session API without a framework: a server of node:http that keeps a cart for each cookie. */
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { isSojournError, openReplica, type Session, type SessionApi } from 'sojourn'

type Shop = { cart: Record<string, number>; views: number }

const COOKIE = 'sid'

const idOf = (request: IncomingMessage): string | undefined =>
  request.headers.cookie?.match(new RegExp(`(?:^|; )${COOKIE}=([\\w.-]+)`))?.[1]

/** The session of the cookie, or a new one. Whoever comes with an id that no live session has gets another one. */
const sessionOf = async (sessions: SessionApi, request: IncomingMessage): Promise<Session<Shop>> => {
  const id = idOf(request)
  const session = id === undefined ? undefined : await sessions.get<Shop>(id)
  return session ?? sessions.create<Shop>({ cart: {}, views: 0 })
}

const answer = async (
  sessions: SessionApi,
  request: IncomingMessage,
): Promise<[session: Session<Shop>, body: object]> => {
  const found = await sessionOf(sessions, request)
  const { id } = found
  const item = request.url?.match(/^\/cart\/(\w+)$/)?.[1]
  if (request.method === 'POST' && request.url === '/logout') {
    await sessions.end(id, { reason: 'logout' })
    return [found, {}]
  }
  if (request.method === 'POST' && item !== undefined) {
    const session = await sessions.update<Shop>(id, (draft) => {
      draft.cart[item] = 1
    })
    return [session, { cart: session.data.cart }]
  }
  const session = await sessions.increment<Shop>(id, '/views')
  return [session, session.data]
}

const main = async (): Promise<void> => {
  const sessions = await openReplica({ region: 'eu', location: './data/eu' })
  const server = createServer((request, response) => {
    answer(sessions, request).then(
      ([session, body]) => {
        response.setHeader('set-cookie', `${COOKIE}=${session.id}; HttpOnly; SameSite=Lax; Path=/`)
        response.end(JSON.stringify(body))
      },
      (error: unknown) => {
        // It ended while the request ran, or the store cannot answer now.
        response.statusCode = isSojournError(error, 'SESSION_NOT_FOUND') ? 409 : 503
        response.end(JSON.stringify({ error: isSojournError(error) ? error.code : 'unknown' }))
      },
    )
  })
  server.listen(Number(process.env.PORT ?? 3000), () => {
    console.log(`eu http://localhost:${(server.address() as AddressInfo).port}`)
  })
  process.once('SIGTERM', () => server.close(() => void sessions.close()))
}

await main()
