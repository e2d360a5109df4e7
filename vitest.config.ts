import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const source = (name: string, door = 'index') =>
  fileURLToPath(new URL(`./packages/${name}/src/${door}.ts`, import.meta.url))

export default defineConfig({
  resolve: {
    // Tests run the sources, so that a stale build can never pass for the code.
    alias: {
      // The first that fits counts, and a package's name fits its other doors, too.
      '@sojourn/core/internal': source('core', 'internal'),
      '@sojourn/store/contract': source('store', 'contract'),
      '@sojourn/store/keys': source('store', 'keys'),
      '@sojourn/server/parts': source('server', 'parts'),
      '@sojourn/replica/options': source('replica', 'option-table'),
      ...Object.fromEntries(
        [
          'core',
          'wire',
          'net',
          'store',
          'replica',
          'automerge',
          'express',
          'identity',
          'client',
          'server',
          'cli',
          'sim',
        ].map((n) => [`@sojourn/${n}`, source(n)]),
      ),
      ...Object.fromEntries(
        ['client', 'express', 'identity', 'replica'].map((n) => [`sojourn/${n}`, source('sojourn', n)]),
      ),
      sojourn: source('sojourn'),
    },
  },
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    // What runs in processes of its own (the demo, servers, examples) runs what `tsc -b` built, and does not count.
    coverage: { include: ['packages/*/src/**'], exclude: ['packages/sim/**'], reporter: ['text', 'html'] },
  },
})
