// `diff PRODUCT A B`: what a release changes, and what a machine that has the other one fetches for it.
import { parseIndex } from '@updraft/core/bundle/index-file'
import { UpdateError } from '@updraft/core/errors'
import { count } from '@updraft/core/terminal/plain-text'
import { formatBytes } from '@updraft/core/terminal/progress'
import type { Command } from 'commander'
import type { Context } from '../context.ts'
import { differenceOf, type FileDifference, type IndexedRelease, type ReleaseDifference } from '../difference.ts'
import { findReleases, parseWanted } from '../repository/find-release.ts'
import { readStored } from '../repository/stored.ts'
import { openProducts, type PublishedRelease } from '../repository.ts'

interface DiffCommandOptions {
  readonly repo: string
  readonly platform?: string
  readonly all?: true
  readonly json?: true
}

const FILES_SHOWN = 40

const HELP = `
Example:
  $ updraft-publisher diff acme 1.3.0 1.4.0 --repo r

No key is needed. The bytes are those for a machine that has the first one, whole, and nothing else; TUF metadata and what a
network adds are not in them.`

export const addDiffCommand = (program: Command, context: Context): void => {
  program
    .command('diff')
    .description('compare two releases: files, sizes, and what a machine on the first one will fetch')
    .argument('<product>', 'one of the products of the repository')
    .argument('<from>', 'the version that machines have')
    .argument('<to>', 'the version that they go to')
    .requiredOption('--repo <dir>', 'the repository')
    .option('--platform <platform>', 'only for this platform (default: each that both have)')
    .option('--all', `list every file, not the first ${FILES_SHOWN}`)
    .option('--json', 'print one JSON array, an object for each platform')
    .addHelpText('after', HELP)
    .action(async (product: string, from: string, to: string, options: DiffCommandOptions) => {
      const differences = await differencesOf(product, from, to, options)
      const shown = options.all ? Number.POSITIVE_INFINITY : FILES_SHOWN
      context.print(
        options.json ? JSON.stringify(differences) : differences.map((each) => describe(each, shown)).join('\n\n'),
      )
    })
}

type NamedDifference = ReleaseDifference & {
  readonly product: string
  readonly platform: string
  readonly from: string
  readonly to: string
}

const differencesOf = async (
  product: string,
  from: string,
  to: string,
  options: DiffCommandOptions,
): Promise<readonly NamedDifference[]> => {
  const older = parseWanted(product, from, options.platform)
  const newer = parseWanted(product, to, options.platform)
  const repository = await openProducts(options.repo, () => [older.product])
  const [olds, news] = [findReleases(repository, older), findReleases(repository, newer)]
  const pairs = olds.flatMap((old) => {
    const other = news.find(({ release }) => release.platform === old.release.platform)
    return other === undefined ? [] : [[old, other] as const]
  })
  if (pairs.length === 0) {
    throw new UpdateError(
      'RELEASE_UNKNOWN',
      `${product} ${from} is for ${platformsOf(olds)}, and ${to} for ${platformsOf(news)}: no platform has both`,
    )
  }
  return await Promise.all(
    pairs.map(async ([old, other]) => ({
      product,
      platform: old.release.platform,
      from: old.release.version,
      to: other.release.version,
      ...differenceOf(await indexed(old), await indexed(other)),
    })),
  )
}

const platformsOf = (releases: readonly PublishedRelease[]): string =>
  releases.map(({ release }) => release.platform).join(', ')

const indexed = async (published: PublishedRelease): Promise<IndexedRelease> => ({
  ...published,
  parsed: parseIndex(await readStored(published.index)),
})

const describe = (difference: NamedDifference, shownMax: number): string => {
  const { product, platform, from, to, files, sameFiles, installedBytes, update } = difference
  const hidden = files.length - shownMax
  const way = { patch: 'by the patch', chunks: 'by chunks, in whole pieces', nothing: 'there is none' }[update.way]
  return [
    `${product} ${from} to ${to} (${platform})`,
    `  installed  ${formatBytes(installedBytes.before)} to ${formatBytes(installedBytes.after)}; ${count(files.length, 'difference')}, ${sameFiles} the same`,
    `  to fetch   ${formatBytes(update.total)}: new content ${formatBytes(update.content)} (${way}), index ${formatBytes(update.index)}, torrent ${formatBytes(update.metainfo)}`,
    ...files.slice(0, shownMax).map((file) => `  ${file.kind.padEnd(8)} ${fileText(file)}`),
    ...(hidden > 0 ? [`  and ${hidden} more: --all lists them`] : []),
  ].join('\n')
}

const fileText = ({ kind, path, from, lengthBytes, lengthBytesBefore }: FileDifference): string => {
  switch (kind) {
    case 'added':
      return `${path}  ${formatBytes(lengthBytes)}`
    case 'removed':
      return `${path}  ${formatBytes(lengthBytesBefore)}`
    case 'moved':
      return `${from} to ${path}`
    case 'changed':
      return `${path}  ${formatBytes(lengthBytesBefore)} to ${formatBytes(lengthBytes)}`
  }
}
