import { writeFile } from 'node:fs/promises'
import { systemClock } from '@sojourn/core/internal'
import { openReplica, type Replica, type ReplicaOptions, webSocketTransport } from '@sojourn/replica'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { CertificateDirectory, openAuthority, type TlsPaths } from '../support/certificates.js'
import { openProxy } from '../support/proxy.js'
import { openRegions, SECRET } from '../support/region.js'
import { closeOpened, refuses } from '../support/replica.js'
import { Opened } from '../support/serve.js'
import { until } from '../support/until.js'
import { overheard } from '../support/wire-tap.js'

type Tls = NonNullable<ReplicaOptions['tls']>

const BOUND = { bindRegion: '{region}.sessions.test', requireClientCertificate: true } as const
const MARKER = 'the marker of what is secret'

let certificates: CertificateDirectory
const opened = new Opened()
beforeAll(async () => {
  certificates = await CertificateDirectory.open()
  for (const name of ['eu', 'us', 'ap']) await certificates.issue(name, { hosts: [`${name}.sessions.test`] })
})
afterEach(async () => {
  await closeOpened()
  await opened.close()
})
afterAll(() => certificates[Symbol.asyncDispose]())

const mutual = (name: string): Tls => ({ ...certificates.paths(name), requireClientCertificate: true })

/** Two regions, one of which may not dial the other. */
const pair = async (tls: { readonly eu: Tls; readonly us: Tls }, dialer?: 'eu' | 'us', scheme = 'wss:') => {
  const replicas: { eu?: Replica; us?: Replica } = {}
  const start = async (region: 'eu' | 'us', peer: 'eu' | 'us') => {
    const proxy = opened.add(await openProxy(() => replicas[peer]?.address))
    const url = dialer === undefined || dialer === region ? proxy.url.replace('ws:', scheme) : null
    const replica = await openReplica({
      region,
      location: ':memory:',
      listen: { port: 0 },
      peers: { [peer]: url },
      secret: SECRET,
      tls: { reloadInterval: '20ms', ...tls[region] },
      links: { heartbeat: 50, timeout: '1s', maxReconnectDelay: 100 },
    })
    replicas[region] = opened.add(replica)
    return replica
  }
  return { eu: await start('eu', 'us'), us: await start('us', 'eu') }
}

const linkOf = (replica: Replica) => Object.values(replica.status().links)[0]!
const areLinked = ({ eu, us }: { readonly eu: Replica; readonly us: Replica }) =>
  linkOf(eu).state === 'live' && linkOf(us).state === 'live'

describe('[TLS-3] links of embedded replicas', () => {
  it.each([
    ['carry nothing that can be read with mutual TLS', true],
    ['carry what can be read without TLS', false],
  ])('%s', async (_, secure) => {
    const each = secure ? { eu: { tls: mutual('eu') }, us: { tls: mutual('us') } } : {}
    await using regions = await openRegions(['eu', 'us'], { secure, each })
    const recordings = [regions.proxy('eu', 'us').record(), regions.proxy('us', 'eu').record()]
    await regions.cut('eu', 'us')
    regions.heal('eu', 'us')
    await regions.settled()
    const { id } = await regions.eu.create({ text: MARKER })
    await regions.settled()
    expect((await regions.us.get(id))!.data).toEqual({ text: MARKER })
    const bytes = overheard(recordings.flatMap((recorded) => recorded()))
    expect(bytes.length).toBeGreaterThan(200)
    expect(bytes.includes(MARKER)).toBe(!secure)
    expect(regions.eu.status().certificateExpiresAt !== undefined).toBe(secure)
  })

  const none = async (): Promise<Tls> => ({ caFile: certificates.paths('eu').caFile })
  const expired = async (): Promise<Tls> => ({ ...(await certificates.issue('expired', { days: -0.5 })) })
  const foreign = async (): Promise<Tls> => {
    const by = await openAuthority()
    const { caFile: _, ...shown } = await certificates.issue('mallory', { by })
    return { ...shown, caFile: certificates.paths('eu').caFile }
  }
  it.each([
    ['no certificate', none, 'us'],
    ['one that has expired', expired, 'eu'],
    ['one of another authority', foreign, 'eu'],
  ] as const)('are refused %s, with LINK_TLS', async (_, tls, dialer) => {
    const regions = await pair({ eu: mutual('eu'), us: await tls() }, dialer)
    const { failures } = await until(() => {
      const link = linkOf(regions[dialer])
      return link.failures.LINK_TLS && link
    }, 'the refusal')
    expect(Object.keys(failures)).not.toContain('LINK_SECRET')
    for (const replica of [regions.eu, regions.us]) expect(linkOf(replica).state).toBe('down')
  })

  it('stand once a certificate is renewed, and again after one that cannot be used', async () => {
    const { keyFile, certFile } = await certificates.issue('renewed', { days: -0.5 })
    const regions = await pair({ eu: mutual('eu'), us: mutual('renewed') })
    const { eu, us } = regions
    await until(() => linkOf(eu).failures.LINK_TLS, 'the refusal')
    await certificates.issue('renewed')
    await until(() => areLinked(regions), 'the links')
    expect(us.status().certificateExpiresAt).toBeGreaterThan(Date.now())

    const faults: string[] = []
    us.on('fault', ({ code, message }) => faults.push(`${code} ${message}`))
    for (const [file, text, fault] of [
      [keyFile, 'nonsense', /^INVALID_OPTION .*tls: the certificate, key and authorities .* not PEM/],
      [certFile, '', /^INVALID_OPTION .*tls: the certificate, key and authorities/],
    ] as const) {
      faults.length = 0
      await writeFile(file, text)
      await until(() => faults.some((each) => fault.test(each)), 'the fault')
    }
    eu.isolate()
    await until(() => linkOf(us).state === 'down', 'the cut')
    eu.rejoin()
    await until(() => areLinked(regions), 'the links with the old certificate')
  })

  it.each<[string, () => Partial<ReplicaOptions>, RegExp]>([
    ['a certificate without its key', () => ({ tls: without('eu', 'keyFile') }), /tls has certFile only/],
    [
      'mutual TLS without authorities',
      () => ({ tls: { ...without('eu', 'caFile'), requireClientCertificate: true } }),
      /tls\.requireClientCertificate is true; give certFile, keyFile and caFile, too/,
    ],
    ['a file that is not there', () => ({ tls: { caFile: '/none.pem' } }), /tls\.caFile is "\/none\.pem", .*ENOENT/],
    [
      'a transport of its own beside it',
      () => ({ tls: mutual('eu'), ports: { transport: webSocketTransport(systemClock) } }),
      /tls: the transport in ports\.transport does not use it/,
    ],
    [
      'regions that are to be known by certificates that nobody must show',
      () => ({ tls: { ...certificates.paths('eu'), bindRegion: '{region}.sessions.test' } }),
      /tls\.bindRegion is set; set requireClientCertificate, too/,
    ],
    [
      'a pattern without a place for the region',
      () => ({ tls: { ...mutual('eu'), bindRegion: 'sessions.test' } }),
      /tls\.bindRegion .*\{region\} in it once/,
    ],
    [
      'a region whose name makes no host name',
      () => ({ tls: { ...mutual('eu'), ...BOUND }, peers: { 'New York': null } }),
      /tls\.bindRegion makes no host name of the region "New York"/,
    ],
    [
      'a certificate of another region',
      () => ({ tls: { ...mutual('us'), ...BOUND } }),
      /tls\.certFile: the certificate is not for "eu\.sessions\.test", and peers would refuse it/,
    ],
  ])('are not opened with %s', async (_, options, message) => {
    const opening = openReplica({ region: 'eu', location: ':memory:', secret: SECRET, ...options() })
    await refuses(opening, 'INVALID_OPTION')
    await expect(opening).rejects.toThrow(message)
  })
})

const without = (name: string, file: keyof TlsPaths): Tls => ({ ...certificates.paths(name), [file]: undefined })

describe('[TLS-4] a certificate that is bound to a region', () => {
  it('is good for that one', async () => {
    const regions = await pair({ eu: { ...mutual('eu'), ...BOUND }, us: { ...mutual('us'), ...BOUND } })
    await until(() => areLinked(regions), 'the links')
    const { id } = await regions.us.create({ text: MARKER })
    expect((await until(() => regions.eu.get(id), 'the session')).data).toEqual({ text: MARKER })
  })

  it.each([
    ['of another region', ['ap.sessions.test']],
    ['of its name below another one', ['us.sessions.test.example.net', 'x.us.sessions.test']],
    ['of all regions', ['*.sessions.test']],
    ['of none', []],
  ])('is refused where it is one %s, whoever dials', async (_, hosts) => {
    for (const dialer of ['eu', 'us'] as const) {
      await certificates.issue('us.sessions.test', { hosts })
      const regions = await pair({ eu: { ...mutual('eu'), ...BOUND }, us: mutual('us.sessions.test') }, dialer)
      const { eu, us } = regions
      await until(() => linkOf(eu).failures.LINK_CERTIFICATE, `${dialer} to be refused`)
      expect(linkOf(eu).lastError).toMatchObject({
        code: 'LINK_CERTIFICATE',
        reason: 'LINK_CERTIFICATE',
        why: 'LINK_CERTIFICATE: the certificate is not for "us.sessions.test"',
      })
      expect(eu.status().totals.refused.LINK_CERTIFICATE).toBeGreaterThan(0)
      for (const replica of [eu, us]) expect(linkOf(replica).state).toBe('down')
      if (dialer === 'us')
        // Who was refused can read why.
        await until(() => linkOf(us).failures.LINK_CERTIFICATE, 'the reason')
    }
  })

  it('is missed where a peer is dialed without TLS', async () => {
    const { eu } = await pair({ eu: { ...mutual('eu'), ...BOUND }, us: {} }, 'eu', 'ws:')
    await until(() => linkOf(eu).failures.LINK_CERTIFICATE, 'the refusal')
    expect(linkOf(eu).lastError!.why).toBe('LINK_CERTIFICATE: no certificate shows that this is "us"')
  })

  it('keeps out regions whose names make no host name', async () => {
    const { eu } = await pair({ eu: { ...mutual('eu'), ...BOUND }, us: { ...mutual('us'), ...BOUND } })
    expect(() => eu.addPeer('São Paulo', null)).toThrow(
      /INVALID_OPTION: peers\.São Paulo: tls\.bindRegion makes no host/,
    )
    eu.addPeer('ap', null)
    expect(Object.keys(eu.status().links)).toEqual(['us', 'ap'])
  })

  it('is not replaced by one of another region', async () => {
    await certificates.issue('moved', { hosts: ['us.sessions.test'] })
    const regions = await pair({ eu: { ...mutual('eu'), ...BOUND }, us: { ...mutual('moved'), ...BOUND } })
    await until(() => areLinked(regions), 'the links')
    const faults: string[] = []
    regions.us.on('fault', ({ message }) => faults.push(message))
    await certificates.issue('moved', { hosts: ['ap.sessions.test'] })
    // It may be looked at between the writing of the certificate and that of the key, which is another fault, and soon over.
    const other = 'tls.certFile: the certificate is not for "us.sessions.test"'
    await until(() => faults.some((fault) => fault.includes(other)), 'the fault')
  })
})
