/** What a command is: its name, arguments, flags, words and work, declared once; parsing, help and completion follow from it. */
import type { Output } from './output.js'

/** What a shell can offer in the place of a value. */
export interface Offer {
  readonly choices?: readonly string[]
  readonly files?: 'file' | 'directory'
}

/** A flag, and how its text becomes a value. */
export interface Flag<T = unknown> extends Offer {
  readonly about: string
  /** Stands for the value in the help, `<duration>`; undefined: the flag is a switch. */
  readonly value?: string
  /** One letter. */
  readonly short?: string
  /** What is read where the flag is left out. */
  readonly default?: string
  /** May be given more than once; all values are read. */
  readonly repeats?: true
  /** Heading of the help under which it stands. */
  readonly group?: string
  /** @param name as it is given: `--interval`. @throws INVALID_OPTION */
  read(text: string | true | readonly string[] | undefined, name: string): T
}

/** Flags by their names in code: `tokenFile` is `--token-file`. */
export interface Flags {
  readonly [name: string]: Flag
}

export interface Argument extends Offer {
  readonly name: string
  /** May be left out. */
  readonly isOptional?: true
  readonly about: string
}

/** What a command is called with. */
export interface Call<F extends Flags = Flags> {
  /** As many as the command declares; one that was left out is undefined. */
  readonly args: readonly (string | undefined)[]
  readonly flags: { readonly [name in keyof F]: F[name] extends Flag<infer T> ? T : never }
  readonly env: NodeJS.ProcessEnv
  readonly input: AsyncIterable<Uint8Array>
  readonly out: Output
}

/** Names, and what the help says. Sentences of at most 25 words, whose subject acts. */
interface Words {
  readonly name: string
  /** The first line of its help; without a full stop, for lists of commands. */
  readonly about: string
}

export interface Command extends Words {
  readonly arguments: readonly Argument[]
  readonly flags: Flags
  /** A line that can be pasted, and what it does. */
  readonly example: { readonly line: string; readonly does: string }
  /** The end of the help. */
  readonly more?: string
  /** @returns a code of `exit-codes.ts`; undefined: the command ends the process by itself */
  run(call: Call): Promise<number | undefined>
}

/** Commands under one word: `sojourn region add`. */
export interface Group extends Words {
  readonly commands: readonly Command[]
}

export type Entry = Command | Group

export const isGroup = (entry: Entry): entry is Group => 'commands' in entry

/** Declares a command: what its flags are read as is what it is run with. */
export const command = <const F extends Flags>(
  declared: Omit<Command, 'flags' | 'arguments' | 'run'> & {
    readonly arguments?: readonly Argument[]
    readonly flags: F
    run(call: Call<F>): Promise<number | undefined>
  },
): Command => ({ arguments: [], ...declared, run: (call) => declared.run(call as Call<F>) })

/** As a usage line has it: `<id>`, or `[id]` where it may be left out. */
export const argumentName = ({ name, isOptional }: Argument): string => (isOptional ? `[${name}]` : `<${name}>`)

/** `tokenFile` → `--token-file` */
export const flagName = (name: string): string => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`

/** Every command with the words that lead to it: `['region', 'add']`. */
export const commandPaths = (
  entries: readonly Entry[],
): { readonly path: readonly string[]; readonly command: Command }[] =>
  entries.flatMap((entry) =>
    isGroup(entry)
      ? entry.commands.map((each) => ({ path: [entry.name, each.name], command: each }))
      : [{ path: [entry.name], command: entry }],
  )
