import { generate } from 'selfsigned'

/** An authority of the tests, and what it signs. */
export interface Authority {
  readonly cert: string
  readonly key: string
  /** For `localhost` and 127.0.0.1, as server and as client. */
  sign(name: string, days?: number): Promise<{ readonly cert: string; readonly key: string }>
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
    async sign(name, days = 30) {
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
            ],
          },
        ],
      })
      return { cert: signed.cert, key: signed.private }
    },
  }
}
