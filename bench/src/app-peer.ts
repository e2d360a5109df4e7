/** An app server with a store, and who calls it: two processes. */
import type { AppMethods, AppStore } from './app-process.js'
import { Callee } from './calls.js'
import type { CannonMethods, Volley } from './cannon-process.js'
import type { Round } from './load.js'
import type { Region } from './regions.js'

export class AppPeer {
  readonly app: Callee<AppMethods>
  readonly #cannon: Callee<CannonMethods>
  readonly #store: AppStore

  constructor(name: string, store: AppStore) {
    this.#store = store
    this.app = new Callee<AppMethods>(`the app with ${name}`, './app-process.js')
    this.#cannon = new Callee<CannonMethods>(`autocannon of ${name}`, './cannon-process.js')
  }

  /** Starts the app, and logs in so many. */
  async open(sessions: number): Promise<void> {
    const url = await this.app.call('open', this.#store)
    await this.app.call('settled')
    await this.#cannon.call('logIn', url, sessions)
    await this.app.call('settled')
  }

  /** @throws where a request fails, or a session is not known */
  async fire(volley: Volley): Promise<Round> {
    await this.app.call('startRound')
    const { count, ms } = await this.#cannon.call('fire', volley)
    return { count, ms, ...(await this.app.call('endRound')) }
  }

  settle(): Promise<number> {
    return this.app.call('settled')
  }

  /** @throws where one of some sessions does not hold what was written to it */
  check(some: number): Promise<void> {
    return this.#cannon.call('check', some)
  }

  async end(): Promise<void> {
    await Promise.all([this.app.end(), this.#cannon.end()])
  }
}

/** An app server that embeds a region: the process that the region has of its own ends, and the app's opens it. */
export const embeddingPeer = async (name: string, region: Region): Promise<AppPeer> => {
  await region.process.end()
  return new AppPeer(name, { kind: 'sojourn', options: region.options() })
}
