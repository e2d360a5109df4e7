/** Lists what shows now of all that is held here. */
import type { SessionKey, StoredSession } from '@sojourn/core/internal'
import { expiresAt } from '@sojourn/core/internal'
import type { Runtime } from './runtime.js'

/** Records that a listing reads before others run. */
const RECORDS_A_TURN = 64

/** Every session, with its data. */
export const listSessions = async function* ({ store, settings, subjects }: Runtime): AsyncIterable<StoredSession> {
  const { clock } = settings.ports
  let count = 0
  for (const keys of store.index.keys())
    for (const key of keys) {
      if (++count % RECORDS_A_TURN === 0) await new Promise<void>((resolve) => clock.soon(resolve))
      const reading = await store.peek(key)
      if (reading.state !== 'held' || !subjects.shows(key, reading.record, clock.now())) continue
      const { createdAt } = reading.record.limit
      yield { key, data: store.viewOf(reading)!.data, createdAt, expiresAt: expiresAt(reading.record) }
    }
}

/** The keys of a slice that show now. */
export const keysAlive = async ({ store, settings, subjects }: Runtime, slice: number): Promise<SessionKey[]> => {
  const alive: SessionKey[] = []
  for (const keys of store.index.keys(slice))
    for (const key of keys) {
      const reading = await store.peek(key)
      if (reading.state === 'held' && subjects.shows(key, reading.record, settings.ports.clock.now())) alive.push(key)
    }
  return alive
}
