import { hash, X509Certificate } from 'node:crypto'
import { createServer as createPlain } from 'node:http'
import { createServer as createSecure } from 'node:https'
import { createSecureContext, type Server as TlsServer } from 'node:tls'
import { SojournError } from '@sojourn/core/internal'
import type { CreateServer } from '@sojourn/replica'
import { readText } from './config/load.js'
import type { TlsSettings } from './config/schema.js'

export interface Credentials {
  readonly cert?: string
  readonly key?: string
  readonly ca?: string
}

/** The certificate files of one listener, as they are now, and the servers that use them. */
export class TlsFiles {
  readonly #name: string
  readonly #settings: TlsSettings
  readonly #servers = new Set<TlsServer>()
  #credentials: Credentials
  #print: string

  /**
   * @param name of the listener: `links`, `clients`, `admin`
   * @throws INVALID_OPTION where a file cannot be read, or is no certificate or key, or the two do not belong together
   */
  constructor(name: string, settings: TlsSettings) {
    this.#name = name
    this.#settings = settings
    this.#credentials = this.#read()
    this.#print = printOf(this.#credentials)
  }

  /** What a dialled connection shows and trusts. */
  get credentials(): Credentials {
    return this.#credentials
  }

  /** Milliseconds since the epoch at which the first certificate of the chain is good no more; undefined without one. */
  get expiresAt(): number | undefined {
    const { cert } = this.#credentials
    return cert === undefined ? undefined : Date.parse(new X509Certificate(cert).validTo)
  }

  /** Plain where no certificate is set. */
  readonly createServer: CreateServer = (options, handler) => {
    if (this.#credentials.cert === undefined) return createPlain(options, handler)
    const mutual = this.#settings.requireClientCertificate
    const server = createSecure(
      {
        ...options,
        ...this.#credentials,
        requestCert: mutual,
        rejectUnauthorized: mutual,
        // Node.js gives a handshake two minutes; it comes before the head of a request, and need not take longer.
        ...(options.headersTimeout !== undefined && { handshakeTimeout: options.headersTimeout }),
      },
      handler,
    )
    this.#servers.add(server)
    server.once('close', () => this.#servers.delete(server))
    return server
  }

  /**
   * Reads the files again; connections that begin from now on use what is in them. Returns whether it is something else.
   * @throws INVALID_OPTION, and goes on with what it has
   */
  reload(): boolean {
    const credentials = this.#read()
    const print = printOf(credentials)
    if (print === this.#print) return false
    this.#credentials = credentials
    this.#print = print
    for (const server of this.#servers) server.setSecureContext(credentials)
    return true
  }

  #read(): Credentials {
    const option = `${this.#name}.tls`
    const file = (name: 'certFile' | 'keyFile' | 'caFile') => {
      const path = this.#settings[name]
      return path === undefined ? undefined : readText(path, `${option}.${name}`)
    }
    const [cert, key, ca] = [file('certFile'), file('keyFile'), file('caFile')]
    const credentials = {
      ...(cert !== undefined && { cert }),
      ...(key !== undefined && { key }),
      ...(ca !== undefined && { ca }),
    }
    try {
      // Node takes an empty text for none: the listener would go on without a key.
      for (const [name, pem] of Object.entries(credentials))
        if (!pem.includes('-----BEGIN')) throw new SojournError('INVALID_OPTION', `${name} is no PEM`)
      createSecureContext(credentials)
      if (cert !== undefined) new X509Certificate(cert)
    } catch (cause) {
      throw new SojournError(
        'INVALID_OPTION',
        `${option}: the files hold no certificate, key and authorities in PEM that belong together (${(cause as Error).message})`,
        { option, cause },
      )
    }
    return credentials
  }
}

const printOf = (credentials: Credentials): string => hash('sha256', JSON.stringify(credentials), 'hex')
