import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generate } from 'selfsigned'

/** An authority of the tests, and what it signs. */
export interface Authority {
  readonly cert: string
  readonly key: string
  /** For `localhost`, 127.0.0.1 and further host names, as server and as client. */
  sign(name: string, days?: number, hosts?: readonly string[]): Promise<{ readonly cert: string; readonly key: string }>
}

const DAY_MS = 24 * 3_600_000
const EC = { keyType: 'ec', algorithm: 'sha256' } as const

export const openAuthority = async (): Promise<Authority> => {
  const made = await generate([{ name: 'commonName', value: 'Authority of the tests' }], {
    ...EC,
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, digitalSignature: true, critical: true },
    ],
  })
  const [cert, key] = [made.cert, made.private]
  return {
    cert,
    key,
    async sign(name, days = 30, hosts = []) {
      const signed = await generate([{ name: 'commonName', value: name }], {
        ...EC,
        ca: { cert, key },
        notBeforeDate: new Date(Date.now() - DAY_MS),
        notAfterDate: new Date(Date.now() + days * DAY_MS),
        extensions: [
          { name: 'basicConstraints', cA: false },
          { name: 'keyUsage', digitalSignature: true },
          { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
          {
            name: 'subjectAltName',
            altNames: [
              { type: 2, value: 'localhost' },
              { type: 7, ip: '127.0.0.1' },
              ...hosts.map((value) => ({ type: 2 as const, value })),
            ],
          },
        ],
      })
      return { cert: signed.cert, key: signed.private }
    },
  }
}

/** What `tls` of a replica names. */
export interface TlsPaths {
  readonly certFile: string
  readonly keyFile: string
  readonly caFile: string
}

export interface IssueOptions {
  readonly days?: number
  readonly hosts?: readonly string[]
  /** Default: the authority of the directory. */
  readonly by?: Authority
}

/** A directory of certificates, which one authority signs. */
export class CertificateDirectory {
  readonly #directory: string
  readonly #authority: Authority

  private constructor(directory: string, authority: Authority) {
    this.#directory = directory
    this.#authority = authority
  }

  static async open(): Promise<CertificateDirectory> {
    const certificates = new CertificateDirectory(await mkdtemp(join(tmpdir(), 'sojourn-pem-')), await openAuthority())
    await writeFile(certificates.#file('ca'), certificates.#authority.cert)
    return certificates
  }

  #file(name: string): string {
    return join(this.#directory, `${name}.pem`)
  }

  paths(name: string): TlsPaths {
    return { certFile: this.#file(name), keyFile: this.#file(`${name}-key`), caFile: this.#file('ca') }
  }

  /** Signs a certificate, in the place of one of that name. */
  async issue(name: string, { days, hosts, by = this.#authority }: IssueOptions = {}): Promise<TlsPaths> {
    const { cert, key } = await by.sign(name, days, hosts)
    const paths = this.paths(name)
    await writeFile(paths.certFile, cert)
    await writeFile(paths.keyFile, key)
    return paths
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true })
  }
}
