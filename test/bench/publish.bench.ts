// `npm run bench:publish`: what it takes to publish a tree of large files and one of many small ones, and again with a hundredth
// changed, beside casync, zchunk, and mktorrent with a compressed tar, on the same trees in the same run; and to change what is
// signed in a repository with many releases. Prints seconds, processor time, MB of the tree per second, peak memory and what has to be stored.
import { cp, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ensureDebianPackages, PUBLISH_PACKAGES } from '../../scripts/debian-packages.ts'
import { optionsOf } from '../../scripts/options.ts'
import { packageProgram } from '../../scripts/package.ts'
import { makeTar } from './delta/competitors.ts'
import { isInstalled, type Measured, measure } from './delta/measured.ts'
import { makeManyReleases } from './publish/many-releases.ts'
import { changeHundredth, makeLargeTree, makeSmallTree } from './publish/trees.ts'

const USAGE = `npm run bench:publish -- [options]

What it takes to publish, beside casync, zchunk, and mktorrent with a compressed tar; and to change what is signed.

  --only PART    large, small (trees of such files) or metadata (many releases)
  --mib N        size of the tree of large files (1024)
  --files N      of the tree of small files (20000)
  --products N   of the repository of many releases (1000)
  --releases N   in all of it (10000)
  --json FILE    the same figures

Example: npm run bench:publish -- --only metadata`
const { mib, files, products, releases, only, json } = optionsOf(USAGE, {
  numbers: { mib: 1_024, files: 20_000, products: 1_000, releases: 10_000 },
  texts: ['only', 'json'],
})

interface Row {
  readonly tree: string
  readonly way: string
  readonly seconds: number
  readonly cpuSeconds: number
  readonly peakMib: number
  /** What a server has to hold for the release, bytes. */
  readonly stored: number
}

/** From here on zstd's level 19 takes many minutes. */
const SLOW_TREE_BYTES = 256e6

const PARTS = ['large', 'small', 'metadata'] as const
if (only !== undefined && !PARTS.some((part) => part === only)) {
  process.stderr.write(`error: --only takes ${PARTS.join(', ')}, not ${only}\n`)
  process.exit(2)
}

const rows: Row[] = []
const print = (line: string): void => void process.stdout.write(`${line}\n`)
const packages = ensureDebianPackages(PUBLISH_PACKAGES)
if (packages.missing.length > 0) print(`not there: ${packages.missing.join(', ')}: ${packages.why}`)
if (packages.missing.includes('time'))
  throw new Error('without GNU time nothing can be measured: install the package time')

const scratch = await mkdtemp(join(tmpdir(), 'updraft-publish-'))
/** As it ships, because that is what people run: from its sources it takes 0.3 CPU-seconds and 25 MB more. */
const program = await packageProgram('updraft-publisher', scratch)
try {
  const parts: Readonly<Record<(typeof PARTS)[number], () => Promise<void>>> = {
    large: () => compare('large files', (folder) => makeLargeTree(folder, mib), true),
    small: () => compare('small files', (folder) => makeSmallTree(folder, files), false),
    metadata: changeMetadata,
  }
  for (const part of PARTS) if (only === undefined || only === part) await parts[part]()
  if (json !== undefined) await writeFile(json, `${JSON.stringify(rows, null, 2)}\n`)
} finally {
  await rm(scratch, { recursive: true, force: true })
}

async function compare(tree: string, make: (folder: string) => Promise<void>, isLarge: boolean): Promise<void> {
  const work = await mkdtemp(join(scratch, 'tree-'))
  const before = join(work, 'before')
  const after = join(work, 'after')
  await make(before)
  await cp(before, after, { recursive: true })
  await changeHundredth(after, files, isLarge, mib)
  const treeBytes = await sizeOf(before)
  print(`\n${tree}: ${(treeBytes / 1e6).toFixed(0)} MB`)
  const told = (way: string, measured: readonly Measured[], stored: number): void => {
    const seconds = measured.reduce((sum, each) => sum + each.seconds, 0)
    const cpuSeconds = measured.reduce((sum, each) => sum + each.cpuSeconds, 0)
    const peakMib = Math.max(...measured.map((each) => each.peakMib))
    rows.push({ tree, way, seconds, cpuSeconds, peakMib, stored })
    const speed = treeBytes / 1e6 / seconds
    print(
      `  ${way.padEnd(28)} ${seconds.toFixed(1).padStart(7)} s ${cpuSeconds.toFixed(1).padStart(7)} CPU-s ${speed.toFixed(1).padStart(7)} MB/s ${peakMib.toFixed(0).padStart(6)} MiB ${(stored / 1e6).toFixed(1).padStart(8)} MB`,
    )
  }

  const repository = join(work, 'r')
  publisher('init', repository, '--product', 'acme', '--no-passphrase')
  const named = ['--repo', repository, '--product', 'acme', '--version']
  told('updraft publish', [publisher('publish', before, ...named, '1.0.0')], await sizeOf(join(repository, 'bundles')))
  told(
    'updraft publish, 1 % changed',
    [publisher('publish', after, ...named, '1.1.0')],
    await sizeOf(join(repository, 'bundles')),
  )

  if (isInstalled('casync')) {
    const store = join(work, 'store.castr')
    const casync = (from: string, name: string) =>
      measure([
        'casync',
        'make',
        '--without=all',
        '--with=permissions',
        '--with=symlinks',
        `--store=${store}`,
        join(work, name),
        from,
      ])
    told('casync make', [casync(before, 'a.caidx')], await sizeOf(store))
    told('casync make, 1 % changed', [casync(after, 'b.caidx')], await sizeOf(store))
  }
  const tar = join(work, 'before.tar')
  makeTar(before, tar)
  if (isInstalled('zck')) {
    told(
      'zck, of a tar',
      [measure(['zck', '-o', join(work, 'before.zck'), tar])],
      await sizeOf(join(work, 'before.zck')),
    )
  }
  if (isInstalled('mktorrent') && isInstalled('zstd')) {
    const isQuick = treeBytes <= SLOW_TREE_BYTES
    if (!isQuick) print('  zstd -19 is left out: on a tree of this size it takes longer than all the others together')
    for (const level of isQuick ? ['-3', '-19'] : ['-3']) {
      const packed = join(work, `before${level}.tar.zst`)
      const torrent = `${packed}.torrent`
      const made = [
        measure(['zstd', '-q', '-T2', level, tar, '-o', packed]),
        measure(['mktorrent', '-a', 'http://localhost/announce', '-o', torrent, packed]),
      ]
      told(`zstd -T2 ${level} of a tar, mktorrent`, made, await sizeOf(packed))
    }
  }
  await rm(work, { recursive: true })
}

async function changeMetadata(): Promise<void> {
  const build = join(scratch, 'build')
  await mkdir(build)
  await writeFile(join(build, 'file'), 'content')
  const size = { products, releases }
  const { repository, product, version } = await makeManyReleases(scratch, build, size)
  print(`\n${size.products} products, ${size.releases} releases`)
  const commands: readonly (readonly [string, ...string[]])[] = [
    ['rollout', '10%'],
    ['promote', '--to', 'beta'],
    ['notes', 'what is new'],
    ['urgent'],
    ['yank', '--reason', 'it breaks'],
  ]
  const taken = (way: string, { seconds, cpuSeconds, peakMib }: Measured): void => {
    rows.push({ tree: 'metadata', way, seconds, cpuSeconds, peakMib, stored: 0 })
    print(
      `  ${way.padEnd(28)} ${seconds.toFixed(2).padStart(7)} s ${cpuSeconds.toFixed(2).padStart(7)} CPU-s ${peakMib.toFixed(0).padStart(6)} MiB`,
    )
  }
  for (const [command, ...args] of commands) {
    taken(`updraft ${command}`, publisher(command, product, version, ...args, '--repo', repository))
  }
  // What opens all of it, for comparison.
  taken('updraft renew', publisher('renew', repository, '--role', 'snapshot'))
  taken('updraft doctor', publisher('doctor', repository, '--no-network'))
}

function publisher(...args: readonly string[]): Measured {
  return measure([process.execPath, '--disable-warning=ExperimentalWarning', program, ...args])
}

/** Of a file, or of all files below a folder. */
async function sizeOf(path: string): Promise<number> {
  const found = await stat(path)
  if (!found.isDirectory()) return found.size
  const names = await readdir(path, { recursive: true })
  const sizes = await Promise.all(names.map(async (name) => await stat(join(path, name))))
  return sizes.reduce((sum, each) => sum + (each.isFile() ? each.size : 0), 0)
}
