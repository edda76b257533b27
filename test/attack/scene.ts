// One attack's stage: a repository with the release 1.0.0 of acme, its web server, and a victim that trusts its root.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from '@jest/globals'
import { digestOfTree } from '../../scripts/demo/build.ts'
import {
  EVERYTHING,
  type RepositorySimulator,
  type SimulatedKey,
  simulateRepository,
} from '../support/repository-simulator.ts'
import { makeSmallBuild } from '../support/small-build.ts'
import {
  type ForgedRelease,
  forgeRelease,
  type HostileOrigin,
  type ReleaseToForge,
  serveHostile,
} from './hostile-origin.ts'
import { type Look, openVictim, type Victim, type VictimOptions } from './victim.ts'

export interface Scene extends AsyncDisposable {
  readonly directory: string
  readonly repository: RepositorySimulator
  readonly origin: HostileOrigin
  readonly victim: Victim
  /** Digest of the tree of each release that was made. */
  readonly digests: Readonly<Record<string, string>>
  /** Makes a release, which is listed and not yet signed. */
  forge(version: string, options?: Partial<ReleaseToForge>): Promise<ForgedRelease>
  /** The same, and publishes it, by whoever `signers` names now. */
  release(version: string, options?: Partial<ReleaseToForge>): Promise<ForgedRelease>
}

export interface SceneOptions
  extends Partial<Pick<VictimOptions, 'products' | 'allowLoopback' | 'stallTimeoutSeconds'>> {
  /** Addresses of the source; the origin's own unless told otherwise. */
  readonly urls?: (own: string) => readonly string[]
  /** Keys of acme, all of which have to sign. */
  readonly keys?: readonly SimulatedKey[]
  /** How the first release is made. Null: there is none. */
  readonly first?: Partial<ReleaseToForge> | null
}

export const openScene = async ({
  first = {},
  urls = (own) => [own],
  keys,
  ...options
}: SceneOptions = {}): Promise<Scene> => {
  const directory = await mkdtemp(join(tmpdir(), 'updraft-attack-'))
  const repository = simulateRepository({ products: [] })
  repository.addProduct('acme', keys)
  repository.publish('acme', ...EVERYTHING.slice(1))
  const origin = await serveHostile(repository.files)
  const digests: Record<string, string> = {}

  const forge = async (version: string, options: Partial<ReleaseToForge> = {}): Promise<ForgedRelease> => {
    const product = options.product ?? 'acme'
    const build = await makeSmallBuild(join(directory, `build-${product}-${version}`), Object.keys(digests).length + 1)
    digests[version] = await digestOfTree(build)
    return await forgeRelease(repository, { version, build, scratch: join(directory, 'scratch'), ...options })
  }
  const release: Scene['release'] = async (version, options = {}) => {
    const made = await forge(version, options)
    repository.publish(options.product ?? 'acme', 'snapshot', 'timestamp')
    return made
  }
  if (first !== null) await release('1.0.0', first)
  const victim = await openVictim({ urls: urls(origin.url), root: repository.rootBytes(1), ...options })
  return {
    directory,
    repository,
    origin,
    victim,
    digests,
    forge,
    release,
    [Symbol.asyncDispose]: async () => {
      await victim[Symbol.asyncDispose]()
      await origin[Symbol.asyncDispose]()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** Far above what an agent takes, so that only a time or a memory without bound breaks it. */
const TIME_MS = 20_000
const MEMORY_MEBIBYTES = 400

export interface Refusal {
  readonly exitCode: number
  readonly error: string
  readonly finding?: string
  /** Fails beyond this. */
  readonly withinMs?: number
}

/** Nothing was ever installed on the victim, nothing is shared, nothing staged can be run, and the reason was said. */
export const expectRefused = (look: Look, { exitCode, error, finding, withinMs = TIME_MS }: Refusal): void => {
  expect(look).toMatchObject({ exitCode, error, installed: undefined, digest: undefined, seeded: 0, executables: [] })
  expect(look.files.filter((file) => !file.startsWith('staging/'))).toEqual([])
  expectFinding(look, finding)
  expectBounded(look, withinMs)
}

/** The version that was installed before runs on, byte for byte, and nothing more than before is shared. */
export const expectKept = (
  look: Look,
  before: Look,
  { exitCode, error, finding, withinMs = TIME_MS }: Refusal,
): void => {
  expect(before.installed).toBeDefined()
  const { installed, digest, seeded } = before
  expect(look).toMatchObject({ exitCode, error, installed, digest, seeded, executables: [] })
  const lasting = (files: readonly string[]) => files.filter((file) => !file.startsWith('staging/')).sort()
  expect(lasting(look.files)).toEqual(lasting(before.files))
  expectFinding(look, finding)
  expectBounded(look, withinMs)
}

/** The honest release came through, whatever else was tried. */
export const expectInstalled = (look: Look, { digests }: Pick<Scene, 'digests'>, version: string): void => {
  expect(look).toMatchObject({ exitCode: 0, installed: version, digest: digests[version], findings: [] })
}

const expectFinding = ({ findings }: Look, finding: string | undefined): void => {
  if (finding !== undefined) expect(findings).toContain(finding)
}

const expectBounded = ({ tookMs, peakMebibytes }: Look, withinMs: number): void => {
  expect(tookMs).toBeLessThan(withinMs)
  expect(peakMebibytes).toBeLessThan(MEMORY_MEBIBYTES)
}
