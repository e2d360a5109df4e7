/** The parts of a server: in which order they start and stop, and what becomes of one that cannot. */
import { describe, expect, it } from 'vitest'
import { type Part, startParts } from '../../packages/server/src/part.js'

const NEVER = new Promise<void>(() => {})

/** Parts that note what becomes of them. */
const house = () => {
  const happened: string[] = []
  const part = (name: string, more: Partial<Part> = {}): Part => ({
    name,
    async start() {
      await more.start?.()
      happened.push(`${name} starts`)
    },
    async stop() {
      happened.push(`${name} stops`)
      await more.stop?.()
    },
  })
  return { happened, part }
}

const fails = (why: string) => () => Promise.reject(new Error(why))

describe('[SRV-7] the parts of a server', () => {
  it('start in order, and stop in the reverse one', async () => {
    const { happened, part } = house()
    const running = await startParts([part('a'), part('b'), part('c')])
    expect(happened).toEqual(['a starts', 'b starts', 'c starts'])
    happened.length = 0
    expect(await running.stop(NEVER)).toBe('done')
    expect(happened).toEqual(['c stops', 'b stops', 'a stops'])
  })

  it('are stopped where a later one cannot start, whose error is thrown', async () => {
    const { happened, part } = house()
    const parts = [part('a'), part('b', { stop: fails('b stays') }), part('c', { start: fails('no port') }), part('d')]
    await expect(startParts(parts)).rejects.toThrow('no port')
    expect(happened).toEqual(['a starts', 'b starts', 'b stops', 'a stops'])
  })

  it('are all stopped where one fails to stop, whose error is thrown', async () => {
    const { happened, part } = house()
    const running = await startParts([part('a'), part('b', { stop: fails('the disk is full') }), part('c')])
    happened.length = 0
    await expect(running.stop(NEVER)).rejects.toThrow('the disk is full')
    expect(happened).toEqual(['c stops', 'b stops', 'a stops'])
  })

  it('are cut when the time is over, and then none is waited for', async () => {
    const { happened, part } = house()
    const running = await startParts([part('a'), part('b', { stop: () => NEVER }), part('c')])
    happened.length = 0
    let over = () => {}
    const stopping = running.stop(
      new Promise((resolve) => {
        over = resolve
      }),
    )
    over()
    expect(await stopping).toBe('cut')
    expect(happened).toEqual(['c stops', 'b stops', 'a stops'])
  })
})
