import type { Replica } from '@sojourn/replica'
import { expect } from 'vitest'

/** What every pair of operations on one session comes to, done at the same time in two regions. docs/conflicts.md is made from this table. */

export const OPS = [
  'create',
  'set a field',
  'set the same field',
  'delete a field',
  'replace an object',
  'delete the object',
  'increment',
  'touch',
  'end',
  'end the subject',
  'rotate',
  'elevate',
  'idle expiry',
  'absolute expiry',
] as const
export type Op = (typeof OPS)[number]
type Side = 'eu' | 'us'

/** Unordered pairs, each operation with itself included, so that the compiler finds a pair that has no outcome. */
type PairsOf<T extends readonly string[]> = T extends readonly [infer H extends string, ...infer R extends string[]]
  ? `${H} × ${T[number]}` | PairsOf<R>
  : never
type Pair = PairsOf<typeof OPS>

export interface Outcome {
  /** For the table: a few words. */
  readonly cell: string
  /** For the list below it: a sentence or two. */
  readonly says: string
  /** What is under the id afterwards, in every region: a session with this data, or what is left of one. `superseded`: the session lives, under a newer id. */
  readonly after: object | Left
  /** What the call in us gives, where it is not what it gives on a live session. */
  readonly us?: 'SESSION_NOT_FOUND' | 'undefined' | 'false'
  /** What is under each id that a rotation or a login made, in every region. */
  readonly heirs?: readonly (object | Left)[]
  /** Of the two new ids, one opens the session, the same one in every region, and shows this. */
  readonly oneHeir?: object
  /** eu acts a second before us, because the order counts. */
  readonly isOrdered?: true
}

type Left = 'ended' | 'expired' | 'superseded'

export const MINUTE = 60_000
/** When the two regions act; the session is made at 0. */
export const ACT_AT = 20 * MINUTE
export const IDLE_TIMEOUT = 30 * MINUTE
export const LOOK_AT = 31.5 * MINUTE
/** Of the rows with an absolute expiry; the others have 12 hours. */
export const SHORT_LIFETIME = 33 * MINUTE
export const END_AT = 36 * MINUTE

export const SUBJECT = 'ada'
export const SEED = { user: 'ada', views: 1, profile: { name: 'Ada', city: 'London' } }
const seedWith = (changes: { views?: number; profile?: object }) => ({ ...SEED, ...changes })
const profile = (profile: object) => seedWith({ profile })
const oneOf = (...values: (string | object)[]): unknown => expect.toBeOneOf(values)

export interface Stage {
  readonly id: string
  readonly limits: { readonly idleTimeout: number; readonly maxLifetime: number }
  /** Whose session a creation makes. Undefined: nobody's, for a login starts a limit of its own. */
  readonly subject?: string
}

/** What an operation does in a region, at the time of the action. Expiries do nothing but let time pass. */
export const ACT: { readonly [K in Op]: (replica: Replica, side: Side, stage: Stage) => Promise<unknown> } = {
  create: (replica, side, { id, limits, subject }) =>
    replica.create({ [side]: 'created', name: side }, { id, subject, idleTimeout: limits.idleTimeout }),
  'set a field': (replica, side, { id }) => replica.update(id, { profile: { [side]: 'set' } }),
  'set the same field': (replica, side, { id }) => replica.update(id, { profile: { name: side } }),
  'delete a field': (replica, _, { id }) =>
    replica.update(id, (draft) => {
      delete draft.profile.name
    }),
  'replace an object': (replica, side, { id }) =>
    replica.update(id, (draft) => {
      draft.profile = { name: `new in ${side}`, [`${side}Role`]: 'admin' }
    }),
  'delete the object': (replica, _, { id }) =>
    replica.update(id, (draft) => {
      delete draft.profile
    }),
  increment: (replica, side, { id }) => replica.increment(id, '/views', side === 'eu' ? 1 : 10),
  touch: (replica, _, { id }) => replica.touch(id),
  end: (replica, _, { id }) => replica.end(id),
  'end the subject': (replica) => replica.endSubject(SUBJECT),
  rotate: (replica, _, { id }) => replica.rotate(id),
  elevate: (replica, side, { id, limits }) =>
    replica.elevate(id, { subject: SUBJECT, device: side, maxLifetime: limits.maxLifetime }),
  'idle expiry': async () => {},
  // In use until its limit, so that nothing but the limit ends it.
  'absolute expiry': (replica, _, { id }) => replica.touch(id),
}

const UNSEEN = 'us has not heard of the session, and an update never creates'
const NO_MORE = 'The limit ends it in every region, whatever was done before.'
const GONE_WITH_IT = 'An end is final: the session is ended everywhere'
const CUT_OFF = 'A cutoff ends every session of the subject that was authenticated before it, in every region'
const OLD_ID = 'The old id opens nothing any more, in no region'
const LOGGED_IN = 'It is one session, with the new id and limit of the login; the old id opens nothing any more'
/** An operation beside the end of the session, or of all sessions of its subject. */
const ended = (says: string): Outcome => ({ cell: 'ended', says, after: 'ended' })
const cutOff = (says = CUT_OFF): Outcome => ended(`${says}.`)
/** An operation beside a new id of the session that it is done to. */
const underNewId = (says: string, data: object, cell = 'new id, with the edit'): Outcome => ({
  cell,
  says,
  after: 'superseded',
  heirs: [data],
})
const rotated = (says: string, data: object): Outcome =>
  underNewId(`${OLD_ID}; the new one opens the session, ${says}.`, data)
const loggedIn = (says: string, data: object): Outcome => underNewId(`${LOGGED_IN}. ${says}`, data)
const { profile: _, ...WITHOUT } = SEED
const CREATED = { eu: 'created', name: 'eu' }
/** What becomes of a change in us to a session that eu has just created. */
const refusedUnseen = (change: string): Outcome => ({
  cell: 'not found; created',
  says: `The ${change} is refused with SESSION_NOT_FOUND (${UNSEEN}); the created session is everywhere.`,
  after: CREATED,
  us: 'SESSION_NOT_FOUND',
})

export const MATRIX: { readonly [K in Pair]: Outcome } = {
  'create × create': {
    cell: 'one session',
    says: 'Both chose the same id, so they made one session: it has the fields of both, of a field that both set one value wins, and of creation time and limit the earlier counts.',
    after: { eu: 'created', us: 'created', name: oneOf('eu', 'us') },
  },
  'create × set a field': refusedUnseen('edit'),
  'create × set the same field': refusedUnseen('edit'),
  'create × delete a field': refusedUnseen('edit'),
  'create × replace an object': refusedUnseen('edit'),
  'create × delete the object': refusedUnseen('edit'),
  'create × increment': refusedUnseen('increment'),
  'create × touch': {
    cell: 'not found; created',
    says: 'The touch gives undefined, for us has not heard of the session; the created session is everywhere.',
    after: CREATED,
    us: 'undefined',
  },
  'create × end': {
    cell: 'ended',
    says: 'The end is final also where the session had not arrived: as us could not ask everybody, it leaves a tombstone, and the created session is ended everywhere.',
    after: 'ended',
    us: 'false',
  },
  'create × end the subject': {
    cell: 'ended',
    says: 'A cutoff ends also the sessions that have not arrived yet: the created one was authenticated before it, so it ends where the two meet.',
    after: 'ended',
    isOrdered: true,
  },
  'create × rotate': refusedUnseen('rotation'),
  'create × elevate': refusedUnseen('login'),
  'create × idle expiry': {
    cell: 'alive',
    says: 'The session that idled out in us under the same id is renewed by the creation in eu: it is alive everywhere, with the fields of both.',
    after: { eu: 'created', us: 'created', name: oneOf('eu', 'us') },
  },
  'create × absolute expiry': {
    cell: 'gone',
    says: 'Under one id the earlier limit counts: once it has passed, the session that eu created under it is gone everywhere, too.',
    after: 'expired',
  },

  'set a field × set a field': {
    cell: 'both stay',
    says: 'Both fields are there, also where they are in one object.',
    after: profile({ name: 'Ada', city: 'London', eu: 'set', us: 'set' }),
  },
  'set a field × set the same field': {
    cell: 'both stay',
    says: 'These are different fields of one object; both edits are there.',
    after: profile({ name: 'us', city: 'London', eu: 'set' }),
  },
  'set a field × delete a field': {
    cell: 'both stay',
    says: 'One field is set, the other one is gone.',
    after: profile({ city: 'London', eu: 'set' }),
  },
  'set a field × replace an object': {
    cell: 'the new object',
    says: 'The object is as it was replaced: the edit belongs to the old one, and goes with it.',
    after: profile({ name: 'new in us', usRole: 'admin' }),
  },
  'set a field × delete the object': {
    cell: 'deleted',
    says: 'The object is gone: the edit belongs to it, and goes with it.',
    after: WITHOUT,
  },
  'set a field × increment': {
    cell: 'both stay',
    says: 'The field is set, and the counter counted.',
    after: seedWith({ views: 11, profile: { ...SEED.profile, eu: 'set' } }),
  },
  'set a field × touch': {
    cell: 'both stay',
    says: 'The field is set, and the session renewed.',
    after: profile({ ...SEED.profile, eu: 'set' }),
  },
  'set a field × end': {
    cell: 'ended',
    says: `${GONE_WITH_IT}, and the edit with it.`,
    after: 'ended',
  },
  'set a field × end the subject': cutOff(),
  'set a field × rotate': rotated('with the edit', profile({ ...SEED.profile, eu: 'set' })),
  'set a field × elevate': loggedIn('The edit is kept.', profile({ ...SEED.profile, eu: 'set' })),
  'set a field × idle expiry': {
    cell: 'alive',
    says: 'An edit is a use, which renews the session: after the heal it is alive everywhere, with the edit.',
    after: profile({ ...SEED.profile, eu: 'set' }),
  },
  'set a field × absolute expiry': { cell: 'gone', says: NO_MORE, after: 'expired' },

  'set the same field × set the same field': {
    cell: 'one wins',
    says: 'One of the two values wins, the same one in every region.',
    after: profile({ name: oneOf('eu', 'us'), city: 'London' }),
  },
  'set the same field × delete a field': {
    cell: 'the value wins',
    says: 'A deletion takes away only what its writer had seen, and it had not seen the new value: the field has it everywhere.',
    after: profile({ name: 'eu', city: 'London' }),
  },
  'set the same field × replace an object': {
    cell: 'the new object',
    says: 'The object is as it was replaced: the edit belongs to the old one, and goes with it.',
    after: profile({ name: 'new in us', usRole: 'admin' }),
  },
  'set the same field × delete the object': {
    cell: 'deleted',
    says: 'The object is gone: the edit belongs to it, and goes with it.',
    after: WITHOUT,
  },
  'set the same field × increment': {
    cell: 'both stay',
    says: 'The field is set, and the counter counted.',
    after: seedWith({ views: 11, profile: { name: 'eu', city: 'London' } }),
  },
  'set the same field × touch': {
    cell: 'both stay',
    says: 'The field is set, and the session renewed.',
    after: profile({ name: 'eu', city: 'London' }),
  },
  'set the same field × end': {
    cell: 'ended',
    says: `${GONE_WITH_IT}, and the edit with it.`,
    after: 'ended',
  },
  'set the same field × end the subject': cutOff(),
  'set the same field × rotate': rotated('with the edit', profile({ name: 'eu', city: 'London' })),
  'set the same field × elevate': loggedIn('The edit is kept.', profile({ name: 'eu', city: 'London' })),
  'set the same field × idle expiry': {
    cell: 'alive',
    says: 'An edit is a use, which renews the session: after the heal it is alive everywhere, with the edit.',
    after: profile({ name: 'eu', city: 'London' }),
  },
  'set the same field × absolute expiry': { cell: 'gone', says: NO_MORE, after: 'expired' },

  'delete a field × delete a field': {
    cell: 'both stay',
    says: 'The field is gone; the object around it stays.',
    after: profile({ city: 'London' }),
  },
  'delete a field × replace an object': {
    cell: 'the value wins',
    says: 'The object is as it was replaced. The field that both wrote has its new value, which the deletion had not seen.',
    after: profile({ name: 'new in us', usRole: 'admin' }),
  },
  'delete a field × delete the object': {
    cell: 'deleted',
    says: 'The object is gone, and the field with it.',
    after: WITHOUT,
  },
  'delete a field × increment': {
    cell: 'both stay',
    says: 'The field is gone, and the counter counted.',
    after: seedWith({ views: 11, profile: { city: 'London' } }),
  },
  'delete a field × touch': {
    cell: 'both stay',
    says: 'The field is gone, and the session renewed.',
    after: profile({ city: 'London' }),
  },
  'delete a field × end': {
    cell: 'ended',
    says: `${GONE_WITH_IT}, and the edit with it.`,
    after: 'ended',
  },
  'delete a field × end the subject': cutOff(),
  'delete a field × rotate': rotated('without the field', profile({ city: 'London' })),
  'delete a field × elevate': loggedIn('The field is gone.', profile({ city: 'London' })),
  'delete a field × idle expiry': {
    cell: 'alive',
    says: 'An edit is a use, which renews the session: after the heal it is alive everywhere, without the field.',
    after: profile({ city: 'London' }),
  },
  'delete a field × absolute expiry': { cell: 'gone', says: NO_MORE, after: 'expired' },

  'replace an object × replace an object': {
    cell: 'one wins, whole',
    says: 'One of the two objects wins, whole, the same one in every region: nothing is put together of both.',
    after: profile(oneOf({ name: 'new in eu', euRole: 'admin' }, { name: 'new in us', usRole: 'admin' }) as object),
  },
  'replace an object × delete the object': {
    cell: 'the new object',
    says: 'A deletion takes away only what its writer had seen, and it had not seen the new object, which is everywhere.',
    after: profile({ name: 'new in eu', euRole: 'admin' }),
  },
  'replace an object × increment': {
    cell: 'both stay',
    says: 'The object is replaced, and the counter beside it counted.',
    after: seedWith({ views: 11, profile: { name: 'new in eu', euRole: 'admin' } }),
  },
  'replace an object × touch': {
    cell: 'both stay',
    says: 'The object is replaced, and the session renewed.',
    after: profile({ name: 'new in eu', euRole: 'admin' }),
  },
  'replace an object × end': {
    cell: 'ended',
    says: `${GONE_WITH_IT}, and the replacement with it.`,
    after: 'ended',
  },
  'replace an object × end the subject': cutOff(),
  'replace an object × rotate': rotated('with the new object', profile({ name: 'new in eu', euRole: 'admin' })),
  'replace an object × elevate': loggedIn('It has the new object.', profile({ name: 'new in eu', euRole: 'admin' })),
  'replace an object × idle expiry': {
    cell: 'alive',
    says: 'An edit is a use, which renews the session: after the heal it is alive everywhere, with the new object.',
    after: profile({ name: 'new in eu', euRole: 'admin' }),
  },
  'replace an object × absolute expiry': { cell: 'gone', says: NO_MORE, after: 'expired' },

  'delete the object × delete the object': { cell: 'both stay', says: 'The object is gone.', after: WITHOUT },
  'delete the object × increment': {
    cell: 'both stay',
    says: 'The object is gone, and the counter beside it counted.',
    after: { ...WITHOUT, views: 11 },
  },
  'delete the object × touch': {
    cell: 'both stay',
    says: 'The object is gone, and the session renewed.',
    after: WITHOUT,
  },
  'delete the object × end': { cell: 'ended', says: `${GONE_WITH_IT}.`, after: 'ended' },
  'delete the object × end the subject': cutOff(),
  'delete the object × rotate': rotated('without the object', WITHOUT),
  'delete the object × elevate': loggedIn('The object is gone.', WITHOUT),
  'delete the object × idle expiry': {
    cell: 'alive',
    says: 'An edit is a use, which renews the session: after the heal it is alive everywhere, without the object.',
    after: WITHOUT,
  },
  'delete the object × absolute expiry': { cell: 'gone', says: NO_MORE, after: 'expired' },

  'increment × increment': {
    cell: 'adds up',
    says: 'Counters add up: 1, plus 1 in eu, plus 10 in us, is 12 everywhere.',
    after: seedWith({ views: 12 }),
  },
  'increment × touch': {
    cell: 'both stay',
    says: 'The counter counted, and the session is renewed.',
    after: seedWith({ views: 2 }),
  },
  'increment × end': {
    cell: 'ended',
    says: `${GONE_WITH_IT}, and the counter with it.`,
    after: 'ended',
  },
  'increment × end the subject': cutOff(),
  'increment × rotate': rotated('with the new count', seedWith({ views: 2 })),
  'increment × elevate': loggedIn('The session has the new count.', seedWith({ views: 2 })),
  'increment × idle expiry': {
    cell: 'alive',
    says: 'An increment is a use, which renews the session: after the heal it is alive everywhere, with the new count.',
    after: seedWith({ views: 2 }),
  },
  'increment × absolute expiry': { cell: 'gone', says: NO_MORE, after: 'expired' },

  'touch × touch': {
    cell: 'both stay',
    says: 'The later renewal counts, in every region.',
    after: SEED,
  },
  'touch × end': {
    cell: 'ended',
    says: `${GONE_WITH_IT}; a renewal does not bring it back.`,
    after: 'ended',
  },
  'touch × end the subject': cutOff(`${CUT_OFF}; a renewal does not bring it back`),
  'touch × rotate': underNewId(`${OLD_ID}; the new one opens the session, which is renewed.`, SEED, 'new id'),
  'touch × elevate': underNewId(`${LOGGED_IN}.`, SEED, 'new id'),
  'touch × idle expiry': {
    cell: 'alive',
    says: 'A renewal beats an idle expiry: us shows the session no more until the links heal, and again from then on.',
    after: SEED,
  },
  'touch × absolute expiry': { cell: 'gone', says: `${NO_MORE} No renewal extends it.`, after: 'expired' },

  'end × end': {
    cell: 'ended',
    says: 'It is ended everywhere; the earlier one of the reasons is kept.',
    after: 'ended',
  },
  'end × end the subject': ended('It is ended everywhere.'),
  'end × rotate': {
    cell: 'ended',
    says: 'An end is of the session, not of an id: it is ended everywhere, and the new id opens nothing.',
    after: 'ended',
    heirs: ['ended'],
  },
  'end × elevate': {
    cell: 'ended',
    says: 'An end is final, and wins over a login of the same session: neither id opens anything.',
    after: 'ended',
    heirs: ['ended'],
  },
  'end × idle expiry': {
    cell: 'ended',
    says: 'It is ended everywhere, where it had idled out, too.',
    after: 'ended',
  },
  'end × absolute expiry': {
    cell: 'ended',
    says: 'It is ended everywhere, and would be gone anyhow.',
    after: 'ended',
  },

  'end the subject × end the subject': ended('It is ended everywhere.'),
  'end the subject × rotate': {
    cell: 'ended',
    says: 'A cutoff is of the subject, not of an id: the session is ended everywhere, and the new id opens nothing.',
    after: 'ended',
    heirs: ['ended'],
  },
  'end the subject × elevate': {
    cell: 'ended',
    says: 'The cutoff ended the session in eu, and an end is final, also where us logs in to it anew. A new session that us makes for the login lives.',
    after: 'ended',
    heirs: ['ended'],
  },
  'end the subject × idle expiry': ended('It is ended everywhere, where it had idled out, too.'),
  'end the subject × absolute expiry': ended('It is ended everywhere, and would be gone anyhow.'),

  'rotate × rotate': {
    cell: 'two new ids',
    says: `${OLD_ID}. Each region gave its caller a new id; both open the one session, in every region.`,
    after: 'superseded',
    heirs: [SEED, SEED],
  },
  'rotate × elevate': {
    cell: 'the login',
    says: 'The login wins: its id opens the session, and no id that was made of the old one does. Who had stolen that gets nothing by rotating it.',
    after: 'superseded',
    heirs: ['superseded', SEED],
  },
  'rotate × idle expiry': underNewId(
    `A rotation is a use, which renews the session. ${OLD_ID}; the new one opens the session.`,
    SEED,
    'new id',
  ),
  'rotate × absolute expiry': {
    cell: 'gone',
    says: 'A new id keeps the old limit: the session is gone everywhere when that passes, under either id.',
    after: 'expired',
    heirs: ['expired'],
  },

  'elevate × elevate': {
    cell: 'one of the logins',
    says: 'One of the two logins wins, whole, with its id, device, time and limit; the other id opens nothing. It is the same one in every region.',
    after: 'superseded',
    oneHeir: SEED,
  },
  'elevate × idle expiry': underNewId(`A login is a use, which renews the session. ${LOGGED_IN}.`, SEED, 'new id'),
  'elevate × absolute expiry': {
    cell: 'new id and limit',
    says: 'A login starts a new limit, and nothing else does: the session lives on under its new id, past the limit that us saw pass.',
    after: 'superseded',
    heirs: [SEED],
  },

  'idle expiry × idle expiry': {
    cell: 'gone',
    says: 'Nobody used it: each region stops to show it at the deadline, asking nobody.',
    after: 'expired',
  },
  'idle expiry × absolute expiry': {
    cell: 'gone',
    says: 'In eu it idles out; us uses it until the limit passes. After that it is gone everywhere.',
    after: 'expired',
  },

  'absolute expiry × absolute expiry': { cell: 'gone', says: NO_MORE, after: 'expired' },
}

export const DOES: { readonly [K in Op]: string } = {
  create: 'creates the id',
  'set a field': 'sets a field',
  'set the same field': 'sets the same field',
  'delete a field': 'deletes a field',
  'replace an object': 'replaces an object',
  'delete the object': 'deletes the object',
  increment: 'increments',
  touch: 'touches',
  end: 'ends',
  'end the subject': 'ends all sessions of the subject',
  rotate: 'rotates',
  elevate: 'logs in',
  'idle expiry': 'lets it idle out',
  'absolute expiry': 'reaches its limit',
}

export const PAIRS: readonly (readonly [Op, Op])[] = OPS.flatMap((x, index) =>
  OPS.slice(index).map((y) => [x, y] as const),
)
export const outcomeOf = (x: Op, y: Op): Outcome => MATRIX[`${x} × ${y}` as Pair]

/** The pairs of README.md's short table, in its words. What comes of each is the table's above. */
export const SHORT: readonly { readonly eu: string; readonly us: string; readonly pair: Pair }[] = [
  { eu: 'sets a field', us: 'sets another field', pair: 'set a field × set a field' },
  { eu: 'sets a field', us: 'sets the same field', pair: 'set the same field × set the same field' },
  { eu: 'sets a field', us: 'deletes it', pair: 'set the same field × delete a field' },
  { eu: 'increments a counter', us: 'increments it, too', pair: 'increment × increment' },
  { eu: 'sets a field of an object', us: 'replaces the object', pair: 'set a field × replace an object' },
  { eu: 'replaces an object', us: 'replaces it, too', pair: 'replace an object × replace an object' },
  { eu: 'sets a field', us: 'ends the session', pair: 'set a field × end' },
  { eu: 'renews the session', us: 'lets it idle out', pair: 'touch × idle expiry' },
  { eu: 'renews the session', us: 'sees its absolute limit pass', pair: 'touch × absolute expiry' },
]
