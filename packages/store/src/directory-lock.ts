/** Lets one owner at a time have a store's directory, whatever name it is opened by, before LevelDB is touched. */
import {
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { SojournError } from '@sojourn/core/internal'

/**
 * LevelDB locks its directory by itself, but not against its own process: a second open finds the name in a table, closes the LOCK file,
 * and with that drops the POSIX lock that the first one holds; and the table is keyed by spelling. So this lock comes first.
 *
 * Claims are numbered files, `owner.<n>`, and the highest number counts. A claim is made by linking a file that is written already, so
 * nobody sees it half-written, and only one taker gets a number. The highest number is never removed, only marked as released, so a
 * number is not given out twice: a slow taker cannot clear away the claim of a quick one.
 */
const CLAIM = /^owner\.(\d{1,15})$/
const PREFIX = 'owner.'
/** Takers that meet try again so often; each time one of them has got it. */
const MAX_TRIES = 64

export interface DirectoryLock {
  /** The directory's real path: open it by this name only. */
  readonly directory: string
  /**
   * Call it when the storage engine has opened the directory: until then {@link release} gives back what was taken over, for the engine's
   * lock may show that an owner whom this process cannot see (in another container, or on another machine) is alive.
   */
  confirm(): void
  release(): void
}

/** Who has a directory. Times of the system, of processes and of machines distinguish a process that is gone from one that reuses its number. */
interface Owner {
  readonly pid: number
  /** When the process started, in ticks since the machine started, from /proc; undefined where there is none. */
  readonly started?: string | undefined
  readonly host: string
  /** Which start of the machine. */
  readonly boot?: string | undefined
  /** In which process numbers count: a container has its own. */
  readonly pids?: string | undefined
  /** Device and number of the directory: in a copy of it they are others. */
  readonly directory: string
}

interface Claim {
  readonly number: number
  /** As it is in the file. */
  readonly text: string
  /** Undefined: released, or unreadable. */
  readonly owner: Owner | undefined
  /** When it was made. */
  readonly since: Date
}

/**
 * Takes a directory for this thread of this process; makes it where it is missing, for its owner's eyes alone.
 * @throws STORE_LOCKED, which says who has it and since when; STORE_FAILED where it cannot be made or written to
 * @example
 * const lock = lockDirectory('/var/lib/sojourn/store')
 * try { … open it, then lock.confirm() … } finally { lock.release() }
 */
export const lockDirectory = (path: string): DirectoryLock => {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    const directory = realpathSync(path)
    return claim(directory)
  } catch (cause) {
    if (cause instanceof SojournError) throw cause
    throw new SojournError('STORE_FAILED', `${path} cannot be taken (${(cause as Error).message})`, { cause })
  }
}

const claim = (directory: string): DirectoryLock => {
  const before = latestClaim(directory)
  if (before) refuseHeld(directory, before)
  const text = JSON.stringify(ourselves(directory))
  const draft = writeDraft(directory, text)
  try {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const latest = latestClaim(directory)
      if (latest) refuseHeld(directory, latest, draft.descriptor)
      const number = (latest?.number ?? 0) + 1
      if (!publish(draft.path, join(directory, `${PREFIX}${number}`), text)) continue
      // A higher one: somebody was quicker, and what we counted from is gone.
      if (latestClaim(directory)?.number === number) return held(directory, number, latest, draft.descriptor)
    }
  } catch (error) {
    closeSync(draft.descriptor)
    throw error
  } finally {
    rmSync(draft.path, { force: true })
  }
  closeSync(draft.descriptor)
  throw new SojournError('STORE_LOCKED', `${directory} is being opened by other processes. Try again`)
}

/**
 * The draft stays open as long as the lock is held: by that a thread is known to be alive. Node closes what a worker has open when that
 * ends.
 */
const writeDraft = (directory: string, text: string): { readonly path: string; readonly descriptor: number } => {
  for (let n = 0; ; n++) {
    const path = join(directory, `${PREFIX}draft.${process.pid}.${n}`)
    try {
      const descriptor = openSync(path, 'wx', 0o600)
      writeSync(descriptor, text)
      return { path, descriptor }
    } catch (error) {
      // Another thread's, or left by a process that was killed.
      if (codeOf(error) !== 'EEXIST' || n >= MAX_TRIES) throw error
    }
  }
}

/** Systems without hard links: there a claim can be seen half-written, and LevelDB's lock decides. */
const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']

/** Whether the number was free. */
const publish = (draft: string, path: string, text: string): boolean => {
  try {
    try {
      linkSync(draft, path)
    } catch (error) {
      if (!NO_LINKS.includes(codeOf(error) ?? '')) throw error
      writeFileSync(path, text, { flag: 'wx', mode: 0o600 })
    }
    return true
  } catch (error) {
    // ENOENT: a taker who cannot see this process has cleared the draft away.
    if (['EEXIST', 'ENOENT'].includes(codeOf(error) ?? '')) return false
    throw error
  }
}

const held = (directory: string, number: number, takenOver: Claim | undefined, descriptor: number): DirectoryLock => {
  const path = join(directory, `${PREFIX}${number}`)
  let isConfirmed = false
  let isReleased = false
  return {
    directory,
    confirm() {
      isConfirmed = true
      clearAway(directory, number)
    },
    release() {
      if (isReleased) return
      isReleased = true
      try {
        // Emptied in place: that works on a full disk, too.
        if (isConfirmed || !takenOver?.text) truncateSync(path)
        else giveBack(path, takenOver.text)
      } catch {
        // The directory is gone, or the disk refuses: the claim is void when this process has ended, or has closed its file.
      } finally {
        closeSync(descriptor)
      }
    },
  }
}

const giveBack = (path: string, text: string): void => {
  const draft = `${path}.draft`
  writeFileSync(draft, text, { mode: 0o600 })
  renameSync(draft, path)
}

/** Removes claims that count no more, and what takers left who were killed. */
const clearAway = (directory: string, number: number): void => {
  for (const name of readdirSync(directory)) {
    if (!name.startsWith(PREFIX)) continue
    const path = join(directory, name)
    const claimed = CLAIM.exec(name)?.[1]
    const isOver = claimed === undefined ? !isDraftInUse(path, directory) : Number(claimed) < number
    if (isOver) rmSync(path, { force: true })
  }
}

const isDraftInUse = (path: string, directory: string): boolean => {
  const owner = parseOwner(readOr(() => readFileSync(path, 'utf8')) ?? '')
  return owner !== undefined && (owner.pid === process.pid || isAlive(owner, directory))
}

/** The claim that counts. */
const latestClaim = (directory: string): Claim | undefined => {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const numbers = readdirSync(directory).flatMap((name) => CLAIM.exec(name)?.[1] ?? [])
    if (numbers.length === 0) return undefined
    const number = Math.max(...numbers.map(Number))
    const path = join(directory, `${PREFIX}${number}`)
    try {
      const text = readFileSync(path, 'utf8')
      return { number, text, owner: parseOwner(text), since: statSync(path).mtime }
    } catch (error) {
      // A higher one took its place, and it was cleared away.
      if (codeOf(error) !== 'ENOENT') throw error
    }
  }
  return undefined
}

const parseOwner = (text: string): Owner | undefined => {
  try {
    const owner = JSON.parse(text) as Owner | null
    return Number.isSafeInteger(owner?.pid) && typeof owner?.directory === 'string' ? owner : undefined
  } catch {
    return undefined
  }
}

/** @throws STORE_LOCKED */
const refuseHeld = (directory: string, { owner, since }: Claim, own?: number): void => {
  const ours = isOpenHere(directory, own)
  if (!ours && (owner === undefined || !isAlive(owner, directory))) return
  const who =
    ours || owner?.pid === process.pid
      ? `this process (${process.pid})`
      : `process ${owner?.pid} on ${JSON.stringify(owner?.host)}`
  throw new SojournError(
    'STORE_LOCKED',
    `${directory} is open already: ${who} has had it since ${since.toISOString()}. ${ONE_OWNER}`,
  )
}

/** What to do about it. */
export const ONE_OWNER =
  'A directory has one owner. Run `sojourn serve` on it and connect the other processes to that server, or give each its own directory.'

/** Whether the owner of a claim lives, as far as this process can see it; where it cannot, LevelDB's lock decides. */
const isAlive = (owner: Owner, directory: string): boolean => {
  const own = ourselves(directory)
  if (owner.directory !== own.directory || owner.boot !== own.boot || owner.pids !== own.pids) return false
  if (own.pids === undefined && owner.host !== own.host) return false
  // What of this process has the directory has a file open there, and there is none.
  if (owner.pid === own.pid && own.started !== undefined) return false
  const started = startOf(owner.pid)
  if (started !== undefined) return started === owner.started
  // No /proc, or one that hides the processes of other users: those answer with EPERM.
  try {
    process.kill(owner.pid, 0)
    return own.started === undefined
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
}

const ourselves = (directory: string): Owner => {
  const { dev, ino } = statSync(directory, { bigint: true })
  return {
    pid: process.pid,
    started: startOf('self'),
    host: hostname(),
    boot: readOr(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    pids: readOr(() => readlinkSync('/proc/self/ns/pid')),
    directory: `${dev}:${ino}`,
  }
}

/**
 * Field 22 of /proc/<pid>/stat, after the name of the program, which can hold anything (proc_pid_stat(5)). Undefined where the process is
 * gone, or was not waited for yet, or there is no /proc.
 */
const startOf = (pid: number | 'self'): string | undefined => {
  const stat = readOr(() => readFileSync(`/proc/${pid}/stat`, 'utf8'))
  const [state, ...fields] = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? []
  return state === undefined || state === 'Z' || state === 'X' ? undefined : fields[18]
}

/** Whether any thread of this process holds a claim on the directory, or is about to. Not known without /proc. */
const isOpenHere = (directory: string, except?: number): boolean => {
  const start = join(directory, PREFIX)
  for (const name of readOr(() => readdirSync('/proc/self/fd')) ?? []) {
    if (Number(name) === except) continue
    if (readOr(() => readlinkSync(`/proc/self/fd/${name}`))?.startsWith(start)) return true
  }
  return false
}

const readOr = <T>(read: () => T): T | undefined => {
  try {
    return read()
  } catch {
    return undefined
  }
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException | undefined)?.code
