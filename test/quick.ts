/** `npm run test:quick`: the tests of `quick-files.ts` alone. */
import { startVitest } from 'vitest/node'
import { QUICK_FILES } from './quick-files.ts'

const files = Object.values(QUICK_FILES).flat()
await startVitest(
  'test',
  files.map((file) => `test/${file}`),
  { watch: false },
)
