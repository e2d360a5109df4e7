/** TLS of listeners and dialed connections: from PEM files that may change while the process runs. */
import { hash, X509Certificate } from 'node:crypto'
import { createServer as createPlain, type RequestListener, type Server, type ServerOptions } from 'node:http'
import { createServer as createSecure } from 'node:https'
import { createSecureContext, type Server as TlsServer } from 'node:tls'
import { quoted, SojournError } from '@sojourn/core/internal'
import { isCertificateFor } from './certificate.js'
import { readText } from './text-file.js'

/** Called as `http.createServer` is: makes the server that is listened with, plain or with TLS. */
export type CreateServer = (options: ServerOptions, handler: RequestListener) => Server

/** Where the PEM files of a side are: of a listener, or of links, which are dialed, too. */
export interface TlsSettings {
  readonly certFile?: string | undefined
  readonly keyFile?: string | undefined
  readonly caFile?: string | undefined
  readonly requireClientCertificate: boolean
}

/** What a dialed connection shows and trusts, as in Node's `tls.connect`. */
export interface TlsOptions {
  /** Authorities to trust. Default: those that Node.js trusts. */
  readonly ca?: string | Buffer | readonly (string | Buffer)[]
  readonly cert?: string | Buffer
  readonly key?: string | Buffer
  /** The name that the server's certificate must have, where it is not that of the address. */
  readonly servername?: string
}

/** What is in the files of one listener. */
export interface Credentials extends TlsOptions {
  readonly cert?: string
  readonly key?: string
  readonly ca?: string
}

/**
 * The certificate files of one listener, as they are now, and the servers that use them.
 *
 * @example
 * const tls = new TlsFiles('clients.tls', { certFile: 'eu.crt', keyFile: 'eu.key', requireClientCertificate: false })
 * const server = tls.createServer({}, (request, response) => response.end('ok'))
 * process.on('SIGHUP', () => tls.reload())
 */
export class TlsFiles {
  readonly #option: string
  readonly #settings: TlsSettings
  readonly #ownHost: string | undefined
  readonly #servers = new Set<TlsServer>()
  #credentials: Credentials
  #print: string

  /**
   * @param option where the files are set: `clients.tls`; errors name it
   * @param ownHost the host name that the certificate must be for, because peers refuse it otherwise. Default: whatever it is for
   * @throws INVALID_OPTION where a file cannot be read, or is no certificate or key, or the two do not belong together, or to the host
   */
  constructor(option: string, settings: TlsSettings, ownHost?: string) {
    this.#option = option
    this.#settings = settings
    this.#ownHost = ownHost
    this.#credentials = this.#read()
    this.#print = printOf(this.#credentials)
  }

  /** What a dialed connection shows and trusts. */
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
    const option = this.#option
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
        if (!pem.includes('-----BEGIN')) throw new SojournError('INVALID_OPTION', `${name} is not PEM`)
      createSecureContext(credentials)
      if (cert !== undefined) new X509Certificate(cert)
    } catch (cause) {
      throw new SojournError(
        'INVALID_OPTION',
        `${option}: the certificate, key and authorities in the files are not PEM or do not match (${(cause as Error).message})`,
        { option, cause },
      )
    }
    this.#checkHost(cert)
    return credentials
  }

  #checkHost(cert: string | undefined): void {
    const host = this.#ownHost
    if (host === undefined || (cert !== undefined && isCertificateFor(new X509Certificate(cert), host))) return
    throw new SojournError(
      'INVALID_OPTION',
      `${this.#option}.certFile: the certificate is not for ${quoted(host)}, and peers would refuse it. Give one that has this name as a subject alternative name`,
      { option: `${this.#option}.certFile` },
    )
  }
}

const printOf = (credentials: Credentials): string => hash('sha256', JSON.stringify(credentials), 'hex')
