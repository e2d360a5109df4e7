/** What a login says of a session, to records and from them. */
import type {
  ActorId,
  Authentication,
  NewIdentity,
  SecretHash,
  ShownIdentity,
  Stamp,
  SubjectHash,
} from '@sojourn/core/internal'
import {
  checkOption,
  compareStamps,
  decodeDetails,
  encodeDetails,
  isFarAhead,
  MAX_AMR,
  nextStamp,
  refuseOption,
  SUBJECT_RULE,
} from '@sojourn/core/internal'
import type { Settings } from './options.js'
import { SubjectKeys } from './subject-keys.js'
import type { Subjects } from './subjects.js'

/** As a call gives it. */
export interface Login {
  readonly subject?: string | undefined
  readonly device?: string | undefined
  readonly auth?:
    | {
        readonly time?: number | undefined
        readonly acr?: string | undefined
        readonly amr?: readonly string[] | undefined
      }
    | undefined
}

export class Logins {
  readonly #region: string
  /** Undefined: no key is set. */
  readonly #keys: SubjectKeys | undefined
  readonly #subjects: Subjects
  readonly #actor: ActorId
  readonly #maxClockSkewMs: number
  /** The stamp of the last login here. */
  #last: Stamp | undefined
  readonly #shown = new WeakMap<Uint8Array, ShownIdentity>()

  /** @param actor stamps logins */
  constructor(
    { region, subjectKey, maxClockSkewMs, ports }: Pick<Settings, 'region' | 'subjectKey' | 'maxClockSkewMs' | 'ports'>,
    actor: ActorId,
    subjects: Subjects,
  ) {
    this.#region = region
    this.#actor = actor
    this.#maxClockSkewMs = maxClockSkewMs
    this.#keys = subjectKey === undefined ? undefined : new SubjectKeys(subjectKey, ports.random)
    this.#subjects = subjects
  }

  /** @throws INVALID_OPTION where no key is set */
  get #keyed(): SubjectKeys {
    const why = 'the replica has no key for subjects. Set `subjectKey`, or `secret`, the same in all regions'
    return this.#keys ?? refuseOption('subject', why)
  }

  /** @throws INVALID_OPTION for what is no subject, and where no key is set */
  hashOf(subject: string): SubjectHash {
    checkOption(subject, 'subject', SUBJECT_RULE)
    return this.#keyed.hashOf(subject)
  }

  /**
   * Who a session is of, from now on.
   * @param secret undefined: of an id that has none
   * @param before the stamp of the session's last authentication
   * @throws INVALID_OPTION
   */
  identity(secret: SecretHash | undefined, login: Login, now: number, before?: Stamp): NewIdentity {
    const { subject, device, auth } = login
    if (subject === undefined && device === undefined && auth === undefined)
      return { secret, authentication: undefined }
    // An identity provider's clock may be a little ahead of ours, which is no reason to refuse its users.
    if (auth?.time !== undefined && auth.time > now + this.#maxClockSkewMs)
      refuseOption('auth.time', `is ${auth.time}, and now is ${now}. Give the time at which the user was authenticated`)
    const time = Math.min(auth?.time ?? now, now)
    const amr = auth?.amr ?? []
    if (amr.length > MAX_AMR) refuseOption('auth.amr', `has ${amr.length} methods. Give at most ${MAX_AMR}`)
    const hash = subject === undefined ? undefined : this.#keyed.hashOf(subject)
    const sealedSubject = subject === undefined ? undefined : this.#keyed.seal(subject)
    const details = encodeDetails({ sealedSubject, device, time, acr: auth?.acr, amr, region: this.#region })
    return { secret, authentication: { stamp: this.#stamp(hash, now, before), subject: hash, details } }
  }

  /**
   * After the last authentication of the session, the latest cutoff of the subject, and the last login here. Else two of one millisecond could
   * have one stamp, and which of them is the older one would be a matter of their keys.
   */
  #stamp(subject: SubjectHash | undefined, now: number, before: Stamp | undefined): Stamp {
    const cutoffs = subject === undefined ? [] : (this.#subjects.cutoffOf(subject)?.entries ?? [])
    // One that was made while the clock was wrong must not lead all that come after it astray, nor one that no other region takes.
    const last = this.#last && this.#last.time <= now + this.#maxClockSkewMs ? this.#last : undefined
    const own = [before, ...cutoffs.map(({ stamp }) => stamp)].filter((stamp) => stamp && !isFarAhead({ stamp }, now))
    const known = [last, ...own].filter((stamp) => stamp !== undefined)
    this.#last = nextStamp(known.sort(compareStamps).at(-1), now, this.#actor)
    return this.#last
  }

  /** What a session shows of its authentication. Opened once for as long as the record is in memory: it is read far more often than it changes. */
  shown({ details }: Authentication): ShownIdentity {
    const known = this.#shown.get(details)
    if (known) return known
    const shown = this.#open(details)
    this.#shown.set(details, shown)
    return shown
  }

  #open(details: Uint8Array): ShownIdentity {
    const { sealedSubject, device, time, acr, amr } = decodeDetails(details)
    return {
      subject: sealedSubject && this.#keys?.open(sealedSubject),
      device,
      // Shared by all who read the record.
      auth: Object.freeze({
        time,
        ...(acr !== undefined && { acr }),
        ...(amr.length > 0 && { amr: Object.freeze(amr) }),
      }),
    }
  }

  /** The region of a login. */
  regionOf({ details }: Authentication): string {
    return decodeDetails(details).region
  }
}
