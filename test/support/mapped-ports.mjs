/** Loaded before a snippet: whatever port it listens on is a free one, and what it connects to is where the test says. */
import { appendFileSync } from 'node:fs'
import { Server, Socket } from 'node:net'

const ports = JSON.parse(process.env.TEST_PORTS ?? '{}')
// What a snippet runs for is over when it has run, although the test's channel is open.
process.channel?.unref()

const { listen } = Server.prototype
Server.prototype.listen = function mapped(first, ...rest) {
  const named = typeof first === 'object' && first !== null ? first.port : first
  this.once('listening', () => {
    const mapped = { named, actual: this.address().port }
    process.send?.(mapped)
    // Where a shell lies in between, there is no channel to the test.
    if (process.env.TEST_PORTS_FILE) appendFileSync(process.env.TEST_PORTS_FILE, `${JSON.stringify(mapped)}\n`)
  })
  return listen.call(this, typeof first === 'object' && first !== null ? { ...first, port: 0 } : 0, ...rest)
}

const { connect } = Socket.prototype
Socket.prototype.connect = function mapped(...args) {
  // Node hands on what was normalized: [[options, callback]].
  const options = Array.isArray(args[0]) ? args[0][0] : args[0]
  if (typeof options?.port === 'undefined') return connect.apply(this, args)
  const port = ports[options.port]
  Object.assign(options, { host: '127.0.0.1', port: port ?? 1 })
  return connect.apply(this, args)
}
