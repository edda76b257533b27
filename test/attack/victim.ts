// The machine under attack: a home of its own and real agent processes, and what can be seen of it from outside.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Status } from '@updraft/core/control/api'
import { systemCodeOf } from '@updraft/core/errors'
import { parseSourceUrl, pinRoot } from '../../agent/src/trust-store.ts'
import { digestOfTree } from '../../scripts/demo/build.ts'
import { runProgram } from '../../scripts/demo/program.ts'
import { PROJECT } from '../../scripts/steps.ts'
import type { Sighting } from '../support/attack-row.ts'

export interface VictimOptions {
  /** Addresses of the source, in the order in which they are tried. */
  readonly urls: readonly string[]
  readonly root: Buffer
  readonly products?: readonly string[]
  readonly allowLoopback?: boolean
  /** How long nothing may come of a bundle. Few seconds are for those who get nothing: on a busy machine others need more. */
  readonly stallTimeoutSeconds?: number
  /** More settings of each product. */
  readonly settings?: Readonly<Record<string, unknown>>
}

/** What `run --once` and `status --json` showed, and what lies in the home. */
export interface Look extends Sighting {
  readonly exitCode: number
  readonly stderr: string
  readonly tookMs: number
  /** The most memory that the process had, in MiB; 0 where the system does not say. */
  readonly peakMebibytes: number
  readonly findings: readonly string[]
  /** Code of the error of the last check, or of the last update. */
  readonly error: string | undefined
  readonly installed: string | undefined
  /** SHA-256 over the installed tree; undefined if there is none. */
  readonly digest: string | undefined
  /** Releases that are shared, by the agent's own account and by what lies in `bundles/`. */
  readonly seeded: number
  /** Everything of the product under `products/`, `bundles/` and `staging/`. */
  readonly files: readonly string[]
  /** Those of `staging/` that could be run. */
  readonly executables: readonly string[]
}

export interface Victim extends AsyncDisposable {
  readonly home: string
  readonly environment: Readonly<Record<string, string>>
  /** Looks for updates once, to the end, and says what is to be seen of the first product afterwards. */
  look(): Promise<Look>
  /** The same, of each product in its order. Exit code, time and memory are those of the one process. */
  lookAtEach(): Promise<readonly Look[]>
  deleteMetadataCache(): Promise<void>
  /** Writes other settings for each product, and for the network. */
  configure(settings: Readonly<Record<string, unknown>>, network?: Readonly<Record<string, unknown>>): Promise<void>
}

export const openVictim = async (options: VictimOptions): Promise<Victim> => {
  const { urls, root, products = ['acme'], allowLoopback = true, stallTimeoutSeconds = 20 } = options
  const directory = await mkdtemp(join(tmpdir(), 'ua-'))
  const home = join(directory, 'h')
  const environment = { UPDRAFT_HOME: home }
  await mkdir(home)
  const configure: Victim['configure'] = async (settings, more = {}) => {
    const each = { source: 'source', platform: 'linux-x64', ...settings }
    const network = { allowLoopback, stallTimeoutSeconds, ...more }
    const all = { network, products: Object.fromEntries(products.map((name) => [name, each])) }
    await writeFile(join(home, 'agent.json'), JSON.stringify(all))
  }
  await configure(options.settings ?? {})
  for (const url of urls) {
    await pinRoot(join(home, 'state'), {
      name: 'source',
      url: parseSourceUrl(url),
      rootBytes: root,
      pinnedBy: 'file',
      addedAt: new Date(),
    })
  }
  const lookAtEach = async (): Promise<readonly Look[]> => {
    const ended = await runMeasured(environment)
    const { stdout } = await runProgram('updraft-agent', ['status', '--json'], { environment })
    const status = JSON.parse(stdout) as Status
    return await Promise.all(products.map((product) => lookOf(home, product, ended, status)))
  }
  return {
    home,
    environment,
    configure,
    lookAtEach,
    look: async () => {
      const [look] = await lookAtEach()
      if (look === undefined) throw new Error('the victim has no product')
      return look
    },
    deleteMetadataCache: () => rm(join(home, 'state/metadata'), { recursive: true }),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  }
}

type Ended = Pick<Look, 'exitCode' | 'stderr' | 'tookMs' | 'peakMebibytes'>

const SAMPLE_MS = 25

/** Runs `run --once`, and asks the system again and again how much memory the process has had. */
const runMeasured = async (environment: Victim['environment']): Promise<Ended> => {
  const startedAt = performance.now()
  const program = join(PROJECT, 'agent/bin/updraft-agent.mjs')
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program, 'run', '--once'], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let stderr = ''
  let peakMebibytes = 0
  child.stderr.on('data', (data: Buffer) => {
    stderr += data
  })
  const sampler = setInterval(() => {
    peakMebibytes = Math.max(peakMebibytes, peakOf(child.pid))
  }, SAMPLE_MS)
  try {
    const [code] = (await once(child, 'close')) as [number | null]
    return { exitCode: code ?? 1, stderr, tookMs: performance.now() - startedAt, peakMebibytes }
  } finally {
    clearInterval(sampler)
  }
}

const peakOf = (pid: number | undefined): number => {
  try {
    const match = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
    return Math.round(Number(match?.[1] ?? 0) / 1024)
  } catch {
    return 0 // It has just ended, or this system has no such file.
  }
}

const lookOf = async (home: string, product: string, ended: Ended, status: Status): Promise<Look> => {
  const shown = status.products.find(({ name }) => name === product)
  const findings = (shown?.trust.findings ?? []).map(({ code }) => code)
  const error = shown?.update?.error?.code ?? status.sources[0]?.lastCheck?.error?.code
  const installed = shown?.installed?.version
  const files = ['products', 'bundles', 'staging'].flatMap((folder) => filesBelow(home, folder, product))
  const digest = await digestOfTree(join(home, 'products', product, 'current')).catch(() => undefined)
  return {
    ...ended,
    findings,
    error,
    installed,
    digest,
    seeded: Math.max(
      shown?.seeding.releases ?? 0,
      new Set(files.filter((file) => /^bundles\/.*\/pack\.frames\//.test(file)).map((file) => file.split('/')[1])).size,
    ),
    files,
    executables: files.filter((file) => file.startsWith('staging/') && isExecutable(join(home, file))),
    did: describeDid(ended, findings, error),
    left: describeLeft(files, installed),
  }
}

const describeDid = (ended: Ended, findings: readonly string[], error: string | undefined): string =>
  [
    `exit ${ended.exitCode}`,
    ...(error === undefined ? [] : [error]),
    ...findings,
    `${(ended.tookMs / 1000).toFixed(1)} s`,
    ...(ended.peakMebibytes === 0 ? [] : [`${ended.peakMebibytes} MiB`]),
  ].join(', ')

const describeLeft = (files: readonly string[], installed: string | undefined): string => {
  const staged = files.filter((file) => file.startsWith('staging/')).length
  const what = [
    ...(installed === undefined ? [] : [`${installed} runs`]),
    ...(staged === 0 ? [] : [`${staged} staged`]),
  ]
  return what.length === 0 ? 'nothing' : what.join(', ')
}

const filesBelow = (home: string, folder: string, product: string): readonly string[] => {
  try {
    const entries = readdirSync(join(home, folder), { recursive: true, withFileTypes: true })
    return entries
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name).slice(home.length + 1))
      .filter((file) => file.startsWith(`${folder}/${product}/`) || file.startsWith(`${folder}/${product}_`))
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return []
    throw error
  }
}

const isExecutable = (path: string): boolean => {
  const stats = lstatSync(path)
  return stats.isFile() && (stats.mode & 0o111) !== 0
}
