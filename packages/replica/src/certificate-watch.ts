/** Takes in the certificate files of links as they change. */
import type { Clock, Timer } from '@sojourn/core/internal'
import type { TlsFiles } from '@sojourn/net'

export interface CertificateWatchOptions {
  /** Undefined: there are none. */
  readonly certificates: { readonly files: TlsFiles; readonly reloadIntervalMs: number } | undefined
  readonly clock: Clock
  /** A file cannot be used: what was goes on. */
  readonly failed: (error: unknown) => void
}

/** Looks at the files now and then. A server does so itself, because it has files of other listeners, too. */
export class CertificateWatch {
  readonly #options: CertificateWatchOptions
  #timer: Timer | undefined

  constructor(options: CertificateWatchOptions) {
    this.#options = options
  }

  start(): void {
    const { certificates, clock, failed } = this.#options
    if (certificates === undefined) return
    this.#timer = clock.after(certificates.reloadIntervalMs, () => {
      try {
        certificates.files.reload()
      } catch (error) {
        failed(error)
      }
      this.start()
    })
  }

  close(): void {
    this.#timer?.cancel()
  }
}
