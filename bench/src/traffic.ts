import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** Passes connections on to ports of this machine, and counts their bytes by who sent them to whom. */
export class Traffic {
  readonly #servers: Server[] = []
  readonly #bytes = new Map<string, number>()

  /** A port that leads to `port`. */
  async lead(port: number, from: string, to: string): Promise<number> {
    const server = createServer((near) => {
      const far = connect(port, '127.0.0.1')
      this.#pass(near, far, `${from} ${to}`)
      this.#pass(far, near, `${to} ${from}`)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    this.#servers.push(server)
    return (server.address() as AddressInfo).port
  }

  #pass(source: Socket, sink: Socket, way: string): void {
    source.setNoDelay(true)
    source.on('data', (chunk) => {
      this.#bytes.set(way, (this.#bytes.get(way) ?? 0) + chunk.length)
      sink.write(chunk)
    })
    source.on('close', () => sink.destroy())
    source.on('error', () => sink.destroy())
  }

  sent(from: string, to: string): number {
    return this.#bytes.get(`${from} ${to}`) ?? 0
  }

  close(): void {
    for (const server of this.#servers) server.close()
  }
}
