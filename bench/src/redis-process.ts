import { answerCalls } from './calls.js'
import { drive, type Round } from './load.js'
import { RedisSubject } from './redis-subject.js'
import type { OperationName } from './subject.js'

/** The process that uses Redis. It stands where a region's process stands, so that both pay for their clients alike. */
let subject: RedisSubject

const methods = {
  connect(port: number): void {
    subject = new RedisSubject(port)
  },
  seed: async (count: number): Promise<void> => void (await subject.seed(count)),
  renewAll: (): Promise<void> => subject.renewAll(),
  updateAll: (): Promise<void> => subject.updateAll(),
  settled: (replicas: number): Promise<number> => subject.settled(replicas),
  run: (operation: OperationName, concurrency: number, durationMs: number): Promise<Round> =>
    drive(subject.operations[operation], concurrency, (_count, ms) => ms >= durationMs),
  info: (section: string, name: string): Promise<number> => subject.info(section, name),
}

export type RedisMethods = typeof methods

answerCalls(methods)
