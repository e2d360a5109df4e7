import { ByteWriter } from '@sojourn/core/internal'
import {
  CLIENT_DIALECT,
  CLIENT_MAGIC,
  CLIENT_PROTOCOL,
  encodeData,
  type FromClient,
  type FromServer,
  type Join,
  readFromServer,
  speechOf,
  writeFromClient,
} from '@sojourn/wire'
import { expect } from 'vitest'
import { WebSocket } from 'ws'
import { hex } from './hostile-peer.js'
import type { Served } from './serve.js'
import { until } from './until.js'

export const MAX_FRAME_BYTES = 64 * 1024 * 1024

export const frame = (...said: FromClient[]): Uint8Array => {
  const out = new ByteWriter()
  for (const message of said) writeFromClient(out, message)
  return out.finish()
}

/** The data of a session that holds nothing. */
export const NOTHING = encodeData({})

/** The other end of a client's connection, in the hands of a test. */
export class Caller {
  readonly socket: WebSocket
  readonly heard: FromServer[] = []
  ended: string | undefined

  constructor(url: string, protocol = CLIENT_PROTOCOL) {
    this.socket = new WebSocket(url, protocol, { perMessageDeflate: false })
    this.socket.on('error', () => {})
    this.socket.on('message', (data: Buffer) => this.heard.push(...readFromServer(data, MAX_FRAME_BYTES)))
    this.socket.on('close', (_code, reason) => {
      this.ended = reason.toString()
    })
  }

  async open(): Promise<this> {
    await until(() => this.socket.readyState === WebSocket.OPEN || this.ended !== undefined, 'the connection')
    return this
  }

  say(...said: FromClient[]): void {
    this.socket.send(frame(...said))
  }

  async hears<T extends FromServer['type']>(type: T): Promise<FromServer & { type: T }> {
    return (await until(
      () => this.heard.find((message) => message.type === type),
      () => `${type}; the connection ${this.ended === undefined ? 'stands' : `ended: ${this.ended}`}`,
    )) as FromServer & { type: T }
  }

  async isRefused(code: string): Promise<void> {
    await until(() => this.ended !== undefined, `the connection to be refused with ${code}`)
    expect(this.ended).toMatch(new RegExp(`^${code}`))
  }
}

export const join = (more: Partial<Join> = {}): Join => ({
  type: 'join',
  magic: CLIENT_MAGIC,
  ...speechOf(CLIENT_DIALECT),
  client: hex(16),
  token: 'any',
  ...more,
})

export const joined = async (url: string, more: Partial<Join> = {}): Promise<Caller> => {
  const caller = await new Caller(url).open()
  caller.say(join(more))
  await caller.hears('welcome')
  return caller
}

export const direct = ({ listener }: Served): string => `ws://127.0.0.1:${listener.address.port}`
