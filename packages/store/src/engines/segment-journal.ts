/** A journal in segment files: the main thread appends, as Redis does to its append-only file, and another thread syncs. */
import {
  closeSync,
  fdatasync,
  fstatSync,
  fsync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Journal, type JournalEntry, SojournError } from '@sojourn/core'
import { FRAME_BYTES, readFrames, writeFrame } from './frames.js'

const SUFFIX = '.journal'
const NAME_DIGITS = 16
/** "SJRN", and the version of the frames. */
const HEADER = Buffer.from([0x53, 0x4a, 0x52, 0x4e, 1, 0, 0, 0])
/** A segment is ended when it has so many bytes: the journal is dropped by whole segments. */
const SEGMENT_BYTES = 4 * 1024 * 1024
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
  /** The oldest first; entries are appended to the last one. */
  readonly #segments: Segment[]
  #file: number
  #head: number
  /** Bytes behind the last whole entry that could not be cut off. */
  #isTorn = false
  /** Files with entries that the disk was not told of, but the last one. */
  #unsynced: number[] = []
  #isDirectoryUnsynced = true
  #scratch = Buffer.alloc(64 * 1024)

  private constructor(directory: string, segments: Segment[], file: number, head: number) {
    this.#directory = directory
    this.#segments = segments
    this.#file = file
    this.#head = head
  }

  /** Ends the journal at the last whole entry. @throws STORE_FAILED, STORE_FORMAT */
  static open(directory: string): SegmentJournal {
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 })
      const segments = readdirSync(directory)
        .filter((name) => name.endsWith(SUFFIX))
        .sort()
        .map((name): Segment => ({ first: Number.parseInt(name, 10), path: join(directory, name), bytes: 0 }))
      if (segments.length === 0) segments.push(newSegment(directory, 1))
      let head = 0
      for (const segment of segments) {
        const bytes = readFileSync(segment.path)
        segment.bytes = bytes.length
        if (segment !== segments.at(-1)) continue
        checkHeader(segment, bytes)
        const { entries, end } = readFrames(bytes, HEADER.length, segment.first)
        head = entries.at(-1)?.number ?? segment.first - 1
        segment.bytes = Math.max(end, HEADER.length)
      }
      const last = segments.at(-1)!
      const file = openSync(last.path, 'r+', 0o600)
      if (fstatSync(file).size < HEADER.length) writeSync(file, HEADER, 0, HEADER.length, 0)
      ftruncateSync(file, last.bytes)
      return new SegmentJournal(directory, segments, file, head)
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
      if (this.#last.bytes >= SEGMENT_BYTES) this.#rotate()
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
    if (this.#scratch.length < length) this.#scratch = Buffer.alloc(2 * length)
    writeFrame(this.#scratch, 0, this.#head + 1, bytes)
    const segment = this.#last
    try {
      // A disk that fills up takes a part, and says so only at the next write.
      for (let done = 0; done < length; )
        done += writeSync(this.#file, this.#scratch, done, length - done, segment.bytes + done)
      segment.bytes += length
    } catch (error) {
      this.#isTorn = true
      this.#repairTail()
      throw error
    }
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

  async sync(): Promise<void> {
    const ended = this.#unsynced
    this.#unsynced = []
    try {
      for (const file of ended) await syncData(file)
      await syncData(this.#file)
      if (this.#isDirectoryUnsynced) await syncDirectory(this.#directory)
      this.#isDirectoryUnsynced = false
      for (const file of ended) closeSync(file)
    } catch (error) {
      this.#unsynced.unshift(...ended)
      throw failed('syncing the journal', error)
    }
  }

  async *read(after: number): AsyncIterable<readonly JournalEntry[]> {
    for (const [index, segment] of this.#segments.entries()) {
      const next = this.#segments[index + 1]
      if (next && next.first <= after + 1) continue
      const bytes = readFileSync(segment.path)
      checkHeader(segment, bytes)
      const { entries } = readFrames(bytes, HEADER.length, segment.first)
      yield entries.filter(({ number }) => number > after)
    }
  }

  async drop(through: number): Promise<void> {
    try {
      if (this.#head <= through && this.#last.bytes >= WORTH_DROPPING_BYTES) this.#rotate()
      // By name they go from the oldest on: what is left is always without a gap.
      while (this.#segments.length > 1 && this.#segments[1]!.first <= through + 1) {
        unlinkSync(this.#segments[0]!.path)
        this.#segments.shift()
      }
    } catch (error) {
      throw failed('dropping a part of the journal', error)
    }
  }

  close(): void {
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

const newSegment = (directory: string, first: number): Segment => {
  const path = join(directory, `${String(first).padStart(NAME_DIGITS, '0')}${SUFFIX}`)
  const file = openSync(path, 'w', 0o600)
  try {
    writeSync(file, HEADER)
  } finally {
    closeSync(file)
  }
  return { first, path, bytes: HEADER.length }
}

const checkHeader = ({ path }: Segment, bytes: Buffer): void => {
  if (bytes.length >= HEADER.length && !bytes.subarray(0, HEADER.length).equals(HEADER))
    throw new SojournError('STORE_FORMAT', `${path} is no segment of a journal that this version reads`)
}
