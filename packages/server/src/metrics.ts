/** The metrics of a server. */
import { type ErrorCode, isSojournError } from '@sojourn/core/internal'
import type { UnauthenticatedStatus } from '@sojourn/net'
import type { Replica } from '@sojourn/replica'
import type { ClientsStatus } from '@sojourn/wire'
import { type Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client'
import { directoryBytes } from './files.js'
import type { CallSeen } from './metered.js'
import { readClients } from './metrics/clients.js'
import { Instruments } from './metrics/instruments.js'
import { readLinkFailures, readLinks } from './metrics/links.js'
import { countEvents, readHoldings, readTraffic } from './metrics/replica.js'
import type { DiskWork } from './timed-storage.js'

export interface MetricsOptions {
  readonly region: string
  readonly version: string
  /** How many regions there are: a number that a caller gives as its level is distinguished up to here. */
  readonly regions: () => number
  /** The directory of the store; undefined: in memory. */
  readonly directory: string | undefined
  readonly clients: () => ClientsStatus | undefined
  readonly certificates: () => readonly { readonly listener: string; readonly expiresAt: number | undefined }[]
  readonly isReady: () => boolean
  /** Of each listener that is open. */
  readonly unauthenticated: () => { readonly [listener: string]: UnauthenticatedStatus | undefined }
}

/** Seconds: a read from memory takes some millionths, a quorum over an ocean some tenths. */
const REQUEST_BUCKETS = [
  0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5,
]
const DISK_BUCKETS = [0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.5, 2]

/** Everything that /metrics reports. No label holds an id, a key, or what a caller chose. */
export class Metrics {
  readonly registry = new Registry()
  readonly #instruments = new Instruments(this.registry)
  readonly #options: MetricsOptions
  readonly #requests: Histogram
  readonly #errors: Counter
  readonly #quorumUnmet: Counter
  readonly #writes: Histogram
  readonly #writeFailures: Counter
  readonly #reloads: Counter
  readonly #faults: Counter
  readonly #identity: Counter
  /** For `sojourn top`, which has no Prometheus to ask. */
  readonly totals = { requests: 0, errors: 0, seconds: 0 }

  constructor(options: MetricsOptions) {
    const registers = [this.registry]
    this.#options = options
    this.registry.setDefaultLabels({ region: options.region })
    collectDefaultMetrics({ register: this.registry })
    this.#requests = new Histogram({
      name: 'sojourn_request_seconds',
      help: 'Duration of session API calls, by operation, consistency level and outcome (ok, absent, or an error code)',
      labelNames: ['operation', 'level', 'outcome'],
      buckets: REQUEST_BUCKETS,
      registers,
    })
    this.#errors = this.#instruments.counter(
      'sojourn_errors_total',
      'Calls that failed, by operation and code',
      'operation',
      'code',
    )
    this.#quorumUnmet = this.#instruments.counter(
      'sojourn_quorum_unmet_total',
      'Calls that too few regions answered in time, by kind',
      'kind',
    )
    this.#writes = new Histogram({
      name: 'sojourn_storage_write_seconds',
      help: 'Duration of disk writes, by what: append (journal), sync (fsync of the journal) or rows (checkpoint)',
      labelNames: ['what'],
      buckets: DISK_BUCKETS,
      registers,
    })
    this.#writeFailures = this.#instruments.counter(
      'sojourn_storage_write_failures_total',
      'Disk writes that failed, by what',
      'what',
    )
    this.#reloads = this.#instruments.counter(
      'sojourn_reloads_total',
      'Reloads of files of certificates, tokens and keys, by file and outcome',
      'file',
      'outcome',
    )
    this.#faults = this.#instruments.counter(
      'sojourn_faults_total',
      'Faults that the replica survived, by code',
      'code',
    )
    this.#identity = this.#instruments.counter(
      'sojourn_identity_requests_total',
      'Requests of the identity listener, by endpoint and outcome',
      'endpoint',
      'outcome',
    )
    this.#readServer()
  }

  called({ operation, level, outcome, seconds }: CallSeen): void {
    const known = typeof level === 'string' || (level >= 1 && level <= this.#options.regions())
    this.#requests.observe({ operation, level: known ? String(level) : 'other', outcome }, seconds)
    this.totals.requests++
    this.totals.seconds += seconds
    if (outcome === 'ok' || outcome === 'absent') return
    this.totals.errors++
    this.#errors.inc({ operation, code: outcome })
    if (outcome === 'QUORUM_UNMET') this.#quorumUnmet.inc({ kind: operation === 'get' ? 'read' : 'write' })
  }

  wrote({ what, seconds, ok }: { readonly what: DiskWork; readonly seconds: number; readonly ok: boolean }): void {
    if (ok) this.#writes.observe({ what }, seconds)
    else this.#writeFailures.inc({ what })
  }

  reloaded(file: string, error?: unknown): void {
    this.#reloads.inc({ file, outcome: error === undefined ? 'ok' : isSojournError(error) ? error.code : 'BUG' })
  }

  /** @param outcome one of a few words, whatever was asked */
  askedOfTokens(endpoint: string, outcome: string): void {
    this.#identity.inc({ endpoint, outcome })
  }

  fault(code: ErrorCode): void {
    this.#faults.inc({ code })
  }

  /** Reports what a replica is, holds and hears from now on. */
  watch(replica: Replica): void {
    const instruments = this.#instruments
    countEvents(instruments, replica)
    readHoldings(instruments, replica)
    readTraffic(instruments, replica)
    readLinks(instruments, replica)
    readLinkFailures(instruments, replica)
    readClients(instruments, this.#options.clients)
  }

  /** What the server has beside its replica. */
  #readServer(): void {
    const instruments = this.#instruments
    const options = this.#options
    instruments.gauge('sojourn_build_info', 'Always 1, labelled with the version', ['version'], (gauge) =>
      gauge.set({ version: options.version }, 1),
    )
    instruments.gauge('sojourn_ready', '1 if the server is ready for requests, else 0', [], (gauge) =>
      gauge.set(options.isReady() ? 1 : 0),
    )
    instruments.gauge(
      'sojourn_certificate_expiry_timestamp_seconds',
      'Expiry of the certificate of a listener, in seconds since 1970',
      ['listener'],
      (gauge) => {
        gauge.reset()
        for (const { listener, expiresAt } of options.certificates())
          if (expiresAt !== undefined) gauge.set({ listener }, expiresAt / 1_000)
      },
    )
    instruments.gauge(
      'sojourn_unauthenticated_connections',
      'Unauthenticated connections, by listener',
      ['listener'],
      (gauge) => {
        for (const [listener, status] of Object.entries(options.unauthenticated()))
          if (status) gauge.set({ listener }, status.connections)
      },
    )
    instruments.total(
      'sojourn_unauthenticated_evicted_total',
      'Unauthenticated connections closed to make room for newer ones, by listener',
      ['listener'],
      (set) => {
        for (const [listener, status] of Object.entries(options.unauthenticated()))
          if (status) set({ listener }, status.evicted)
      },
    )
    instruments.gauge('sojourn_disk_bytes', 'Size of the store on disk, in bytes', [], async (gauge) => {
      if (options.directory !== undefined) gauge.set(await directoryBytes(options.directory))
    })
  }
}
