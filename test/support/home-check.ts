// Looks at a home of which no agent is running, from outside: is all in it whole, do the database and the folders say the
// same, and is nothing left over? Knows the layout of ARCHITECTURE.md, "On disk", and nothing of how the agent works.
import { createHash } from 'node:crypto'
import { existsSync, globSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { parseIndexInTurns } from '@updraft/core/bundle/index-file'
import { frameFiles } from '@updraft/core/bundle/pack-place'
import { parseMetainfo } from '@updraft/core/swarm/metainfo'
import { digestOfTree } from '../../scripts/demo/build.ts'

export interface Expected {
  /** Version that `current` leads to; undefined if nothing is installed. */
  readonly current: string | undefined
  /** All versions that are kept, the current one among them. */
  readonly kept: readonly string[]
  /** The versions whose bundles are shared, if those are not all that are kept. */
  readonly shared?: readonly string[]
  readonly digestOf: (version: string) => string
  /** What the floors are at least. */
  readonly floors: Floors
}

export type Floors = Readonly<Record<string, number>>

/** What is not as it should be, in words; empty if all is well. For one product `acme` of one source `demo`. */
export const faultsIn = async (home: string, expected: Expected): Promise<readonly string[]> => [
  ...(await faultsOfVersions(home, expected)),
  ...(await faultsOfBundles(home, expected)),
  ...faultsOfDatabase(home, expected),
  ...leftovers(home),
]

/** The version that a program finds under `current`, if that is a whole tree of one of `versions`; else what is there. */
export const runningVersion = async (
  home: string,
  versions: readonly string[],
  digestOf: (version: string) => string,
): Promise<string> => {
  const link = join(home, 'products/acme/current')
  if (!existsSync(link)) return 'nothing'
  const digest = await digestOfTree(link)
  return versions.find((version) => digestOf(version) === digest) ?? `a broken tree at ${readlinkSync(link)}`
}

export const floorsOf = (home: string): Floors => {
  using database = new DatabaseSync(join(home, 'state/agent.db'), { readOnly: true })
  const rows = database.prepare('SELECT role, version FROM floor').all()
  return Object.fromEntries(rows.map(({ role, version }) => [String(role), Number(version)]))
}

const faultsOfVersions = async (home: string, { current, kept, digestOf }: Expected): Promise<readonly string[]> => {
  const faults: string[] = []
  const product = join(home, 'products/acme')
  const is = await runningVersion(home, kept, digestOf)
  if (is !== (current ?? 'nothing')) faults.push(`current is ${is}`)
  const places = namesIn(join(product, 'versions'))
  if (String(places) !== String([...kept].sort())) faults.push(`versions/ has ${places.join(', ')}`)
  for (const version of kept) {
    const digest = await digestOfTree(join(product, 'versions', version)).catch(String)
    if (digest !== digestOf(version)) faults.push(`versions/${version} is not whole`)
  }
  const others = namesIn(product).filter((name) => !['current', 'versions'].includes(name))
  if (others.length > 0) faults.push(`products/acme has ${others.join(', ')} as well`)
  return faults
}

const faultsOfBundles = async (home: string, { kept }: Expected): Promise<readonly string[]> => {
  const faults: string[] = []
  const bundles = join(home, 'bundles')
  const torrents = namesIn(bundles).filter((name) => name.endsWith('.torrent'))
  const names = torrents.map((name) => name.slice(0, -'.torrent'.length))
  for (const version of kept) {
    if (!names.includes(`acme_${version}_any`)) faults.push(`there is no bundle of ${version}`)
  }
  for (const name of namesIn(bundles).filter((entry) => !entry.endsWith('.torrent'))) {
    if (!names.includes(name)) faults.push(`bundles/${name} has no torrent`)
  }
  for (const name of names) {
    if (!kept.some((version) => name.startsWith(`acme_${version}_`)))
      faults.push(`bundles/${name} is of no kept version`)
    const content = await contentOf(join(bundles, name)).catch(String)
    const { pieceLength, pieceHashes } = parseMetainfo(readFileSync(join(bundles, `${name}.torrent`)))
    const hashes: Buffer[] = []
    for (let at = 0; at < content.length; at += pieceLength) {
      hashes.push(
        createHash('sha1')
          .update(content.slice(at, at + pieceLength))
          .digest(),
      )
    }
    if (!Buffer.concat(hashes).equals(pieceHashes)) faults.push(`bundles/${name} is not what its torrent says`)
  }
  return faults
}

/** The bytes that the swarm is given: index and frames, end to end, or a patch. */
const contentOf = async (directory: string): Promise<Buffer> => {
  if (existsSync(join(directory, 'patch'))) return readFileSync(join(directory, 'patch'))
  const indexBytes = readFileSync(join(directory, 'index'))
  const index = await parseIndexInTurns(indexBytes)
  const frames = frameFiles(index).map(({ name }) => readFileSync(join(directory, 'pack.frames', name)))
  return Buffer.concat([indexBytes, ...frames])
}

const faultsOfDatabase = (home: string, { current, kept, shared = kept, floors }: Expected): readonly string[] => {
  using database = new DatabaseSync(join(home, 'state/agent.db'), { readOnly: true })
  const faults: string[] = []
  /** The first column of the answer has to be `wanted`, in any order. */
  const expect = (what: string, sql: string, wanted: readonly unknown[]) => {
    const found = database
      .prepare(sql)
      .all()
      .map((row) => Object.values(row)[0])
    if (String(found.toSorted()) !== String(wanted.toSorted())) faults.push(`${what}: ${found.join(', ') || 'none'}`)
  }
  expect('integrity', 'PRAGMA integrity_check', ['ok'])
  expect('foreign keys', 'PRAGMA foreign_key_check', [])
  expect('updates that are open', 'SELECT version FROM journal WHERE ended_at IS NULL', [])
  expect(
    'updates whose state is not the one of their last step, or no end',
    `SELECT journal.id FROM journal WHERE state NOT IN ('committed', 'rolled-back', 'failed') OR state <>
       (SELECT state FROM step WHERE journal_id = journal.id ORDER BY step.id DESC LIMIT 1)`,
    [],
  )
  expect('versions in the database', 'SELECT version FROM installed', kept)
  expect(
    'current in the database',
    'SELECT version FROM installed WHERE current = 1',
    current === undefined ? [] : [current],
  )
  expect('seeds in the database', 'SELECT version FROM seed', shared)
  for (const [role, version] of Object.entries(floors)) {
    const is = floorsOf(home)[role] ?? 0
    if (is < version) faults.push(`the floor of ${role} is ${is}, was ${version}`)
  }
  return faults
}

const leftovers = (home: string): readonly string[] => {
  const faults = namesIn(join(home, 'staging')).map((name) => `staging/${name} is left`)
  const strange = globSync('**/{.*.tmp,scratch-*,filling.*,*.new,*.new-*}', { cwd: home })
  const copies = globSync('state/metadata/demo/copy-*', { cwd: home })
  if (copies.length !== 1) faults.push(`${copies.length} copies of the metadata`)
  return [...faults, ...strange.map((path) => `${path} is left`)]
}

const namesIn = (path: string): readonly string[] => (existsSync(path) ? readdirSync(path).sort() : [])
