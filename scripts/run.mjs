// The door of every npm script: `node scripts/run.mjs FILE [ARGS]`. Runs on any Node from 20 on and needs nothing
// installed: it installs the dependencies when they are missing or older than the lock file, and then runs FILE on the
// project's own Node 24.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const project = dirname(dirname(fileURLToPath(import.meta.url)))
const windows = process.platform === 'win32'
const node = join(project, 'node_modules', 'node', 'bin', windows ? 'node.exe' : 'node')
/** What Node has compiled before: programs that tests start by the hundred then start in half the time. */
const compiled = join(project, 'node_modules', '.cache', 'compiled')
const stamp = join(project, 'node_modules', '.updraft-installed')

const wanted = createHash('sha256')
  .update(readFileSync(join(project, 'package-lock.json')))
  .digest('hex')
const installed = existsSync(stamp) && existsSync(node) ? readFileSync(stamp, 'utf8') : ''
if (installed !== wanted) {
  process.stderr.write('installing dependencies (once; about a minute)\n')
  const npm = spawnSync('npm', ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: project,
    stdio: ['ignore', 2, 2],
    shell: windows,
  })
  if (npm.status !== 0 || !existsSync(node)) {
    process.stderr.write(
      'npm install failed; the lines above say why. Node 20 or newer, npm and a registry are needed.\n',
    )
    process.exit(1)
  }
  rmSync(compiled, { recursive: true, force: true })
  writeFileSync(stamp, wanted)
}

const [file, ...rest] = process.argv.slice(2)
const child = spawn(node, ['--disable-warning=ExperimentalWarning', join(project, file), ...rest], {
  cwd: project,
  stdio: 'inherit',
  env: {
    NODE_COMPILE_CACHE: compiled,
    ...process.env,
    PATH: `${dirname(node)}${windows ? ';' : ':'}${process.env.PATH}`,
  },
})
// Ctrl-C reaches the whole group by itself; a SIGTERM meant for this process has to be passed on.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => child.kill('SIGTERM'))
child.on('exit', (code, signal) => process.exit(signal === null ? (code ?? 1) : 1))
