/** Which page made a request, by what browsers say of it: a check of writes that needs no token. */
import { SojournError, settingsReader } from '@sojourn/core/internal'
import type { CheckOriginOptions } from './options.generated.js'
import { ORIGIN_OPTIONS } from './options.js'

/** Headers as Node.js has them, with names in lower case, or as the Fetch standard has them. */
export type RequestHeaders =
  | { get(name: string): string | null }
  | { readonly [name: string]: string | readonly string[] | undefined }

/** What is looked at of a request. Middleware that lets a form name another method must come after the check. */
export interface WrittenRequest {
  readonly method?: string | undefined
  readonly headers: RequestHeaders
}

/**
 * Why a request may go on: its method writes nothing; a page of this origin made it; the user made it, by the address bar or a bookmark; a
 * page of a listed origin made it; or it names none, which `withoutOrigin` allows.
 */
export type OriginVerdict = 'safe-method' | 'same-origin' | 'user' | 'listed-origin' | 'no-origin'

/** Why it may not. */
export type OriginReason = 'cross-site' | 'same-site' | 'unlisted-origin' | 'no-origin'

/** RFC 9110: they are for reading. Methods are told apart by case. */
const SAFE_METHODS = ['GET', 'HEAD', 'OPTIONS', 'TRACE']

const read = settingsReader(ORIGIN_OPTIONS, 'checkOrigin')

/**
 * Refuses a write that a page of another site makes: by `Sec-Fetch-Site`, which browsers send over HTTPS and scripts cannot set,
 * and where that is missing by `Origin`.
 *
 * @example
 * checkOrigin(request, { origins: ['https://shop.example'] }) // 'same-origin'
 * @throws CSRF_REFUSED, with `reason`: cross-site, same-site, unlisted-origin or no-origin; INVALID_OPTION
 */
export const checkOrigin = (request: WrittenRequest, options: CheckOriginOptions): OriginVerdict => {
  const { origins, withoutOrigin } = read(options)
  if (SAFE_METHODS.includes(request.method ?? '')) return 'safe-method'
  const site = headerOf(request.headers, 'sec-fetch-site')
  if (site === 'same-origin') return 'same-origin'
  if (site === 'none') return 'user'
  const origin = headerOf(request.headers, 'origin')
  if (origin !== undefined && origins.some((listed) => new URL(listed).origin === origin)) return 'listed-origin'
  if (site === 'cross-site' || site === 'same-site')
    throw refusal(site, `a ${site} page made the request. Add its origin to origins, if it may write`)
  if (origin !== undefined)
    throw refusal(
      'unlisted-origin',
      'a page of an unlisted origin made the request. Add it to origins, if it may write',
    )
  if (withoutOrigin === 'allow') return 'no-origin'
  throw refusal(
    'no-origin',
    "the request names no site and no origin, as those of browsers do. Set withoutOrigin to 'allow' for other programs",
  )
}

const refusal = (reason: OriginReason, what: string): SojournError => new SojournError('CSRF_REFUSED', what, { reason })

/** A header that came twice is joined, as HTTP reads it, and so is none that anybody expects. */
const headerOf = (headers: RequestHeaders, name: string): string | undefined => {
  if (typeof headers.get === 'function') return headers.get(name) ?? undefined
  const value = (headers as { readonly [name: string]: string | readonly string[] | undefined })[name]
  return Array.isArray(value) ? value.join(', ') : (value as string | undefined)
}
