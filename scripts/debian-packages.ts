// The Debian packages that tests use: stock BitTorrent clients, a browser, network namespaces. Installs what is missing
// when it runs as root on a system with apt; otherwise says in one line what the tests will leave out.
import { spawnSync } from 'node:child_process'

/** Each package, and what the tests do with it. */
const PACKAGES: Readonly<Record<string, string>> = {
  iproute2: 'network namespaces: swarms of their own, and a small run of the lab with shaped links',
  chromium: 'drives VS Code',
  'g++': 'builds the logger of the VS Code server',
  make: 'builds the logger of the VS Code server',
  python3: 'builds the logger of the VS Code server, and listens where the agent reports to a service manager',
  openssl: 'reads our keys and verifies our certificates as an outside program',
  softhsm2: 'is the hardware module that signs a release',
  opensc: 'speaks to the hardware module',
  'python3-securesystemslib': 'verifies our signatures as python-tuf does',
  zsh: 'completes our commands',
  fish: 'completes our commands',
  opentracker: 'tracks our releases',
  'nginx-light': 'serves a repository',
  aria2: 'fetches and seeds our releases',
  'transmission-cli': 'fetches and seeds our releases',
  'python3-libtorrent': 'fetches and seeds our releases',
  systemd: 'verifies our units, wakes the agent by its socket, carries its messages',
}

/** What `npm run bench:delta` compares with, and what it measures by. */
export const DELTA_PACKAGES: Readonly<Record<string, string>> = {
  time: 'measures time and memory of every program',
  zstd: 'compresses tars, and makes patches of them',
  zchunk: 'a competitor',
  casync: 'a competitor',
  zsync: 'a competitor',
  xdelta3: 'a competitor',
  bsdiff: 'a competitor',
}

/** What `npm run bench:publish` compares with, and what it measures by. */
export const PUBLISH_PACKAGES: Readonly<Record<string, string>> = {
  time: 'measures time and memory of every program',
  casync: 'a competitor',
  zchunk: 'a competitor',
  zstd: 'compresses tars',
  mktorrent: 'makes torrents of them',
}

/** What `npm run bench:agent` measures beside the agent. */
export const AGENT_PACKAGES: Readonly<Record<string, string>> = {
  'transmission-daemon': 'a competitor',
  syncthing: 'a competitor',
}

/** What `npm run bench:swarm` and `npm run bench:wire` compare with, and what the former is made of. */
export const LAB_PACKAGES: Readonly<Record<string, string>> = {
  iproute2: 'network namespaces: swarms of their own, and a small run of the lab with shaped links',
  'python3-libtorrent': 'a competitor',
  aria2: 'a competitor',
  curl: 'plain HTTP',
}

export interface PackagesResult {
  readonly missing: readonly string[]
  readonly why: string
}

/** Installs what is missing, and returns what still is. Never asks anything. */
export const ensureDebianPackages = (packages = PACKAGES): PackagesResult => {
  const missing = Object.keys(packages).filter((name) => !isInstalled(name))
  if (missing.length === 0) return { missing, why: '' }
  if (spawnSync('apt-get', ['--version']).status !== 0) return { missing, why: 'this system has no apt-get' }
  if (process.getuid?.() !== 0) return { missing, why: 'only root can install Debian packages' }

  process.stdout.write(`installing Debian packages: ${missing.join(' ')}\n`)
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const apt = (...args: string[]) =>
    spawnSync('apt-get', ['-qq', '-o', 'DPkg::Lock::Timeout=300', ...args], {
      env: environment,
      stdio: ['ignore', 'ignore', 'inherit'],
    })
  apt('update')
  apt('install', '-y', '--no-install-recommends', ...missing)
  return { missing: missing.filter((name) => !isInstalled(name)), why: 'apt-get could not install them' }
}

const isInstalled = (name: string): boolean => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: this is dpkg's own placeholder.
  const answer = spawnSync('dpkg-query', ['-W', '-f', '${Status}', name], { encoding: 'utf8' })
  return answer.stdout?.includes('install ok installed') === true
}

if (import.meta.main) {
  const { missing, why } = ensureDebianPackages()
  if (missing.length > 0) process.stdout.write(`left out: ${missing.join(', ')}: ${why}\n`)
  process.exit(missing.length === 0 ? 0 : 1)
}
