import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // What never comes fails after these; nothing is measured by them, and a busy machine takes its time.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } },
    // Tests start servers and native modules: a process each, as many as there are cores.
    pool: 'forks',
  },
})
