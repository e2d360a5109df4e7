/** How fast a process that holds a replica verifies tokens of its sessions: those that it remembers, and those that it sees first. */
import { generateKeyPairSync } from 'node:crypto'
import { join } from 'node:path'
import { sessionTokens } from '@sojourn/identity'
import { openReplica } from '@sojourn/replica'
import type { Findings, Measure, Run } from './findings.js'
import { drive } from './load.js'
import { namesOf } from './names.js'
import { CONCURRENCIES } from './plan.js'
import { speedOf, takeTurns } from './turns.js'

/** Tokens that are in use at one time. */
const TOKENS = 5_000

export const tokens = async (run: Run): Promise<Findings> => {
  const { plan } = run
  run.say('tokens')
  const location = join(run.directory, 'tokens')
  const sessions = await openReplica({ region: 'eu', location, secret: 'a secret of the bench, and of nothing else' })
  try {
    const { privateKey } = generateKeyPairSync('ed25519')
    const options = { sessions, issuer: 'https://shop.example', audience: 'api', ttl: '1h' } as const
    const keys = { active: 'bench', keys: [{ kid: 'bench', privateKey }] }
    const remembering = sessionTokens({ ...options, keys })
    // It has room for two, so that it sees each token anew.
    const forgetful = sessionTokens({ ...options, keys, limits: { maxRememberedTokens: 2 } })
    const issued: Buffer[] = []
    for (let count = 0; count < Math.min(plan.sessions, TOKENS); count++) {
      const { id } = await sessions.create({}, { subject: `user ${count}` })
      issued.push(Buffer.from(await remembering.issue(id)))
    }
    // As a request brings it: a string that nobody has hashed yet.
    const any = () => issued[Math.floor(Math.random() * issued.length)]!.toString('latin1')
    for (const token of issued) await remembering.verify(token.toString('latin1'))

    const operations = { remembered: () => remembering.verify(any()), first: () => forgetful.verify(any()) }
    const measures: Measure[] = []
    const names = namesOf(plan)
    for (const concurrency of CONCURRENCIES)
      for (const [kind, operation] of Object.entries(operations)) {
        const lasts = (wanted: number) => (_count: number, ms: number) => ms >= wanted
        const player = {
          warmUp: () => drive(operation, concurrency, lasts(plan.warmUpMs)),
          run: () => drive(operation, concurrency, lasts(plan.roundMs)),
          settle: async () => 0,
        }
        const [played] = await takeTurns(run, [player], plan.rounds)
        const { perSecond, rounds, cpuUsPerOperation } = speedOf(played!.rounds)
        measures.push({
          name: kind === 'remembered' ? names.remembered(concurrency) : `tokens verified, seen first, c=${concurrency}`,
          value: perSecond,
          unit: '/s',
          detail: `${issued.length} tokens by EdDSA, an embedded replica; ${cpuUsPerOperation.toFixed(1)} µs of CPU each; rounds: ${rounds.map(Math.round).join(', ')}`,
        })
      }
    return { rows: [], measures }
  } finally {
    await sessions.close()
  }
}
