/** Stores that are encrypted, for tests: opened with a ring, and looked at as their engine has them. */
import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Storage, systemRandom } from '@sojourn/core/internal'
import { type Encryption, levelEngine, SealedEngine } from '@sojourn/store'
import { onTestFinished } from 'vitest'

export const ringOf = (...ids: readonly string[]) => ({
  keys: Object.fromEntries(ids.map((id) => [id, randomBytes(32)])),
  active: ids.at(-1)!,
})

export const emptyPlace = async (): Promise<string> => {
  const location = await mkdtemp(join(tmpdir(), 'sojourn-sealed-'))
  onTestFinished(() => rm(location, { recursive: true, force: true }))
  return location
}

interface Limits {
  readonly maxSeals?: number
  readonly reservedSeals?: number
}

export const sealedEngine = (encryption: Encryption | undefined, limits: Limits = {}): SealedEngine =>
  new SealedEngine(levelEngine, { encryption, random: systemRandom, ...limits })

/** Opens a place, uses it, and closes it again. */
export const within = async <T>(
  engine: { open(location: string): Promise<Storage> },
  location: string,
  use: (storage: Storage) => Promise<T>,
): Promise<T> => {
  const storage = await engine.open(location)
  try {
    return await use(storage)
  } finally {
    await storage.close()
  }
}

/** As the engine has it, sealed or not. */
export const raw = <T>(location: string, use: (storage: Storage) => Promise<T>): Promise<T> =>
  within(levelEngine, location, use)

export const rowsOf = async ({ rows }: Storage): Promise<Map<string, Buffer>> => {
  const out = new Map<string, Buffer>()
  for await (const chunk of rows.scan())
    for (const [key, value] of chunk) out.set(Buffer.from(key).toString('latin1'), Buffer.from(value))
  return out
}

/** The bytes of each entry that there is, in order; undefined: it is corrupt. */
export const entriesOf = async ({ journal }: Storage): Promise<(Buffer | undefined)[]> => {
  const out: (Buffer | undefined)[] = []
  for await (const chunk of journal.read(0)) for (const { bytes } of chunk) out.push(bytes && Buffer.from(bytes))
  return out
}

export const putAll = (storage: Storage, rows: Iterable<readonly [string, Uint8Array]>): Promise<void> =>
  storage.rows.write(
    [...rows].map(([key, value]) => ({ type: 'put' as const, key: Buffer.from(key, 'latin1'), value })),
    true,
  )

/** The names of the files below a directory in which some bytes stand. */
export const filesWith = async (directory: string, ...texts: readonly (string | Buffer)[]): Promise<string[]> => {
  const found: string[] = []
  for (const entry of await readdir(directory, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const bytes = await readFile(path)
    if (texts.some((text) => bytes.includes(text))) found.push(path)
  }
  return found
}
