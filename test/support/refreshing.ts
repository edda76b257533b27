// A machine that trusts one source: a folder for its state, floors in memory, and what it has committed, for tests of the
// refresh room.
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Product, parseProduct } from '@updraft/core/names'
import type { Ask } from '../../agent/src/ask.ts'
import { type RefreshOptions, type RefreshResult, refresh, type VersionFloors } from '../../agent/src/refresh.ts'
import { fingerprintOf, type TrustedSource } from '../../agent/src/trust-store.ts'
import { askFrom, type RepositorySimulator } from './repository-simulator.ts'

/** Floors as the agent's database keeps them, without a database. */
export const memoryFloors = (): VersionFloors & { readonly all: Map<string, Record<string, number>> } => {
  const all = new Map<string, Record<string, number>>()
  return {
    all,
    read: (source) => ({ ...all.get(source) }),
    raise: (source, versions) => {
      const known = all.get(source) ?? {}
      for (const [name, version] of Object.entries(versions)) known[name] = Math.max(version, known[name] ?? 0)
      all.set(source, known)
    },
  }
}

export interface Machine extends AsyncDisposable {
  readonly directory: string
  /** The folder of the source's cache. */
  readonly cache: string
  readonly floors: ReturnType<typeof memoryFloors>
  source: TrustedSource
  refresh(options?: Partial<RefreshOptions> & { readonly products?: readonly string[] }): Promise<RefreshResult>
  /** Versions in the committed copy, by role: `{ root: 2, timestamp: 3, … }`. The pinned root counts if nothing follows. */
  committed(): Record<string, number>
  /** What lies in the cache's folder beside the copy in force. */
  leftovers(): readonly string[]
}

export const MIRROR = 'http://mirror.test/'

/** Pins `root` of `repository` (its first, unless told otherwise) and reaches it at MIRROR, or through `ask`. */
export const openMachine = async (
  repository: RepositorySimulator,
  { urls = [MIRROR], root = 1, ask = askFrom({ [MIRROR]: repository }) }: MachineOptions = {},
): Promise<Machine> => {
  const directory = await mkdtemp(join(tmpdir(), 'updraft-refresh-'))
  const cache = join(directory, 'metadata', 'test')
  const rootBytes = repository.rootBytes(root)
  const machine: Machine = {
    directory,
    cache,
    floors: memoryFloors(),
    source: sourceOf(rootBytes, urls),
    refresh: ({ products = ['acme'], ...options } = {}) =>
      refresh(machine.source, products.map(parseProduct) as Product[], {
        cacheDirectory: join(directory, 'metadata'),
        floors: machine.floors,
        now: () => new Date(),
        ask,
        ...options,
      }),
    committed: () => ({ ...versionsIn(machine.source.rootBytes), ...committedIn(cache) }),
    leftovers: () => {
      const copies = readdirSync(cache).filter((name) => /^(copy|scratch)-|\.tmp$/.test(name))
      return copies.slice(1)
    },
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  }
  return machine
}

export interface MachineOptions {
  readonly urls?: readonly [string, ...string[]]
  readonly root?: number
  readonly ask?: Ask
}

export const sourceOf = (rootBytes: Buffer, urls: TrustedSource['urls']): TrustedSource => ({
  name: 'test',
  urls,
  rootBytes,
  pin: { urls, pinnedBy: 'file', fingerprint: fingerprintOf(rootBytes), addedAt: '2026-01-01T00:00:00Z' },
})

const committedIn = (cache: string): Record<string, number> => {
  const current = join(cache, 'current')
  let names: string[]
  try {
    names = readdirSync(current).sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
  } catch {
    return {} // Nothing was ever committed.
  }
  return Object.assign({}, ...names.map((name) => versionsIn(readFileSync(join(current, name)), name)))
}

const versionsIn = (bytes: Buffer, name = 'root.json'): Record<string, number> => {
  const role = name.replace(/^\d+\./, '').replace(/\.json$/, '')
  return { [role]: JSON.parse(bytes.toString()).signed.version }
}
