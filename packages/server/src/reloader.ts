/** Takes in the files of certificates, tokens and keys as they change: every now and then, and when it is asked to. */
import { type Clock, isSojournError, type Timer } from '@sojourn/core/internal'
import type { TlsFiles } from '@sojourn/net'
import type { Config } from './config/load.js'
import type { Logger } from './log.js'
import type { Metrics } from './metrics.js'
import type { Part } from './part.js'
import type { Tokens } from './tokens.js'

export interface ReloaderOptions {
  readonly config: Config
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
  /** By listener. */
  readonly tls: { readonly [listener: string]: TlsFiles }
  readonly tokens: Tokens
  /** Files of keys, by the names of their settings. `reload` says whether something else is in them. */
  readonly keys: { readonly [option: string]: { reload(): boolean } }
  /** The tokens are others now. */
  readonly tokensChanged: () => void
}

export class Reloader implements Part {
  readonly name = 'reload'
  readonly #options: ReloaderOptions
  #tokenText: string
  #timer: Timer | undefined

  constructor(options: ReloaderOptions) {
    this.#options = options
    this.#tokenText = JSON.stringify(options.config.readTokens())
  }

  start(): void {
    const { clock, config } = this.#options
    this.#timer = clock.after(config.settings.reloadInterval, () => {
      this.reload()
      this.start()
    })
  }

  stop(): void {
    this.#timer?.cancel()
  }

  /** What is wrong with a file is logged, and what was goes on. */
  reload(): void {
    for (const [listener, files] of Object.entries(this.#options.tls))
      this.#attempt(listener, () => this.#reloadCertificates(listener, files))
    this.#attempt('tokens', () => this.#reloadTokens())
    for (const [option, file] of Object.entries(this.#options.keys))
      this.#attempt(option, () => this.#reloadKeys(option, file))
  }

  #reloadCertificates(listener: string, files: TlsFiles): void {
    const { log, metrics } = this.#options
    if (!files.reload()) return
    log.info({ listener, expiresAt: files.expiresAt }, 'certificates reloaded')
    metrics.reloaded(listener)
  }

  #reloadKeys(option: string, file: { reload(): boolean }): void {
    const { log, metrics } = this.#options
    if (!file.reload()) return
    log.info({ file: option }, 'keys reloaded')
    metrics.reloaded(option)
  }

  #reloadTokens(): void {
    const { config, tokens, tokensChanged, log, metrics } = this.#options
    const entries = config.readTokens()
    const text = JSON.stringify(entries)
    if (text === this.#tokenText) return
    this.#tokenText = text
    tokens.replace(entries)
    tokensChanged()
    log.info({ count: tokens.size }, 'tokens reloaded')
    metrics.reloaded('tokens')
  }

  #attempt(file: string, work: () => void): void {
    const { log, metrics } = this.#options
    try {
      work()
    } catch (error) {
      metrics.reloaded(file, error)
      log.error({ file, why: isSojournError(error) ? error.message : String(error) }, 'reload failed')
    }
  }
}
