// `npm run bench:delta -- OLD NEW` (or OLDEST … NEW; without folders a set of npm releases): the bytes that a machine on an
// older release must fetch, by every way, side by side on the same trees; time and peak memory to make and to apply. What is
// not installed is left out and named. `--json FILE` writes the same figures. The ratios are to the cheaper of our ways, which is
// the one that an agent takes.
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pieceLengthFor } from '@updraft/core/swarm/metainfo'
import { DELTA_PACKAGES, ensureDebianPackages } from '../../scripts/debian-packages.ts'
import { optionsOf } from '../../scripts/options.ts'
import { COMPETITORS, costOf, makeTar, missingPrograms } from './delta/competitors.ts'
import { type Measured, measure } from './delta/measured.ts'
import { type Line, linesOf } from './delta/trees.ts'

const USAGE = `npm run bench:delta -- [OLDEST … NEW] [options]

What a machine on an older release fetches, by every way: of these folders, or without any of a set of npm releases.

  --only NAME    only releases whose line has this in its name
  --json FILE    the same figures

Example: npm run bench:delta -- --only webpack`
const { json, only, positionals } = optionsOf(USAGE, { texts: ['json', 'only'], positionals: true })

interface Row {
  readonly way: string
  /** Releases that the machine is behind: 1 is the previous one. */
  readonly behind: number
  readonly bytes: number
  readonly make?: Measured
  readonly apply?: Measured
}

const packages = ensureDebianPackages(DELTA_PACKAGES)
const scratch = await mkdtemp(join(tmpdir(), 'updraft-delta-'))
const figures: Record<string, readonly Row[]> = {}
const print = (line: string): void => void process.stdout.write(`${line}\n`)
if (packages.missing.length > 0) print(`not there: ${packages.missing.join(', ')}: ${packages.why}`)
if (packages.missing.includes('time'))
  throw new Error('without GNU time nothing can be measured: install the package time')
try {
  for (const competitor of COMPETITORS) {
    const missing = missingPrograms(competitor)
    if (missing.length > 0) print(`left out: ${competitor.name}: ${missing.join(', ')} not installed`)
  }
  for (const line of await linesOf(positionals, scratch)) {
    if (only !== undefined && !line.name.includes(only)) continue
    print(`\n${line.name}`)
    const rows = await compare(line)
    figures[line.name] = rows
    printRows(rows)
  }
  if (json !== undefined) await writeFile(json, `${JSON.stringify(figures, null, 2)}\n`)
} finally {
  await rm(scratch, { recursive: true, force: true })
}

async function compare({ releases }: Line): Promise<readonly Row[]> {
  const work = await mkdtemp(join(scratch, 'line-'))
  const rows: Row[] = []
  const ours = (...args: readonly string[]): Measured =>
    measure([
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      join(import.meta.dirname, 'delta/ours.ts'),
      ...args,
    ])
  const answer = ({ output }: Measured): Record<string, number> => JSON.parse(output.slice(0, output.indexOf('\n')))

  let made: Measured | undefined
  for (const [number, tree] of releases.entries()) {
    const previous = number === 0 ? [] : [join(work, `bundle-${number - 1}`)]
    made = ours('make', tree, join(work, `bundle-${number}`), ...previous)
    makeTar(tree, join(work, `${number}.tar`))
  }
  const newest = releases.length - 1
  const alone = ours('make', releases[newest] ?? '', join(work, 'alone'))
  const { indexBytes = 0, packBytes = 0 } = answer(alone)
  rows.push({ way: 'updraft, nothing installed', behind: 0, bytes: indexBytes + packBytes, make: alone })
  for (let number = newest - 1; number >= 0; number -= 1) {
    const behind = newest - number
    const [newBundle, oldBundle] = [join(work, `bundle-${newest}`), join(work, `bundle-${number}`)]
    const folder = join(work, `from-${number}`)
    const tree = releases[number] ?? ''
    const described = answer(ours('describe', newBundle, oldBundle, folder))
    const { indexBytes = 0, indexPatchBytes = 0, metainfoBytes = 0 } = described
    // What the agent fetches over HTTP either way: the index, or a patch to it, and metainfo.
    const descriptions = indexPatchBytes + metainfoBytes
    const indexPatch = join(folder, 'index-patch')
    const chunks = ours('apply', newBundle, oldBundle, tree, join(folder, 'by-chunks'), indexPatch)
    const byChunks = descriptions + (answer(chunks).fetched ?? Number.NaN)
    rows.push({ way: 'updraft, chunks', behind, bytes: byChunks, ...(made && { make: made }), apply: chunks })

    const patch = ours('patch', newBundle, oldBundle, folder)
    const { patchBytes, patchMetainfoBytes = 0 } = answer(patch)
    if (patchBytes !== undefined) {
      const places = [newBundle, oldBundle, tree, join(folder, 'by-patch'), indexPatch, join(folder, 'patch')]
      const apply = ours('apply', ...places)
      const rest = answer(apply).fetched ?? Number.NaN
      const bytes = descriptions + patchBytes + patchMetainfoBytes + rest
      rows.push({ way: 'updraft, patch', behind, bytes, make: patch, apply })
      const pieceLength = pieceLengthFor((await stat(join(newBundle, 'pack'))).size)
      const inOne = descriptions + Math.ceil(patchBytes / pieceLength) * pieceLength + rest
      print(
        `${behind} behind: index ${indexBytes}, patch to it ${indexPatchBytes}, metainfo ${metainfoBytes}; patch ${patchBytes}, ` +
          `its metainfo ${patchMetainfoBytes}; as pieces of the one torrent all would be ${inOne} instead of ${bytes}`,
      )
    }
    const pair = {
      oldTree: tree,
      newTree: releases[newest] ?? '',
      oldTar: join(work, `${number}.tar`),
      newTar: join(work, `${newest}.tar`),
    }
    for (const competitor of COMPETITORS) {
      if (missingPrograms(competitor).length > 0) continue
      rows.push({ way: competitor.name, behind, ...(await costOf(competitor, pair, scratch)) })
    }
  }
  await rm(work, { recursive: true, force: true })
  return rows
}

function printRows(rows: readonly Row[]): void {
  const took = (measured: Measured | undefined): string =>
    measured === undefined
      ? '–'.padStart(18)
      : `${measured.seconds.toFixed(1)} s ${Number.isNaN(measured.peakMib) ? '' : `${measured.peakMib.toFixed(0)} MiB`}`.padStart(
          18,
        )
  print(
    `${'way'.padEnd(28)} behind ${'bytes'.padStart(12)} ${'÷ ours'.padStart(7)} ${'make'.padStart(18)} ${'apply'.padStart(18)}`,
  )
  for (const { way, behind, bytes, make, apply } of rows) {
    const ways = rows.filter((row) => row.way.startsWith('updraft') && row.behind === behind)
    const ratio = (bytes / Math.min(...ways.map((row) => row.bytes))).toFixed(2)
    print(
      `${way.padEnd(28)} ${String(behind).padStart(6)} ${bytes.toLocaleString('en').padStart(12)} ${ratio.padStart(7)} ${took(make)} ${took(apply)}`,
    )
  }
}
