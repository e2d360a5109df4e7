import { connect } from '@sojourn/client'
import type { AtOnce, SessionApi } from '@sojourn/core/internal'
import type { Replica } from '@sojourn/replica'
import { listenForClients, type TokenBook } from '@sojourn/server'

/** Everybody may do everything. */
export const ANYBODY: TokenBook = { check: () => ({ name: 'anybody', scope: 'admin' }) }

const SESSION_API: readonly Exclude<keyof SessionApi, 'answersWithinMs'>[] = [
  'create',
  'get',
  'update',
  'replace',
  'increment',
  'touch',
  'end',
  'elevate',
  'rotate',
  'sessionsOf',
  'isLive',
  'endHandle',
  'endOthers',
  'endSubject',
  'sessions',
  'lifetimes',
  'count',
  'endAll',
]

/** What a client does not offer: nobody has an answer of another process at once. */
const AT_ONCE: readonly (keyof AtOnce)[] = ['getNow', 'touchNow', 'replaceNow']

let isOverTheNetwork = false

/** From now on, in this test file, every region is called over a socket: the tests of the session API hold for the client, too. */
export const callOverTheNetwork = (): void => {
  isOverTheNetwork = true
}

/** Whether tests call the replica itself: what is about opening and closing one has nothing to do with a client. */
export const isEmbedded = (): boolean => !isOverTheNetwork

/** What a test calls: the replica; or it, with the session API answered by a client that is connected to it. */
export const door = async (replica: Replica): Promise<Replica> => {
  if (!isOverTheNetwork) return replica
  const listener = await listenForClients({ replica, tokens: ANYBODY, listen: { port: 0 } })
  const client = await connect({ url: `ws://127.0.0.1:${listener.address.port}`, timeout: '20s' })
  const close = async () => {
    await client.close()
    await listener.close()
    await replica.close()
  }
  const calls = new Map<string | symbol, unknown>([
    ...SESSION_API.map((name) => [name, client[name].bind(client)] as const),
    ...AT_ONCE.map((name) => [name, undefined] as const),
    ['close', close],
    [Symbol.asyncDispose, close],
  ])
  return new Proxy(replica, {
    get(target, name) {
      if (calls.has(name)) return calls.get(name)
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
