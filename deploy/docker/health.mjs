// Asks a process of this container whether it is well; ends with 0 where it is. HEALTH_URL is what is asked.
// By HTTPS, the certificate is not looked at: it is made out for the names by which others know this process.
import { get as getPlain } from 'node:http'
import { get as getSecure } from 'node:https'

const url = new URL(process.env.HEALTH_URL || `http://127.0.0.1:${process.env.SOJOURN_ADMIN_PORT || 7402}/livez`)
const get = url.protocol === 'https:' ? getSecure : getPlain

const request = get(url, { timeout: 4_000, rejectUnauthorized: false }, (response) => {
  response.resume()
  if (response.statusCode !== 200) console.error(`${url} answers ${response.statusCode}`)
  process.exitCode = response.statusCode === 200 ? 0 : 1
})
request.on('timeout', () => request.destroy(new Error('silent')))
request.on('error', ({ message }) => {
  console.error(`${url}: ${message}`)
  process.exitCode = 1
})
