import { connect } from '@sojourn/client'
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
    subject = new ReplicaSubject(await connect({ url, nearCache }))
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
