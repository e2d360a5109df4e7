import { openReplica, type ReplicaOptions } from '@sojourn/replica'
import { listenForClients } from '@sojourn/server'
import { answerCalls } from './calls.js'
import { CpuProfile, type SelfTime } from './cpu-profile.js'

const profile = new CpuProfile()

/** A region that serves clients, in a process of its own, as `sojourn serve` does. */
const methods = {
  /** Returns where clients connect. */
  async open(options: ReplicaOptions): Promise<string> {
    const replica = await openReplica(options)
    replica.on('fault', ({ code, message }) => process.stderr.write(`${options.region}: ${code}: ${message}\n`))
    const tokens = { check: () => ({ name: 'bench', scope: 'write' as const }) }
    const { address } = await listenForClients({ replica, tokens, listen: { port: 0 } })
    return `ws://${address.host}:${address.port}`
  },
  startProfile: (): Promise<void> => profile.start(),
  stopProfile: (path: string): Promise<SelfTime[]> => profile.stop(path),
}

export type ServerMethods = typeof methods

answerCalls(methods)
