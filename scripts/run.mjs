// Runs a script of this project with the Node it pins, installing what is missing first.
//
// node scripts/run.mjs FILE.ts [argument...] a TypeScript file, in the checkout's folder node
// scripts/run.mjs --here FILE.ts [argument...] a TypeScript file, in the folder of the caller node
// scripts/run.mjs --bin NAME [argument...] a command of an installed package
//
// Plain JavaScript on purpose: any Node from 20 on must be able to read it.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'

// Taken first: a parent that ends meanwhile is noticed.
const parent = process.ppid
const PARENT_LOOK_MS = 250
const windows = process.platform === 'win32'
const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const modules = path.join(root, 'node_modules')
const node = path.join(modules, 'node', 'bin', windows ? 'node.exe' : 'node')
const lock = path.join(root, '.atoll-installing')

if (!isInstalled()) await install()
run(process.argv.slice(2))

/**
 * Whether node_modules holds what package-lock.json asks for, by the list that npm leaves there
 * when it is done.
 */
function isInstalled() {
  const done = path.join(modules, '.package-lock.json')
  if (!existsSync(done) || !existsSync(node)) return false
  const wanted = packagesOf(path.join(root, 'package-lock.json'))
  const found = packagesOf(done)
  return (
    // Packages for other systems are in the lock and not on the disk.
    Object.entries(wanted).every(([name, { optional }]) => name === '' || optional || name in found) &&
    Object.entries(found).every(([name, { version }]) => wanted[name]?.version === version)
  )
}

function packagesOf(file) {
  return JSON.parse(readFileSync(file, 'utf8')).packages
}

/**
 * Two commands started at once on a fresh clone must not install over each other: the second waits,
 * and then has nothing to do.
 */
async function install() {
  while (!takeLock()) await sleep(500)
  try {
    if (isInstalled()) return
    console.error('Installing what is missing (npm ci) ...')
    const npm = windows ? 'npm.cmd' : 'npm'
    const options = ['--no-audit', '--no-fund', '--loglevel=error']
    const { status } = spawnSync(npm, ['ci', ...options], {
      cwd: root,
      stdio: ['ignore', 2, 2],
      shell: windows,
    })
    if (status === 0) return
    console.error('npm ci failed; see its messages above.')
    process.exitCode = 1
  } finally {
    rmSync(lock, { force: true })
  }
  if (process.exitCode) process.exit()
}

/**
 * The lock names the process that holds it, so that one left behind by Ctrl-C is known for what it
 * is.
 */
function takeLock() {
  const mine = `${lock}-${process.pid}`
  writeFileSync(mine, String(process.pid))
  try {
    // Unlike writing, linking is all or nothing.
    linkSync(mine, lock)
    return true
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
  } finally {
    rmSync(mine)
  }
  const holder = readIfThere(lock)
  if (holder !== undefined && !isRunning(Number(holder))) rmSync(lock, { force: true })
  return false
}

function readIfThere(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
  }
}

function isRunning(pid) {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error.code === 'EPERM'
  }
}

function run(words) {
  const [mode, name, ...args] = words[0].startsWith('--') ? words : ['', ...words]
  const isTool = mode === '--bin'
  const file = isTool ? binOf(name) : path.resolve(root, name)
  // A script is told over its channel when this process is gone, also by kill -9, and stops.
  const options = isTool
    ? []
    : ['--import', pathToFileURL(path.join(root, 'scripts/stop-with-parent.ts')).href]
  const child = spawn(node, ['--disable-warning=ExperimentalWarning', ...options, file, ...args], {
    cwd: mode === '--here' ? process.cwd() : root,
    stdio: isTool ? 'inherit' : ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, PATH: `${path.join(modules, '.bin')}${path.delimiter}${process.env.PATH ?? ''}` },
  })
  // Ctrl-C reaches the child by itself (same terminal); a signal sent to this process alone is
  // passed on.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  // npm starts this through a shell, and a signal to npm ends the two of them: all that comes
  // through is that the parent is another.
  if (process.env.npm_lifecycle_event) {
    const look = setInterval(() => {
      if (process.ppid === parent) return
      clearInterval(look)
      child.kill('SIGTERM')
    }, PARENT_LOOK_MS)
  }
  child.on('exit', (code, signal) => {
    if (signal) {
      process.removeAllListeners(signal)
      process.kill(process.pid, signal)
    } else process.exit(code ?? 1)
  })
}

/** The file behind a command in node_modules/.bin. */
function binOf(name) {
  const owner = { tsc: 'typescript', biome: '@biomejs/biome' }[name] ?? name
  const { bin } = JSON.parse(readFileSync(path.join(modules, owner, 'package.json'), 'utf8'))
  return path.join(modules, owner, typeof bin === 'string' ? bin : bin[name])
}
