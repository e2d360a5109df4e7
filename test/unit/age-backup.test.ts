/** Encryption to age recipients, byte by byte: what is cut, what is long, what is slow, and what a region or a disk got wrong. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { systemRandom } from '@sojourn/core/internal'
import { generateHybridIdentity, generateX25519Identity, identityToRecipient } from 'age-encryption'
import { describe, expect, it, onTestFinished } from 'vitest'
import { AgeIdentities, AgeRecipients, openAge } from '../../packages/cli/src/age.js'
import { encryptedCopy } from '../../packages/cli/src/backup-copy.js'
import { checkBackup, encodeBackup } from '../../packages/server/src/backup/format.js'
import { BackupSeal } from '../../packages/server/src/backup/sealing.js'
import { ringOf } from '../support/sealed.js'

const ABOUT = { region: 'eu', takenAt: 1_700_000_000_000, version: '0.1.0' }

/** A backup of no rows, encrypted with the command `age` 1.2.1, and the identity that opens it. */
const OF_AGE = {
  identity: 'AGE-SECRET-KEY-15TG93335DUTDARQGJHNYYJ63HD8QLWEPM3RCK2SYN0TM68WQMKVQAR3VGC',
  file: Buffer.from(
    [
      'YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSBZcWxOZFNCOEttMDRieitXb0NXd2loZ1EwdkhINE1ieUQvczJyUkRLUEdZ',
      'CjRaVlR4c0htU0dvalNrUU5DU3VYY21KRFgvRUtKeHptMS85WUcyMDROaTQKLS0tIERzOGxIaUxRZlZGQmU4R01wbCtOTWNUekRp',
      'aFFyNFZCeVNFVWFXUnN1T1kKLFauFey6a4AxxEh6qQBNHzFHYBK2yB2DbqnWPrLNkDgPiF9au/M3/7hBhT1exWmtJZWquu/i+dW5',
      'es3g1dvU4S/4kXMmYfDHB5eo4XfSYPgpRKrDYfUbWN+iL/hMbQDDtoXU91wAKkouKQXT0eHFD1FDRxhBbkHaUsXw5iUoLpDhFSK/',
      '8fQqKktK2OmhQIOZh5sZxsSzKQ==',
    ].join(''),
    'base64',
  ),
}

const rows = async function* () {
  for (let n = 0; n < 3; n++) yield [[Buffer.from(`s${n}`), Buffer.alloc(30_000, n)]] as [Buffer, Buffer][]
}

const chunksOf = async function* (bytes: Uint8Array, size = 1_000) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

const all = async (stream: AsyncIterable<Uint8Array>): Promise<Buffer> => {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

const keyPair = async (make: () => Promise<string> = generateX25519Identity) => {
  const identity = await make()
  const directory = mkdtempSync(join(tmpdir(), 'sojourn-age-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const file = join(directory, 'key')
  writeFileSync(file, `${identity}\n`)
  const [recipients, identities] = [
    await AgeRecipients.of([await identityToRecipient(identity)]),
    await AgeIdentities.of([file]),
  ]
  return { recipients: recipients!, identities: identities! }
}

describe('[CRYPT-8] an age file', () => {
  it.each([
    ['X25519', generateX25519Identity],
    ['post-quantum', generateHybridIdentity],
  ])('is opened by the identity of its recipient (%s), and by no other', async (_, make) => {
    const { recipients, identities } = await keyPair(make)
    const backup = await all(encodeBackup(ABOUT, rows()))
    const file = await all(recipients.encrypt(chunksOf(backup)))
    expect(await all(openAge(chunksOf(file, 7), identities))).toEqual(backup)
    const other = await keyPair(make)
    await expect(all(openAge(chunksOf(file), other.identities))).rejects.toMatchObject({ code: 'ENCRYPTION_KEY' })
    await expect(all(openAge(chunksOf(file), undefined))).rejects.toMatchObject({ code: 'ENCRYPTION_KEY' })
  })

  it('that the command age wrote is opened', async () => {
    const { identities } = await keyPair(async () => OF_AGE.identity)
    const header = { region: 'eu', takenAt: 1_764_000_000_000, version: '1.0.0' }
    expect(await checkBackup(openAge(chunksOf(OF_AGE.file), identities))).toEqual({ header, rows: 0 })
  })

  it('is refused wherever it is cut, and with bytes after its end', async () => {
    const { recipients, identities } = await keyPair()
    const file = await all(recipients.encrypt(encodeBackup(ABOUT, rows())))
    const places = [...Array(260).keys(), 65_000, 66_000, file.length - 17, file.length - 16, file.length - 1]
    for (const place of places)
      await expect(
        checkBackup(openAge(chunksOf(file.subarray(0, place)), identities)),
        `${place}`,
      ).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
    const longer = Buffer.concat([file, Buffer.alloc(1)])
    await expect(checkBackup(openAge(chunksOf(longer), identities))).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
  })

  it('with a header that does not end is refused before it fills the memory', async () => {
    const { identities } = await keyPair()
    let given = 0
    const endless = async function* () {
      yield Buffer.from('age-encryption.org/v1\n-> X25519 ')
      for (;;) {
        given += 65_536
        yield Buffer.alloc(65_536, 'x')
      }
    }
    await expect(all(openAge(endless(), identities))).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
    expect(given).toBeLessThan(2 * 1024 * 1024)
  })

  it('that is armored, or cannot be read, says so', async () => {
    const { recipients, identities } = await keyPair()
    const armored = chunksOf(Buffer.from('-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n'))
    await expect(all(openAge(armored, identities))).rejects.toMatchObject({ code: 'STORE_FORMAT' })
    const file = await all(recipients.encrypt(encodeBackup(ABOUT, rows())))
    const fault = new Error('EIO')
    const failing = async function* () {
      yield file.subarray(0, 70_000)
      throw fault
    }
    await expect(all(openAge(failing(), identities))).rejects.toBe(fault)
  })

  it('is encrypted no faster than it is written, and no longer than it is read', async () => {
    const { recipients } = await keyPair()
    let given = 0
    let end = (): void => {}
    const ended = new Promise<void>((resolve) => {
      end = resolve
    })
    const source = async function* () {
      try {
        for (;;) {
          given++
          yield Buffer.alloc(65_536)
        }
      } finally {
        end()
      }
    }
    let taken = 0
    for await (const chunk of recipients.encrypt(source())) {
      taken += chunk.length
      expect(given * 65_536 - taken).toBeLessThan(8 * 65_536)
      if (given > 100) break
    }
    // Whoever stops reading closes the connection that the bytes come from.
    await ended
  })
})

describe('[CRYPT-8] a copy that nobody here can open', () => {
  it('is what the region sent, and counts its rows', async () => {
    const { recipients, identities } = await keyPair()
    const copy = encryptedCopy(recipients)
    const file = await all(copy.written(encodeBackup(ABOUT, rows())))
    expect(await copy.check(chunksOf(file))).toEqual({ header: ABOUT, rows: 3 })
    expect((await checkBackup(openAge(chunksOf(file), identities))).rows).toBe(3)
  })

  it('is refused where the disk gives something else back', async () => {
    const { recipients } = await keyPair()
    const copy = encryptedCopy(recipients)
    const file = await all(copy.written(encodeBackup(ABOUT, rows())))
    file[70_000]! ^= 1
    await expect(copy.check(chunksOf(file))).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
  })

  it('is refused where the region sends what is cut or altered, however large, or fails', async () => {
    const { recipients } = await keyPair()
    const backup = await all(encodeBackup(ABOUT, rows()))
    const altered = Buffer.from(backup)
    altered[50_000]! ^= 1
    const early = Buffer.concat([Buffer.from('sojourn-backup 9\n'), Buffer.alloc(1_000_000)])
    for (const bytes of [altered, backup.subarray(0, -1), backup.subarray(0, 40_000), early])
      await expect(all(encryptedCopy(recipients).written(chunksOf(bytes)))).rejects.toMatchObject({
        code: expect.stringMatching(/^STORE_(CORRUPT|FORMAT)$/),
      })
    const fault = new Error('socket hang up')
    const failing = async function* () {
      yield backup.subarray(0, 40_000)
      throw fault
    }
    await expect(all(encryptedCopy(recipients).written(failing()))).rejects.toBe(fault)
  })

  it('fails as its disk does, and lets go of the region', async () => {
    const { recipients } = await keyPair()
    const full = new Error('ENOSPC')
    const disk = new Writable({ write: (_chunk, _encoding, done) => done(full) })
    let end = (): void => {}
    const ended = new Promise<void>((resolve) => {
      end = resolve
    })
    const endless = async function* () {
      try {
        yield* encodeBackup(ABOUT, rows())
        for (;;) yield Buffer.alloc(65_536)
      } finally {
        end()
      }
    }
    const copied = pipeline(endless(), (from) => encryptedCopy(recipients).written(from), disk)
    await expect(copied).rejects.toBe(full)
    await ended
  })

  it('is refused where an older server seals it all the same', async () => {
    const { recipients } = await keyPair()
    const seal = await BackupSeal.begin(ringOf('a'), systemRandom, ABOUT)
    const sent = encodeBackup(ABOUT, rows(), seal)
    await expect(all(encryptedCopy(recipients).written(sent))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })
})
