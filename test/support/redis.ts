/** A real redis-server for a test, on a free port, that keeps nothing. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { createClient } from 'redis'
import { until } from './until.js'

export const hasRedis = spawnSync('redis-server', ['--version']).status === 0

const connect = (port: number) => createClient({ url: `redis://127.0.0.1:${port}` })

export interface Redis extends AsyncDisposable {
  readonly port: number
  readonly client: ReturnType<typeof connect>
}

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

export const startRedis = async (): Promise<Redis> => {
  const port = await freePort()
  const child = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', ''])
  let output = ''
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  await until(
    () => output.includes('Ready to accept connections'),
    () => `redis-server to be ready: ${output}`,
  )
  const client = connect(port)
  await client.connect()
  return {
    port,
    client,
    async [Symbol.asyncDispose]() {
      client.destroy()
      const closed = once(child, 'close')
      child.kill('SIGKILL')
      await closed
    },
  }
}
