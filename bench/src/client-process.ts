import { connect } from '@sojourn/client'
import type { SessionApi } from '@sojourn/core'
import { answerCalls } from './calls.js'
import { CpuProfile, type SelfTime } from './cpu-profile.js'
import { drive, type Round } from './load.js'
import { ReplicaSubject } from './replica-subject.js'
import type { OperationName } from './subject.js'

/** The process that uses a server, as an app does. It stands where the user of Redis stands, so that both pay for their clients alike. */
let subject: ReplicaSubject
const profile = new CpuProfile()

const methods = {
  async connect(url: string, nearCache: boolean): Promise<void> {
    const client = await connect({ url, nearCache })
    // Data is decoded when it is read; whoever gets a session reads it, as the user of Redis parses it.
    const get: SessionApi['get'] = async (id, options) => {
      const session = await client.get(id, options)
      void session?.data
      return session as never
    }
    subject = new ReplicaSubject(
      new Proxy(client, {
        get: (target, name) => {
          if (name === 'get') return get
          const value: unknown = Reflect.get(target, name, target)
          return typeof value === 'function' ? value.bind(target) : value
        },
      }),
    )
  },
  seed: (count: number): Promise<string[]> => subject.seed(count),
  adopt: (ids: readonly string[]): void => subject.adopt(ids),
  renewAll: (): Promise<void> => subject.renewAll(),
  readAll: (): Promise<void> => subject.readAll(),
  run: (operation: OperationName, concurrency: number, durationMs: number): Promise<Round> =>
    drive(subject.operations[operation], concurrency, (_count, ms) => ms >= durationMs),
  startProfile: (): Promise<void> => profile.start(),
  stopProfile: (path: string): Promise<SelfTime[]> => profile.stop(path),
}

export type ClientMethods = typeof methods

answerCalls(methods)
