import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'

/** Makes a random secret that only the owner of the file can read, unless there is one already. */
export const makeSecret = (file: string): void => {
  try {
    writeFileSync(file, `${randomBytes(32).toString('base64url')}\n`, { flag: 'wx', mode: 0o600 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

export const readSecret = (file: string): string => readFileSync(file, 'utf8').trim()
