/** The browsers: autocannon in a process of its own, so that it shares no event loop with the app. */
import autocannon from 'autocannon'
import { checkSessions, logIn } from './browsers.js'
import { answerCalls } from './calls.js'
import type { Round } from './load.js'

/** How often autocannon looks whether its time is over, in milliseconds. */
const LOOK_MS = 20

/** What the app answers where it knows the session: who is logged in. */
const KNOWN = /^u-\d{7}$/

let url = ''
let cookies: readonly string[] = []

/** What is sent. */
export interface Volley {
  readonly name: 'read' | 'write'
  readonly connections: number
  readonly durationMs: number
}

/** Each connection has sessions of its own, one request after the other, and begins anywhere among them. */
const requestsOf = ({ name, connections }: Volley, connection: number): autocannon.Request[] => {
  const own = cookies.filter((_, index) => index % connections === connection)
  const from = Math.floor(Math.random() * own.length)
  const method = name === 'read' ? 'GET' : 'POST'
  return [...own.slice(from), ...own.slice(0, from)].map((cookie) => ({
    method,
    path: `/${name}`,
    headers: { cookie },
  }))
}

const refusals = ({ errors, timeouts, mismatches, non2xx }: autocannon.Result): string[] =>
  Object.entries({ errors, timeouts, mismatches, 'answers other than 2xx': non2xx }).flatMap(([what, count]) =>
    count > 0 ? [`${count} ${what}`] : [],
  )

/** @throws where a request was not answered, or not as somebody who is logged in is answered */
const fire = (volley: Volley): Promise<Pick<Round, 'count' | 'ms'>> =>
  new Promise((resolve, reject) => {
    let connection = 0
    let count = 0
    let start = 0
    let last = 0
    const instance = autocannon(
      {
        url,
        connections: volley.connections,
        duration: volley.durationMs / 1_000,
        sampleInt: LOOK_MS,
        setupClient: (client) => client.setRequests(requestsOf(volley, connection++)),
        verifyBody: (body) => KNOWN.test(String(body)),
      },
      (error, result) => {
        const refused = error ? [String(error)] : refusals(result)
        if (refused.length > 0) reject(new Error(`${volley.name}, c=${volley.connections}: ${refused.join(', ')}`))
        else resolve({ count, ms: last - start })
      },
    )
    instance.on('start', () => {
      start = performance.now()
    })
    instance.on('response', () => {
      count++
      last = performance.now()
    })
  })

const methods = {
  /** Logs in so many. */
  async logIn(app: string, count: number): Promise<void> {
    url = app
    cookies = await logIn(app, count)
  },
  fire,
  check: (some: number): Promise<void> => checkSessions(url, cookies, some),
}

export type CannonMethods = typeof methods

answerCalls(methods)
