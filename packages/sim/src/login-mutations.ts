/** Bugs that are put into logins, secrets and cutoffs on purpose. */
import { type Mutation, mutation } from './mutations.js'

const ofLogins = (...args: Parameters<typeof mutation>): Mutation => ({ ...mutation(...args), worlds: 'logins' })

/** One bug at a time, and a checker of the worlds of logins must see each. */
export const LOGIN_MUTATIONS: readonly Mutation[] = [
  ofLogins(
    'open-after-the-grace',
    'a superseded secret opens the session as before',
    'core/dist/credentials.js',
    "until === 0 || now < until ? 'open' : 'reused'",
    "'open'",
    20,
  ),
  ofLogins(
    'join-secrets-by-who-has-not-heard',
    'a secret is superseded only where both copies say so',
    'core/dist/credentials.js',
    '(a === 0 ? b : b === 0 ? a : Math.min(a, b))',
    '(a === 0 || b === 0 ? 0 : Math.max(a, b))',
    40,
  ),
  ofLogins(
    'keep-secrets-of-before-the-login',
    'what opened a session before a login is joined to what the login made',
    'core/dist/identity.js',
    'return order > 0 ? a : b;',
    'return { authentication: (order > 0 ? a : b).authentication, credentials: joinCredentials(a?.credentials, b?.credentials) };',
    60,
  ),
  ofLogins(
    'cut-off-who-logs-in-later',
    'a cutoff ends each login of its subject, whenever that was',
    'core/dist/cutoff.js',
    'compareStamps(authentication.stamp, stamp) <= 0',
    'true',
    20,
  ),
  ofLogins(
    'forget-the-exceptions',
    'a cutoff ends what it was to leave alone',
    'core/dist/cutoff.js',
    '!except.some((each) => each.key === key)',
    'true',
    40,
  ),
  ofLogins(
    'cut-off-what-is-here-only',
    'a cutoff ends the sessions that its region holds, and is forgotten',
    'replica/dist/subjects.js',
    'return subject === undefined ? undefined : cutBy(this.#cutoffs.get(subject), key, record);',
    'return undefined;',
    60,
  ),
  ofLogins(
    'list-nobody',
    'the index does not know whose sessions it has',
    'store/dist/index/session-index.js',
    'this.#subjects.set(slot, change.subject);',
    ';',
    20,
  ),
  ofLogins(
    'count-in-any-order',
    'which sessions of a subject are too many depends on the order in which they came',
    'replica/dist/subjects.js',
    'return shown.sort(byLogin);',
    'return shown;',
    40,
  ),
]
