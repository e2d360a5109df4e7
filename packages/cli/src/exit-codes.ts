/** What the process ends with; the README has the same table. */
import { isSojournError } from '@sojourn/core/internal'

export const EXIT = {
  ok: 0,
  /** The command worked, and the answer is no: no such session, regions that differ, or that do not hold an end yet. */
  no: 1,
  /** Settings or arguments are wrong. */
  usage: 2,
  /** The store could not be opened, or a backup is damaged, or a key of either is missing. */
  store: 3,
  /** An address could not be listened on. */
  listen: 4,
  /** A region could not be reached, or refused the token, or answered with an error. */
  unreachable: 5,
  /** A stop took longer than shutdownTimeout, and what was in flight was cut. */
  cut: 6,
  /** A region of `sojourn dev` ended by itself. */
  child: 7,
  /** A bug. */
  bug: 70,
} as const

/** As a shell reports a process that a signal ended: the second one that `serve` is sent. */
export const exitOfSignal = (signal: 'SIGTERM' | 'SIGINT'): number => 128 + (signal === 'SIGTERM' ? 15 : 2)

/** The system calls by which listening fails. */
const LISTENING = ['listen', 'getaddrinfo']

/** What a failure to start, or of a command, ends the process with. */
export const exitOf = (error: unknown): number => {
  if (!isSojournError(error)) return EXIT.bug
  if (error.code === 'INVALID_OPTION' || error.code === 'INVALID_DATA') {
    // An address that is taken is named by its setting, but nothing is wrong with that.
    const { syscall } = (error.cause ?? {}) as NodeJS.ErrnoException
    return LISTENING.includes(syscall ?? '') ? EXIT.listen : EXIT.usage
  }
  return error.code.startsWith('STORE_') || error.code === 'ENCRYPTION_KEY' ? EXIT.store : EXIT.unreachable
}
