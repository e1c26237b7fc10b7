#!/usr/bin/env node
// The `atoll` command, under any Node from 20 on: what it does stands in `atoll/main.ts`, which the
// pinned Node runs.
process.argv.splice(2, 0, '--here', 'scripts/atoll/main.ts')
await import('./run.mjs')
