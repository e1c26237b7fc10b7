// Runs a script of this project with the Node it pins, installing what is missing first.
//
//   node scripts/run.mjs FILE.ts [argument...]        a TypeScript file
//   node scripts/run.mjs --bin NAME [argument...]     a command of an installed package
//
// Plain JavaScript on purpose: it is the one file that any Node from 20 on must be able to read.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import path from 'node:path'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const modules = path.join(root, 'node_modules')
const marker = path.join(modules, '.atoll-installed')
const lockFolder = path.join(root, '.atoll-installing')
const INSTALL_WAIT_SECONDS_MAX = 600

const wanted = () => createHash('sha256').update(readFileSync(path.join(root, 'package-lock.json'))).digest('hex')
const installed = () => existsSync(marker) && readFileSync(marker, 'utf8') === wanted()

/** Two commands started at once on a fresh clone must not install over each other: a folder is the lock. */
async function withInstallLock(work) {
  const deadline = Date.now() + INSTALL_WAIT_SECONDS_MAX * 1000
  for (;;) {
    try {
      mkdirSync(lockFolder)
      break
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
      const age = Date.now() - (statSync(lockFolder, { throwIfNoEntry: false })?.mtimeMs ?? Date.now())
      if (age > INSTALL_WAIT_SECONDS_MAX * 1000) rmdirSync(lockFolder)
      else if (Date.now() > deadline) throw new Error(`gave up waiting for another install; remove ${lockFolder} if none is running`)
      else await new Promise((resolve) => setTimeout(resolve, 500))
    }
  }
  try {
    work()
  } finally {
    rmdirSync(lockFolder)
  }
}

function install() {
  if (installed()) return
  console.error('Installing what is missing (npm ci) ...')
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
  const { status } = spawnSync(npm, ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: root, stdio: ['ignore', 2, 2] })
  if (status !== 0) {
    console.error('npm ci failed; see its messages above.')
    rmdirSync(lockFolder)
    process.exit(1)
  }
  writeFileSync(marker, wanted())
}

if (!installed()) await withInstallLock(install)

const [first, ...rest] = process.argv.slice(2)
const node = path.join(modules, 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
const command = first === '--bin' ? binOf(rest[0]) : path.resolve(root, first)
const args = first === '--bin' ? rest.slice(1) : rest

/** The file behind a command in node_modules/.bin. */
function binOf(name) {
  const owner = { tsc: 'typescript', biome: '@biomejs/biome' }[name] ?? name
  const { bin } = JSON.parse(readFileSync(path.join(modules, owner, 'package.json'), 'utf8'))
  return path.join(modules, owner, typeof bin === 'string' ? bin : bin[name])
}

const child = spawn(node, ['--disable-warning=ExperimentalWarning', command, ...args], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, PATH: `${path.join(modules, '.bin')}${path.delimiter}${process.env.PATH ?? ''}` },
})
// Ctrl-C reaches the child by itself (same terminal); a signal sent to this process alone is passed on.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
child.on('exit', (code, signal) => {
  if (signal) {
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  } else process.exit(code ?? 1)
})
