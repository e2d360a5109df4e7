/** The admin API: each route once, with who may ask, what is asked, and what is answered. */
import {
  END_REASONS,
  type EndReason,
  HANDLE_RULE,
  MAX_EXCEPT,
  MAX_ID_CHARS,
  SUBJECT_RULE,
} from '@sojourn/core/internal'
import { adminStatus, member } from './admin-status.js'
import {
  anything,
  call,
  checkJson,
  either,
  exactly,
  figure,
  flag,
  type JsonOf,
  type JsonShape,
  list,
  maybe,
  nothing,
  record,
  ruled,
  struct,
  text,
  whole,
  word,
} from './json.js'

/** Keys are listed, and compared from outside, in slices by their first byte. */
export const DIGEST_SLICES = 256

/** Why a session ends that somebody ends over the admin API, where nothing else is said. */
export const ADMIN_END_REASON: EndReason = 'revoked'

/** An answer in lines of JSON, which come as they are known. One that has `error` is the last, and is an {@link adminError}. */
export interface Lines<L> {
  readonly line: JsonShape<L>
}

export interface AdminRoute<Q = unknown, A = unknown> {
  readonly method: 'GET' | 'POST'
  readonly path: string
  /** What a token must allow. `read`: also whoever is on the server's machine; `open`: anyone, for a probe has no token. */
  readonly scope: 'open' | 'read' | 'admin'
  /** `GET`: in the query, whole numbers only. `POST`: the body, as JSON. */
  readonly request: JsonShape<Q>
  /** Whether the log names each call: what shows sessions, ends them, or changes the region. */
  readonly isLogged?: true
  /** As JSON; as lines of JSON that are streamed; or text, or bytes that are streamed. */
  readonly answer: JsonShape<A> | Lines<unknown> | 'text' | 'bytes'
}

const NONE = struct({})
const lines = <L>(line: JsonShape<L>): Lines<L> => ({ line })

const level = maybe(either(word('local', 'majority', 'all'), whole(), 'local, majority, all, or a number of regions'))
const ending = {
  /** How many regions must hold the end, or else the call fails. Default: the server's `consistency.write`. */
  write: level,
  /** Default: `revoked`. */
  reason: maybe(word(...END_REASONS)),
}

/** Who logged in, when and how. Times are milliseconds since the epoch. */
const login = {
  device: maybe(text()),
  auth: maybe(struct({ time: figure, acr: maybe(text()), amr: maybe(list(text())) })),
}

const receipt = struct({
  /** Sessions that were alive in the region that was asked, and are ended. */
  ended: whole(),
  /** A region with `pending` gets the end when it is linked. */
  regions: record(word('held', 'pending')),
})

export const ADMIN_ROUTES = {
  /** Whether the process lives. */
  livez: { method: 'GET', path: '/livez', scope: 'open', request: NONE, answer: 'text' },
  /** Whether requests should come here; with 503, why not, a reason a line. */
  readyz: { method: 'GET', path: '/readyz', scope: 'open', request: NONE, answer: 'text' },
  /** For Prometheus. */
  metrics: { method: 'GET', path: '/metrics', scope: 'read', request: NONE, answer: 'text' },
  status: { method: 'GET', path: '/status', scope: 'read', request: NONE, answer: adminStatus },
  /** A call of the session API. The id is in the request, and is not repeated in the answer. */
  session: {
    method: 'POST',
    path: '/session',
    scope: 'admin',
    isLogged: true,
    request: exactly({
      call: word('get', 'touch', 'end'),
      id: text(1, MAX_ID_CHARS),
      level,
      /** Of `end`. Default: `revoked`. */
      reason: maybe(word(...END_REASONS)),
    }),
    answer: struct({
      /** Whether the session lived. */
      found: flag,
      /** Not of `end`. Times are milliseconds since the epoch. */
      session: maybe(
        struct({
          data: anything,
          createdAt: figure,
          expiresAt: figure,
          handle: maybe(text()),
          lastUsedAt: maybe(figure),
          subject: maybe(text()),
          ...login,
        }),
      ),
    }),
  },
  /** The live sessions of a subject, as held in this region: a line for each. Never ids, and not the subject. */
  sessions: {
    method: 'POST',
    path: '/sessions',
    scope: 'admin',
    isLogged: true,
    request: exactly({ subject: ruled(SUBJECT_RULE) }),
    answer: lines(
      struct({
        handle: text(),
        createdAt: figure,
        lastUsedAt: figure,
        expiresAt: figure,
        ...login,
        /** Where the subject logged in. */
        region: maybe(text()),
      }),
    ),
  },
  /** Ends the sessions of a subject, in all regions, or the one that has a handle. */
  end: {
    method: 'POST',
    path: '/end',
    scope: 'admin',
    isLogged: true,
    request: call({
      subject: {
        subject: ruled(SUBJECT_RULE),
        /** Handles of sessions that live on. */
        except: maybe(list(ruled(HANDLE_RULE), MAX_EXCEPT)),
        ...ending,
      },
      handle: { handle: ruled(HANDLE_RULE), ...ending },
    }),
    answer: receipt,
  },
  /** Ends every session that the region holds. Says now and then how many are left; the last line is the receipt. */
  endAll: {
    method: 'POST',
    path: '/end-all',
    scope: 'admin',
    isLogged: true,
    request: exactly(ending),
    answer: lines(either(receipt, struct({ left: whole() }), 'a receipt, or how many sessions are left')),
  },
  /** How many records each slice has, and a sum of them; as of a time of the wall clock, milliseconds. */
  digests: {
    method: 'GET',
    path: '/digests',
    scope: 'admin',
    request: struct({ asOf: maybe(whole()) }),
    answer: struct({ region: text(), asOf: figure, slices: list(struct({ records: whole(), digest: text() })) }),
  },
  /** The records of a slice: their keys, and the versions of their state. No ids, no data. */
  versions: {
    method: 'GET',
    path: '/versions',
    scope: 'admin',
    request: struct({ slice: whole(DIGEST_SLICES - 1), asOf: whole() }),
    answer: struct({ versions: list(struct({ key: text(), version: text() })) }),
  },
  /** Compares all keys with the peers, and repairs what differs. */
  repair: { method: 'POST', path: '/repair', scope: 'admin', isLogged: true, request: NONE, answer: struct({}) },
  /** Begins to seal an encrypted store anew, under the active key of its ring, which is read anew. The status says how far that is. */
  rekey: { method: 'POST', path: '/rekey', scope: 'admin', isLogged: true, request: NONE, answer: struct({}) },
  /** A copy of all records, in the format of backups. */
  backup: {
    method: 'GET',
    path: '/backup',
    scope: 'admin',
    isLogged: true,
    request: struct({
      /** `ring`: sealed where the store is encrypted. `none`: in the clear, for somebody who encrypts it. Default: `ring`. */
      seal: maybe(word('ring', 'none')),
    }),
    answer: 'bytes',
  },
  /** Adds a region, or removes one, everywhere. */
  members: {
    method: 'POST',
    path: '/members',
    scope: 'admin',
    isLogged: true,
    request: call({
      add: { region: text(), url: either(text(), nothing, 'an address, or null'), admin: maybe(text()) },
      remove: { region: text() },
    }),
    answer: struct({
      /** Whether there was such a region to be removed. */
      changed: flag,
      members: list(member),
      /** What became of the notice to each of the others. */
      notified: record(word('notified', 'unreachable', 'refused', 'dials this region')),
    }),
  },
} as const satisfies { readonly [name: string]: AdminRoute }

type Routes = typeof ADMIN_ROUTES
export type AdminCall = keyof Routes
export type AdminRequest<N extends AdminCall> = JsonOf<Routes[N]['request']>
/** Of what is answered as JSON; else never. */
export type AdminAnswer<N extends AdminCall> = JsonOf<Routes[N]['answer']>
/** Of what is answered in lines; else never. */
export type AdminLine<N extends AdminCall> = Routes[N]['answer'] extends Lines<infer L> ? L : never
/** The calls that are answered in lines. */
export type AdminLines = { [N in AdminCall]: Routes[N]['answer'] extends Lines<unknown> ? N : never }[AdminCall]
/** What became of an end. */
export type AdminReceipt = JsonOf<typeof receipt>
/** What became of the notice to a region. */
export type Notice = AdminAnswer<'members'>['notified'][string]

/** How an error is answered, with a status other than 200. */
export const adminError = struct({
  error: struct({
    /** Of the one table, or `NOT_FOUND`, or `BUG`. Beside it and the message there are the details that the error has. */
    code: text(),
    message: text(),
  }),
})

/**
 * Where a request goes: the path of its route, with the query.
 * @example adminTarget('versions', { slice: 7, asOf: 1_700_000_000_000 }) // '/versions?slice=7&asOf=1700000000000'
 */
export const adminTarget = <N extends AdminCall>(name: N, request: AdminRequest<N>): string => {
  const { method, path } = ADMIN_ROUTES[name]
  const given = method === 'GET' ? Object.entries(request).filter(([, value]) => value !== undefined) : []
  const query = new URLSearchParams(given as [string, string][]).toString()
  return query === '' ? path : `${path}?${query}`
}

/**
 * What is asked of a route.
 * @param query what the route does not know of it is ignored
 * @param body of a `POST`, parsed
 * @throws INVALID_OPTION
 */
export const adminRequest = ({ method, request }: AdminRoute, query: URLSearchParams, body: unknown): unknown => {
  if (method === 'POST') return checkJson(request, body, 'INVALID_OPTION', 'the body')
  const given = [...query].map(([name, value]) => [name, /^\d+$/.test(value) ? Number(value) : value] as const)
  return checkJson(request, Object.fromEntries(given), 'INVALID_OPTION', 'the query')
}
