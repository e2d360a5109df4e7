/** Logs in to an app as many people do, and looks whether the app knows them later. */
import { type SessionData, sessionData } from './session-data.js'
import { forEachOf } from './subject.js'

const CONCURRENCY = 64

const call = async (url: string, method: string, cookie?: string): Promise<Response> => {
  const response = await fetch(url, { method, headers: cookie === undefined ? {} : { cookie } })
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status}: ${await response.text()}`)
  return response
}

/** Makes the sessions 0, 1, 2, … below `count`, and returns their cookies. */
export const logIn = async (url: string, count: number): Promise<string[]> => {
  const cookies: string[] = []
  await forEachOf(count, CONCURRENCY, async (index) => {
    const response = await call(`${url}/login/${index}`, 'POST')
    await response.arrayBuffer()
    const [cookie] = response.headers.getSetCookie()
    if (cookie === undefined) throw new Error(`${url}/login/${index}: no cookie was set`)
    cookies[index] = cookie.split(';')[0]!
  })
  if (new Set(cookies).size !== count) throw new Error(`${url}: ${count} logins did not give ${count} sessions`)
  return cookies
}

/**
 * That a session holds what its login put there, but for the one field that requests change, and that a request changes that.
 * @param cookies of the sessions 0, 1, 2, …
 */
export const checkSessions = async (url: string, cookies: readonly string[], some: number): Promise<void> => {
  const step = Math.max(1, Math.floor(cookies.length / some))
  for (let index = 0; index < cookies.length; index += step) {
    const read = async () => (await (await call(`${url}/session`, 'GET', cookies[index])).json()) as SessionData
    const before = await read()
    await (await call(`${url}/write`, 'POST', cookies[index])).arrayBuffer()
    const after = await read()
    const expected = { ...sessionData(index), lastPath: after.lastPath }
    const isSame = Object.entries(expected).every(
      ([name, value]) => JSON.stringify(after[name as keyof SessionData]) === JSON.stringify(value),
    )
    if (!isSame || after.lastPath === before.lastPath)
      throw new Error(`${url}: session ${index} does not hold what was written to it`)
  }
}
