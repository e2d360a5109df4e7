import { type Edit, MUTATIONS } from '@sojourn/sim'

/** Bugs that are put into the servers on purpose: a nemesis that finds nothing must be able to. */

export interface Bug {
  readonly name: string
  readonly what: string
  readonly edits: readonly Edit[]
}

const ANSWERS = 'server/dist/clients/answers.js'

/** A request of one of these types is answered in another way, now and then. */
const instead = (types: readonly string[], every: number, answer: string): Edit => ({
  file: ANSWERS,
  find: "switch (request.type) {\n        case 'get':",
  replace: `if (${JSON.stringify(types)}.includes(request.type) && ++counted % ${every} === 0) {
        const session = await sessions.get(request.id);
        if (session) return ${answer};
    }
    switch (request.type) {
        case 'get':`,
})

/** Makes the variable in which {@link instead} counts. */
const COUNTED: Edit = {
  file: ANSWERS,
  find: 'export const REPEATABLE',
  replace: 'let counted = 0;\nexport const REPEATABLE',
}

export const OWN_BUGS: readonly Bug[] = [
  {
    name: 'skip-every-50th-write',
    what: 'every 50th edit is acknowledged, and not made',
    edits: [COUNTED, instead(['patch', 'replace', 'increment'], 50, 'found(session)')],
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
    edits: [COUNTED, instead(['end'], 20, "{ type: 'counted', number, count: 1 }")],
  },
  {
    name: 'do-it-again',
    what: 'a write that comes again after its connection broke is done again',
    edits: [
      { file: 'server/dist/clients/connection.js', find: 'else if (!isRepeatable) {', replace: 'else if (false) {' },
    ],
  },
]

/** Those of the simulator can be put in here, too. */
export const BUGS: readonly Bug[] = [...OWN_BUGS, ...MUTATIONS]

/** What servers are started with to have a bug. @throws where none has that name */
export const bugEnv = (name: string | undefined): NodeJS.ProcessEnv => {
  if (name === undefined) return {}
  const bug = BUGS.find((each) => each.name === name)
  if (bug === undefined)
    throw new Error(`no bug is called ${name}; there are ${BUGS.map((each) => each.name).join(', ')}`)
  const loader = new URL('./mutation-loader.js', import.meta.resolve('@sojourn/sim'))
  return { NODE_OPTIONS: `--import ${loader.href}`, SOJOURN_SIM_EDITS: JSON.stringify(bug.edits) }
}
