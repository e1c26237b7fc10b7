/** `run.mjs` in a checkout of its own, where `npm` is a stand-in that notes its calls. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { root, type TemporaryFolder, temporaryFolder } from '../support/processes.ts'

const node = path.join(root, 'node_modules/node/bin/node')
const lockFile = (versions: Record<string, string>) =>
  JSON.stringify({
    packages: Object.fromEntries(Object.entries(versions).map(([name, version]) => [name, { version }])),
  })

let folder: TemporaryFolder
let calls: string

beforeEach(() => {
  folder = temporaryFolder()
  calls = path.join(folder.path, 'calls')
  mkdirSync(path.join(folder.path, 'scripts'))
  for (const name of ['scripts/run.mjs', 'scripts/stop-with-parent.ts'])
    cpSync(path.join(root, name), path.join(folder.path, name))
  writeFileSync(
    path.join(folder.path, 'package-lock.json'),
    lockFile({ '': '1.0.0', 'node_modules/node': '26.0.0' }),
  )
  writeFileSync(
    path.join(folder.path, 'script.ts'),
    'const n: number = Number(process.argv[2])\nprocess.exit(n)\n',
  )
  mkdirSync(path.join(folder.path, 'bin'))
  const npm = path.join(folder.path, 'bin/npm')
  writeFileSync(
    npm,
    `#!/bin/sh
     echo "$*" >> '${calls}'
     mkdir -p node_modules/node/bin && ln -s '${node}' node_modules/node/bin/node
     sleep 0.5
     cp package-lock.json node_modules/.package-lock.json`,
  )
  chmodSync(npm, 0o755)
})
afterEach(() => folder[Symbol.dispose]())

const run = (...args: string[]): ChildProcess =>
  spawn(process.execPath, [path.join(folder.path, 'scripts/run.mjs'), ...args], {
    env: { ...process.env, PATH: `${path.join(folder.path, 'bin')}:${process.env.PATH}` },
    stdio: 'ignore',
  })
const exit = async (child: ChildProcess) => ((await once(child, 'exit')) as [number | null, string | null])[0]

it('installs once what is missing, also when two commands start at once, and passes arguments and exit codes on', async () => {
  expect(await Promise.all([exit(run('script.ts', '3')), exit(run('script.ts', '4'))])).toEqual([3, 4])
  expect(readFileSync(calls, 'utf8').trim().split('\n')).toHaveLength(1)
  expect(readFileSync(calls, 'utf8')).toMatch(/^ci /)
  expect(await exit(run('script.ts', '0'))).toBe(0)
  expect(readFileSync(calls, 'utf8').trim().split('\n'), 'nothing is missing now').toHaveLength(1)
})

it('installs again when the lock file asks for something else', async () => {
  expect(await exit(run('script.ts', '0'))).toBe(0)
  writeFileSync(path.join(folder.path, 'package-lock.json'), lockFile({ 'node_modules/node': '26.0.1' }))
  expect(await exit(run('script.ts', '0'))).toBe(0)
  expect(readFileSync(calls, 'utf8').trim().split('\n')).toHaveLength(2)
})

it('is not held up by the lock of an install that was killed', async () => {
  const dead = spawn(process.execPath, ['--version'], { stdio: 'ignore' })
  await once(dead, 'exit')
  writeFileSync(path.join(folder.path, '.atoll-installing'), String(dead.pid))
  expect(await exit(run('script.ts', '5'))).toBe(5)
  expect(existsSync(path.join(folder.path, '.atoll-installing'))).toBe(false)
})

it('ends with an error when the install fails', async () => {
  writeFileSync(path.join(folder.path, 'bin/npm'), '#!/bin/sh\nexit 7\n')
  expect(await exit(run('script.ts', '0'))).toBe(1)
  expect(existsSync(path.join(folder.path, '.atoll-installing'))).toBe(false)
})

it('passes a signal on to the script and ends as it does', async () => {
  mkdirSync(path.join(folder.path, 'node_modules/node/bin'), { recursive: true })
  symlinkSync(node, path.join(folder.path, 'node_modules/node/bin/node'))
  cpSync(
    path.join(folder.path, 'package-lock.json'),
    path.join(folder.path, 'node_modules/.package-lock.json'),
  )
  const up = path.join(folder.path, 'up')
  writeFileSync(
    path.join(folder.path, 'wait.ts'),
    `import { writeFileSync } from 'node:fs'
     process.on('SIGTERM', () => process.exit(9))
     setInterval(() => {}, 1000)
     writeFileSync(${JSON.stringify(up)}, '')`,
  )
  const child = run('wait.ts')
  const ended = exit(child)
  await expect.poll(() => existsSync(up)).toBe(true)
  child.kill('SIGTERM')
  expect(await ended).toBe(9)
})

it.each(['the shell of npm', 'the process that started it'] as const)(
  'a script stops when %s is gone',
  async (gone) => {
    expect(await exit(run('script.ts', '0'))).toBe(0)
    const log = path.join(folder.path, 'log')
    writeFileSync(
      path.join(folder.path, 'server.ts'),
      `import { appendFileSync } from 'node:fs'
       const say = (line: string) => appendFileSync(${JSON.stringify(log)}, line + '\\n')
       process.on('SIGTERM', () => { say('stopped'); process.exit() })
       setInterval(() => {}, 1000)
       say(String(process.ppid))`,
    )
    const file = path.join(folder.path, 'scripts/run.mjs')
    const shell = spawn('/bin/sh', ['-c', `'${process.execPath}' '${file}' server.ts; true`], {
      env: { ...process.env, npm_lifecycle_event: 'pds' },
      stdio: 'ignore',
    })
    const lines = () => (existsSync(log) ? readFileSync(log, 'utf8').split('\n').slice(0, -1) : [])
    await expect.poll(lines).toHaveLength(1)
    if (gone === 'the shell of npm') shell.kill('SIGTERM')
    else process.kill(Number(lines()[0]), 'SIGKILL')
    await expect.poll(lines).toEqual([expect.any(String), 'stopped'])
  },
)
