/** What an unauthenticated caller, or a web page in an operator's browser, can say to the admin listener. */
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { type Flags, type Server, startServer, TOKENS } from '../support/servers.js'

const started = async (flags: Flags = {}) => {
  const server = await startServer('eu', ':memory:', { flags })
  return Object.assign(server, { [Symbol.asyncDispose]: () => server.stop().then(() => {}) })
}

/** Says something over TCP, and gives what is answered until the other side closes. */
const say = (server: Server, text: string | Buffer, port = server.status().listeners.admin!.port): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    let heard = ''
    socket.on('data', (chunk) => {
      heard += chunk.toString('latin1')
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(heard))
    socket.write(text)
  })

const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1])

/** The first line and headers of a request, after which the server closes. */
const request = (line: string, ...headers: string[]) =>
  `${[line, 'Host: localhost', 'Connection: close', ...headers].join('\r\n')}\r\n\r\n`

describe('[ADM-5] what is no well-formed request', () => {
  const malformed: [what: string, text: string | Buffer][] = [
    ['a target that is no URL', request('GET //[ HTTP/1.1')],
    ['a target that names another host', request('GET //evil.example/status HTTP/1.1')],
    ['the same, as browsers read it', request('GET /\\evil.example/status HTTP/1.1')],
    ['an absolute target', request('GET http://evil.example/status HTTP/1.1')],
    ['one of another scheme', request('GET javascript:alert(1) HTTP/1.1')],
    ['no path', request('OPTIONS * HTTP/1.1')],
    ['an empty target', request('GET  HTTP/1.1')],
    ['a method that is none', request('G@T /status HTTP/1.1')],
    ['another version', request('GET /status HTTP/9.9')],
    ['no host', 'GET /status HTTP/1.1\r\nConnection: close\r\n\r\n'],
    ['a header without a name', request('GET /status HTTP/1.1', ': x')],
    ['a header with a control character', request('GET /status HTTP/1.1', 'X-A: \u0001\u0000')],
    ['two lengths', request('POST /session HTTP/1.1', 'Content-Length: 1', 'Content-Length: 2')],
    ['a length that is none', request('POST /session HTTP/1.1', 'Content-Length: -1')],
    ['bytes', Buffer.from('160301020001000001fc0303', 'hex')],
  ]

  it('is answered with 400, and not logged', async () => {
    await using server = await started()
    const before = server.log.length
    for (const [what, text] of malformed) expect(statusOf(await say(server, text)), what).toBe(400)
    const wellFormed: [text: string, status: number][] = [
      [request('GET /%zz HTTP/1.1'), 404],
      [request('BREW /status HTTP/1.1'), 400],
      [request('DELETE /status HTTP/1.1'), 404],
      [request('GET /versions?slice=%zz&asOf=1 HTTP/1.1', `Authorization: Bearer ${TOKENS.admin}`), 400],
      [request('GET /digests HTTP/1.1', 'Authorization: Bearer \u00ff\u00fe'), 401],
      [request('GET /digests HTTP/1.1', 'Authorization: Basic YTpi'), 401],
      [request('GET /status HTTP/1.1', `X-Long: ${'x'.repeat(20_000)}`), 431],
    ]
    for (const [text, status] of wellFormed) expect(statusOf(await say(server, text)), text.slice(0, 60)).toBe(status)
    expect(server.log.slice(before)).toEqual([])
    expect((await server.ask('/livez')).status).toBe(200)
  })

  it('[HOST-15] an upgrade that nobody takes is a request as any other: it is answered, and holds up no stop', async () => {
    const server = await startServer('eu', ':memory:', { flags: { 'identity.port': '0', shutdownTimeout: '1h' } })
    const { admin, identity } = server.status().listeners
    const waiting: Promise<string>[] = []
    for (const { port } of [admin!, identity!])
      for (const upgrade of ['h2c', 'websocket']) {
        const asks = (connection: string) =>
          `GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: ${connection}\r\nUpgrade: ${upgrade}\r\n\r\n`
        waiting.push(say(server, asks('Upgrade'), port))
        expect(statusOf(await say(server, asks('Upgrade, close'), port))).toBe(404)
      }
    expect(await server.stop()).toBe('done')
    expect(server.log.at(-1)).toContain('"stopped"')
    for (const answer of waiting) expect(statusOf(await answer)).toBe(404)
  })

  it('says apart that no token was given, and that one is not known', async () => {
    await using server = await started()
    const why = async (token?: string) =>
      ((await (await server.ask('/digests', { token })).json()) as { error: { message: string } }).error.message
    expect(await why()).toBe(
      'TOKEN_REFUSED: the request has no token. Send one in the header `Authorization: Bearer <token>`',
    )
    expect(await why('nonsense')).toBe('TOKEN_REFUSED: the server does not know the token')
  })

  it('a HEAD of a backup reads no store', async () => {
    await using server = await started()
    const answer = await server.ask('/backup', { method: 'HEAD', token: TOKENS.admin })
    expect([answer.status, await answer.text()]).toEqual([200, ''])
  })
})

describe('[ADM-5] a name that leads to this machine', () => {
  const asks = async (server: Server, host: string, path = '/status', ...headers: string[]) =>
    statusOf(
      await say(
        server,
        `GET ${path} HTTP/1.1\r\n${[`Host: ${host}`, 'Connection: close', ...headers].join('\r\n')}\r\n\r\n`,
      ),
    )

  it('is answered on loopback without a token where it is one of this machine, or allowed', async () => {
    await using server = await started({ 'admin.allowedHosts': 'sojourn.test, Other.test' })
    const { port } = server.status().listeners.admin!
    for (const path of ['/status', '/metrics']) {
      for (const host of ['localhost', 'LOCALHOST', '127.0.0.1', '127.0.0.2', '[::1]', 'sojourn.test', 'other.test'])
        for (const each of [host, `${host}:${port}`]) expect(await asks(server, each, path), `${each}${path}`).toBe(200)
      for (const host of [
        'evil.example',
        `evil.example:${port}`,
        'localhost.evil.example',
        '127.0.0.1.evil.example',
        '127.evil.example',
        'sojourn.test.evil.example',
        'evil.example@localhost',
        '[::2]',
        '10.0.0.1',
      ])
        expect(await asks(server, host, path), `${host}${path}`).toBe(403)
    }
  })

  it('matters neither to a probe, nor where a token is shown, nor beyond loopback', async () => {
    await using server = await started()
    for (const path of ['/livez', '/readyz']) expect(await asks(server, 'evil.example', path), path).toBe(200)
    const token = `Authorization: Bearer ${TOKENS.read}`
    expect(await asks(server, 'evil.example', '/status', token)).toBe(200)
    await using open = await started({ 'admin.host': '0.0.0.0' })
    expect(await asks(open, 'sojourn-0.example', '/status', token)).toBe(200)
    expect(await asks(open, 'localhost')).toBe(401)
  })

  it('is refused, too, where a setting lets in anyone on loopback', async () => {
    await using server = await started({ 'admin.dangerouslyAllowAnyone': 'true' })
    expect(await asks(server, 'evil.example', '/backup')).toBe(403)
    expect(await asks(server, 'localhost', '/backup')).toBe(200)
  })
})
