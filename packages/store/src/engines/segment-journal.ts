/** A journal in segment files: the main thread appends, as Redis does to its append-only file, and another thread syncs. */
import {
  closeSync,
  fdatasync,
  fsync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Journal, type JournalEntry, SojournError } from '@sojourn/core/internal'
import { FRAME_BYTES, type Frames, readFrames, writeFrame } from './frames.js'

const SUFFIX = '.journal'
const NAME_DIGITS = 16
const NAME = /^\d{16}\.journal$/
/** "SJRN", and the version of the frames. */
const HEADER = Buffer.from([0x53, 0x4a, 0x52, 0x4e, 1, 0, 0, 0])
const VERSION_AT = 4
/** A segment is ended when it has so many bytes: the journal is dropped by whole segments. */
const SEGMENT_BYTES = 4 * 1024 * 1024
export interface SegmentJournalOptions {
  /** Bytes after which a segment is ended. Default 4 MiB. */
  readonly segmentBytes?: number
}

/** A longer frame gets a buffer of its own, so that one large entry is not paid for ever after. */
const MAX_SCRATCH_BYTES = 1024 * 1024
/** A segment that is not needed any more is replaced by an empty one if it has so many bytes. */
const WORTH_DROPPING_BYTES = 64 * 1024

interface Segment {
  /** The number of its first entry. */
  readonly first: number
  readonly path: string
  bytes: number
}

const syncData = promisify(fdatasync)
const syncAll = promisify(fsync)

const failed = (doing: string, error: unknown): SojournError =>
  new SojournError('STORE_FAILED', `${doing}: ${error instanceof Error ? error.message : String(error)}`, {
    cause: error,
  })

export class SegmentJournal implements Journal {
  readonly #directory: string
  readonly #segmentBytes: number
  /** The oldest first; entries are appended to the last one. */
  readonly #segments: Segment[]
  #file: number
  #head: number
  /** Bytes after the last whole entry that could not be cut off. */
  #isTorn = false
  /** Files with entries that no sync covers yet, but the last one. */
  #unsynced: number[] = []
  #isDirectoryUnsynced = true
  /** The sync under way, and the one that begins after it. */
  #syncing: Promise<void> | undefined
  #nextSync: Promise<void> | undefined
  #scratch = Buffer.alloc(64 * 1024)

  private constructor(directory: string, segments: Segment[], file: number, head: number, segmentBytes: number) {
    this.#directory = directory
    this.#segmentBytes = segmentBytes
    this.#segments = segments
    this.#file = file
    this.#head = head
  }

  /** Ends the journal at the last whole entry. @throws STORE_FAILED, STORE_FORMAT */
  static open(directory: string, { segmentBytes = SEGMENT_BYTES }: SegmentJournalOptions = {}): SegmentJournal {
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 })
      const segments = readdirSync(directory)
        .filter((name) => NAME.test(name))
        .sort()
        .map((name): Segment => ({ first: Number.parseInt(name, 10), path: join(directory, name), bytes: 0 }))
      if (segments.length === 0) segments.push(newSegment(directory, 1))
      for (const segment of segments) segment.bytes = statSync(segment.path).size
      const last = segments.at(-1)!
      const { entries, end, hasHeader } = readSegment(last)
      const head = entries.at(-1)?.number ?? last.first - 1
      last.bytes = end
      const file = openSync(last.path, 'r+', 0o600)
      if (!hasHeader) writeAll(file, HEADER, HEADER.length, 0)
      ftruncateSync(file, last.bytes)
      return new SegmentJournal(directory, segments, file, head, segmentBytes)
    } catch (error) {
      throw error instanceof SojournError ? error : failed('opening the journal', error)
    }
  }

  get head(): number {
    return this.#head
  }

  get bytes(): number {
    return this.#segments.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  append(after: number, bytes: Uint8Array): undefined {
    if (after !== this.#head)
      throw new SojournError('STORE_FENCED', `the journal ends at entry ${this.#head}, not at ${after}`)
    try {
      this.#repairTail()
      if (this.#last.bytes >= this.#segmentBytes) this.#rotate()
      this.#write(bytes)
    } catch (error) {
      throw failed('appending to the journal', error)
    }
    this.#head++
  }

  get #last(): Segment {
    return this.#segments.at(-1)!
  }

  #write(bytes: Uint8Array): void {
    const length = FRAME_BYTES + bytes.length
    const frame = this.#bufferOf(length)
    writeFrame(frame, 0, this.#head + 1, bytes)
    const segment = this.#last
    try {
      writeAll(this.#file, frame, length, segment.bytes)
      segment.bytes += length
    } catch (error) {
      this.#isTorn = true
      this.#repairTail()
      throw error
    }
  }

  #bufferOf(length: number): Buffer {
    if (length > MAX_SCRATCH_BYTES) return Buffer.allocUnsafe(length)
    if (this.#scratch.length < length) this.#scratch = Buffer.alloc(Math.min(2 * length, MAX_SCRATCH_BYTES))
    return this.#scratch
  }

  /** Cuts off what a failed append left. */
  #repairTail(): void {
    if (!this.#isTorn) return
    ftruncateSync(this.#file, this.#last.bytes)
    this.#isTorn = false
  }

  #rotate(): void {
    const segment = newSegment(this.#directory, this.#head + 1)
    const file = openSync(segment.path, 'r+', 0o600)
    this.#unsynced.push(this.#file)
    this.#file = file
    this.#segments.push(segment)
    this.#isDirectoryUnsynced = true
  }

  /** One at a time: whoever comes while one is under way waits for the next one, which knows of all that was appended by then. */
  sync(): Promise<void> {
    if (this.#syncing === undefined) {
      this.#syncing = this.#sync().finally(() => {
        this.#syncing = undefined
      })
      return this.#syncing
    }
    this.#nextSync ??= this.#syncing
      .catch(() => {})
      .then(() => {
        this.#nextSync = undefined
        return this.sync()
      })
    return this.#nextSync
  }

  async #sync(): Promise<void> {
    const file = this.#file
    const ended = this.#unsynced
    const isDirectoryUnsynced = this.#isDirectoryUnsynced
    this.#unsynced = []
    this.#isDirectoryUnsynced = false
    try {
      for (const each of [...ended, file]) await syncData(each)
      if (isDirectoryUnsynced) await syncDirectory(this.#directory)
      for (const each of ended) closeSync(each)
    } catch (error) {
      this.#unsynced.unshift(...ended)
      this.#isDirectoryUnsynced ||= isDirectoryUnsynced
      throw failed('syncing the journal', error)
    }
  }

  async *read(after: number): AsyncIterable<readonly JournalEntry[]> {
    for (const [index, segment] of this.#segments.entries()) {
      const next = this.#segments[index + 1]
      if (next && next.first <= after + 1) continue
      const entries = [...readSegment(segment).entries]
      // What is missing before the next segment is lost, and there is no more after it that says so.
      for (let number = (entries.at(-1)?.number ?? segment.first - 1) + 1; next && number < next.first; number++)
        entries.push({ number, bytes: undefined })
      yield entries.filter(({ number }) => number > after)
    }
  }

  async drop(through: number): Promise<void> {
    try {
      if (this.#head <= through && this.#last.bytes >= Math.min(this.#segmentBytes, WORTH_DROPPING_BYTES))
        this.#rotate()
      // By name they go from the oldest on: what is left is always without a gap.
      while (this.#segments.length > 1 && this.#segments[1]!.first <= through + 1) {
        unlinkSync(this.#segments[0]!.path)
        this.#segments.shift()
      }
    } catch (error) {
      throw failed('dropping a part of the journal', error)
    }
  }

  async close(): Promise<void> {
    await this.#nextSync?.catch(() => {})
    await this.#syncing?.catch(() => {})
    for (const file of this.#unsynced) closeSync(file)
    closeSync(this.#file)
  }
}

/** A file's name is on the disk with its directory. */
const syncDirectory = async (directory: string): Promise<void> => {
  // Windows opens no directories; its journal of the file system has the name.
  if (process.platform === 'win32') return
  const file = openSync(directory, 'r')
  try {
    await syncAll(file)
  } finally {
    closeSync(file)
  }
}

/** A disk that fills up takes a part, and says so only at the next write. */
const writeAll = (file: number, bytes: Buffer, length: number, at: number): void => {
  for (let done = 0; done < length; ) done += writeSync(file, bytes, done, length - done, at + done)
}

const newSegment = (directory: string, first: number): Segment => {
  const path = join(directory, `${String(first).padStart(NAME_DIGITS, '0')}${SUFFIX}`)
  const file = openSync(path, 'w', 0o600)
  try {
    writeAll(file, HEADER, HEADER.length, 0)
  } catch (error) {
    // On a full disk the journal could not be opened with it.
    unlinkSync(path)
    throw error
  } finally {
    closeSync(file)
  }
  return { first, path, bytes: HEADER.length }
}

/** @throws STORE_FORMAT for what is no segment that this version reads */
const readSegment = ({ first, path }: Segment): Frames & { readonly hasHeader: boolean } => {
  const bytes = readFileSync(path)
  const header = bytes.subarray(0, HEADER.length)
  const frames = readFrames(bytes, Math.min(HEADER.length, bytes.length), first)
  // A loss of power can leave a file of nothing, or of zeros. Where bits of the header flipped, the version, or the first entry, is still sound.
  const isOurs =
    header.equals(HEADER.subarray(0, header.length)) ||
    header.every((byte) => byte === 0) ||
    isDamagedHeader(header) ||
    frames.entries[0]?.bytes !== undefined
  if (!isOurs) throw new SojournError('STORE_FORMAT', `${path} is not a journal segment that this version reads`)
  return { ...frames, end: Math.max(frames.end, HEADER.length), hasHeader: header.equals(HEADER) }
}

/** The version is ours, and so are half of the other bytes. */
const isDamagedHeader = (header: Buffer): boolean =>
  header[VERSION_AT] === HEADER[VERSION_AT] &&
  header.filter((byte, at) => byte === HEADER[at]).length > HEADER.length / 2
