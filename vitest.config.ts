import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { defineConfig } from 'vitest/config'

const FILES = 'test/**/*.test.ts'

/** Files that need a process of their own: they mock modules that others import too. */
const ALONE = globSync(FILES, { cwd: import.meta.dirname }).filter((file) =>
  readFileSync(path.join(import.meta.dirname, file), 'utf8').includes('vi.mock('),
)

// Node keeps what it compiled, for the workers and for every service that a test starts.
process.env.NODE_COMPILE_CACHE ??= path.join(import.meta.dirname, 'node_modules/.cache/node-compile')

export default defineConfig({
  test: {
    // What never comes fails after these; nothing is measured by them, and a busy machine takes its time.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 60_000 } },
    // Tests start servers and native modules: processes, as many as there are cores.
    pool: 'forks',
    maxWorkers: '100%',
    // A worker runs many files, so that what they import is loaded once. No file leaves anything behind.
    setupFiles: ['test/support/setup.ts'],
    restoreMocks: true,
    unstubGlobals: true,
    unstubEnvs: true,
    projects: [
      {
        extends: true,
        test: {
          name: 'together',
          include: [FILES],
          exclude: ALONE,
          isolate: false,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: { name: 'alone', include: ALONE, isolate: true, sequence: { groupOrder: 1 } },
      },
    ],
  },
})
