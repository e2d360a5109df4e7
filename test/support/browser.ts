/** Sends requests as a browser does: with the cookies that it was given, whatever the port. */
export class Browser {
  readonly #cookies = new Map<string, string>()

  /** Another one that has the same cookies now. */
  copy(): Browser {
    const copy = new Browser()
    for (const [name, value] of this.#cookies) copy.#cookies.set(name, value)
    return copy
  }

  /** @param body what is sent as JSON */
  async request(method: string, url: string, body?: object): Promise<Response> {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const headers = { ...(cookie && { cookie }), ...(body && { 'content-type': 'application/json' }) }
    const response = await fetch(url, { method, headers, ...(body && { body: JSON.stringify(body) }) })
    for (const set of response.headers.getSetCookie()) {
      const [pair = ''] = set.split(';')
      const at = pair.indexOf('=')
      this.#cookies.set(pair.slice(0, at), pair.slice(at + 1))
    }
    return response
  }

  /** The body of an answer that must be a good one. */
  // biome-ignore lint/suspicious/noExplicitAny: what an answer holds is what the test checks.
  async json(method: string, url: string, body?: object): Promise<any> {
    const response = await this.request(method, url, body)
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${text}`)
    return JSON.parse(text)
  }
}
