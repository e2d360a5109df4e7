// Rows written without waiting for the disk until LevelDB ends its log, and then one that waits for it (see rows-sync.test.ts).
import { accessSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { levelEngine } from '@sojourn/store'

const [location] = process.argv.slice(2)
const logs = () => readdirSync(join(location, 'rows')).filter((name) => name.endsWith('.log'))

const { rows, close } = await levelEngine.open(location)
const [first] = logs()
const value = Buffer.alloc(32 * 1024, 7)
for (let n = 0; logs().every((name) => name === first); n++)
  await rows.write([{ type: 'put', key: Buffer.from(`${n}`), value }], false)
await rows.write([{ type: 'put', key: Buffer.from('last'), value: Buffer.from('synced') }], true)
try {
  // Whoever reads what the system was asked for finds this moment by it.
  accessSync('/the-rows-are-synced')
} catch {}
await close()
