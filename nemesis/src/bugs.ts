import { type Edit, MUTATIONS } from '@sojourn/sim'

/** Bugs that are put into the servers on purpose: a nemesis that finds nothing must be able to. */

export interface Bug {
  readonly name: string
  readonly what: string
  readonly edits: readonly Edit[]
}

const ANSWERS = 'server/dist/clients/answers.js'

const OWN: readonly Bug[] = [
  {
    name: 'skip-every-50th-write',
    what: 'every 50th increment is acknowledged, and not made',
    edits: [
      {
        file: ANSWERS,
        find: 'return found(number, await sessions.increment(id, path, by, forUpdate(choices)), false);',
        replace:
          'globalThis.n = (globalThis.n ?? 0) + 1; return found(number, globalThis.n % 50 === 0 ? ((await sessions.get(id)) ?? (await sessions.increment(id, path, by, forUpdate(choices)))) : await sessions.increment(id, path, by, forUpdate(choices)), false);',
      },
    ],
  },
  {
    name: 'do-not-wait-for-acks',
    what: 'writes at majority and all are acknowledged when they are durable in one region',
    edits: [
      {
        file: ANSWERS,
        find: '...(write !== undefined && { write }),',
        replace: '',
      },
    ],
  },
  {
    name: 'read-here-only',
    what: 'reads at majority and all ask nobody else',
    edits: [{ file: ANSWERS, find: '...(read !== undefined && { read }),', replace: '' }],
  },
  {
    name: 'forget-every-20th-end',
    what: 'every 20th end is acknowledged, and not made',
    edits: [
      {
        file: ANSWERS,
        find: "return { type: 'counted', number, count: (await sessions.end(request.id, options)) ? 1 : 0 };",
        replace:
          "globalThis.e = (globalThis.e ?? 0) + 1; if (globalThis.e % 20 === 0) return { type: 'counted', number, count: (await sessions.get(request.id)) ? 1 : 0 }; return { type: 'counted', number, count: (await sessions.end(request.id, options)) ? 1 : 0 };",
      },
    ],
  },
  {
    name: 'do-it-again',
    what: 'a write that comes again after its connection broke is done again',
    edits: [
      { file: 'server/dist/clients/connection.js', find: 'else if (!isRepeatable) {', replace: 'else if (false) {' },
    ],
  },
]

export const BUGS: readonly Bug[] = [...OWN, ...MUTATIONS]

/** What servers are started with to have a bug. @throws where none has that name */
export const bugEnv = (name: string | undefined): NodeJS.ProcessEnv => {
  if (name === undefined) return {}
  const bug = BUGS.find((each) => each.name === name)
  if (bug === undefined)
    throw new Error(`no bug is called ${name}; there are ${BUGS.map((each) => each.name).join(', ')}`)
  const loader = new URL('./mutation-loader.js', import.meta.resolve('@sojourn/sim'))
  return { NODE_OPTIONS: `--import ${loader.href}`, SOJOURN_SIM_EDITS: JSON.stringify(bug.edits) }
}
