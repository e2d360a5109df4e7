import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const source = (name: string) => fileURLToPath(new URL(`./packages/${name}/src/index.ts`, import.meta.url))

export default defineConfig({
  resolve: {
    // Tests run the sources, so that a stale build can never pass for the code.
    alias: Object.fromEntries(
      ['core', 'wire', 'store', 'replica', 'express', 'client', 'server', 'sim'].map((n) => [
        `@sojourn/${n}`,
        source(n),
      ]),
    ),
  },
  test: { include: ['test/**/*.test.ts'], testTimeout: 60_000, hookTimeout: 60_000, maxWorkers: 2 },
})
