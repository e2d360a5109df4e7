/** `sojourn serve`: runs a region's server in this process, from its start to a signal that ends it. */
import { isSojournError } from '@sojourn/core/internal'
import type { Running } from '@sojourn/server'
import { type ConfigInput, loadConfig, strangeVariables } from '@sojourn/server/parts'
import { EXIT, exitOf, exitOfSignal } from './exit-codes.js'
import { ENDS_WITH_PARENT, OTHER_VARIABLES } from './settings-flags.js'

/** Resolves when the store is open; from then on signals decide when the process ends. @throws as `serve` does */
export const serveHere = async (input: ConfigInput): Promise<void> => {
  const config = loadConfig(input)
  const { settings } = config
  // Only here: the other commands start in half the time without it.
  const { openLog, serve } = await import('@sojourn/server')
  const log = openLog(settings.log.level, settings.region)
  const leave = (code: number): never => process.exit(code)
  const bug = (error: unknown): never => {
    log.fatal({ err: error }, 'unexpected')
    return leave(EXIT.bug)
  }
  // In the place of what a command does with it: this is to be in the log.
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', bug)
  process.on('unhandledRejection', bug)
  for (const name of strangeVariables(input.env, OTHER_VARIABLES)) log.warn({ name }, 'no setting has this variable')

  let asked = false
  let running: Running | undefined
  const notStopped = (error: unknown): never => {
    // A disk that is full, say: what was acknowledged is on it, what the store notes at its end is not.
    if (!isSojournError(error)) return bug(error)
    log.fatal({ why: error.message }, 'cannot close the store')
    return leave(exitOf(error))
  }
  const stop = (): void => {
    void running?.stop().then((outcome) => leave(outcome === 'cut' ? EXIT.cut : EXIT.ok), notStopped)
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => {
      if (asked) leave(exitOfSignal(signal))
      asked = true
      stop()
    })
  process.on('SIGHUP', () => running?.reload())
  if (input.env[ENDS_WITH_PARENT]) {
    // The parent was killed: nobody else would end this process.
    process.once('disconnect', () => {
      asked = true
      stop()
    })
    // Listening for that must not keep a process alive that could not start.
    process.channel?.unref()
  }

  const opened = await serve({
    config,
    log,
    failed: (error) => {
      log.fatal({ why: isSojournError(error) ? error.message : String(error) }, 'cannot serve clients')
      leave(exitOf(error))
    },
  })
  running = opened
  // A signal that came while the store was being opened.
  if (asked) stop()
}
