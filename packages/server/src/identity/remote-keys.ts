/** The keys of an issuer, from the address where it publishes them: asked for seldom, and within bounds. */
import { type Clock, isSojournError, SojournError } from '@sojourn/core/internal'
import { type Jwks, readIssuerKeys } from '@sojourn/identity'
import { askHttp, parseJson, readBody } from '@sojourn/net'

/** How long the keys are used before they are asked for anew, milliseconds. */
const FRESH_MS = 600_000
/** How long it is not asked again, whatever tokens name, milliseconds. */
const COOLDOWN_MS = 10_000
/** How long the last keys go on where the issuer gives none, milliseconds. */
const STALE_MS = 86_400_000

export interface RemoteKeysOptions {
  readonly url: URL
  readonly option: string
  readonly clock: Clock
  readonly maxBytes: number
  readonly timeoutMs: number
  /** The keys were asked for. */
  readonly asked: (error?: SojournError) => void
}

/** One request at a time, and one in ten seconds. */
export class RemoteKeys {
  readonly #options: RemoteKeysOptions
  #held: { readonly jwks: Jwks; readonly text: string; readonly at: number } | undefined
  #asking: Promise<void> | undefined
  #askedAt = Number.NEGATIVE_INFINITY

  constructor(options: RemoteKeysOptions) {
    this.#options = options
  }

  /**
   * The keys as they were lately.
   * @param asked `fresh`: a token names one that is not among them
   * @throws UNAVAILABLE where there are none
   */
  async get({ fresh }: { readonly fresh: boolean }): Promise<Jwks> {
    const { clock, option } = this.#options
    const now = clock.monotonic()
    const isDue = fresh || this.#held === undefined || now - this.#held.at >= FRESH_MS
    if (isDue && (this.#asking !== undefined || now - this.#askedAt >= COOLDOWN_MS)) await this.#ask()
    if (this.#held !== undefined && clock.monotonic() - this.#held.at < STALE_MS) return this.#held.jwks
    throw new SojournError('UNAVAILABLE', `the keys of the issuer (${option}) cannot be had. Try again later`)
  }

  #ask(): Promise<void> {
    this.#askedAt = this.#options.clock.monotonic()
    this.#asking ??= this.#take().finally(() => {
      this.#asking = undefined
    })
    return this.#asking
  }

  async #take(): Promise<void> {
    const { clock, asked } = this.#options
    try {
      const text = await this.#request()
      // The same set stays the same object, so that it is not read anew.
      this.#held = {
        jwks: this.#held?.text === text ? this.#held.jwks : this.#parse(text),
        text,
        at: clock.monotonic(),
      }
      asked()
    } catch (error) {
      asked(
        isSojournError(error) ? error : new SojournError('UNAVAILABLE', `no answer of the issuer (${codeOf(error)})`),
      )
    }
  }

  #parse(text: string): Jwks {
    const jwks = parseJson(text, 'the answer of the issuer')
    readIssuerKeys(jwks, this.#options.option)
    return jwks as Jwks
  }

  async #request(): Promise<string> {
    const { url, clock, timeoutMs, maxBytes } = this.#options
    const path = `${url.pathname}${url.search}`
    const origin = new URL(url.origin)
    const asking = askHttp(origin, { method: 'GET', path, headers: { accept: 'application/json' }, timeoutMs })
    let give: () => void
    const late = new Promise<never>((_, reject) => {
      give = () => reject(new SojournError('TIMEOUT', `the issuer did not answer within ${timeoutMs} ms`))
    })
    const timer = clock.after(timeoutMs, () => {
      give()
      asking.then(
        (answer) => answer.destroy(),
        () => {},
      )
    })
    try {
      const answer = await Promise.race([asking, late])
      if (answer.statusCode !== 200) {
        answer.destroy()
        throw new SojournError('UNAVAILABLE', `the issuer answered with the status ${answer.statusCode}`)
      }
      return await Promise.race([readBody(answer, maxBytes), late])
    } finally {
      timer.cancel()
      asking.catch(() => {})
    }
  }
}

/** What the system calls it: `ECONNREFUSED`, or a sentence of ours. */
const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? (error as Error).message
