// `show PRODUCT VERSION`: all that is signed of a release, and what a stock BitTorrent client needs to have it.
import { join } from 'node:path'
import { bundleNameOf } from '@updraft/core/names'
import type { Release } from '@updraft/core/release'
import { count } from '@updraft/core/terminal/plain-text'
import { formatBytes } from '@updraft/core/terminal/progress'
import type { Command } from 'commander'
import type { Context } from '../context.ts'
import { offerText } from '../release-text.ts'
import { findReleases, parseWanted } from '../repository/find-release.ts'
import { openProducts, type PublishedRelease, type RepositoryPart, type RoleState, rolesNamed } from '../repository.ts'

interface ShowCommandOptions {
  readonly repo: string
  readonly platform?: string
  readonly json?: true
}

const HELP = `
Example:
  $ updraft-publisher show acme 1.4.0 --repo r

No key is needed. A magnet link has trackers and web seeds only if the repository has a public address (init --url).`

export const addShowCommand = (program: Command, context: Context): void => {
  program
    .command('show')
    .description('show all that is signed of a release')
    .argument('<product>', 'one of the products of the repository')
    .argument('<version>', 'the release')
    .requiredOption('--repo <dir>', 'the repository')
    .option('--platform <platform>', 'only the release for this platform (default: all of the version)')
    .option('--json', 'print one JSON array, an object for each platform')
    .addHelpText('after', HELP)
    .action(async (product: string, version: string, options: ShowCommandOptions) => {
      const wanted = parseWanted(product, version, options.platform)
      const repository = await openProducts(options.repo, () => [wanted.product])
      const shown = findReleases(repository, wanted).map((published) => shownOf(repository, published))
      context.print(options.json ? JSON.stringify(shown) : shown.map(describe).join('\n\n'))
    })
}

interface Shown {
  /** The payload as it was signed. */
  readonly release: Release
  /** The role whose word it is that machines may have it before the age that their owners ask for. */
  readonly urgentBy?: string
  readonly signedBy: Pick<RoleState, 'keyIds' | 'threshold' | 'metadataVersion' | 'expires'>
  readonly index: { readonly sha256: string; readonly file: string }
  readonly pack: string
  readonly metainfo: { readonly sha256: string; readonly file: string }
  readonly magnet: string
  /** Versions in this repository that a patch starts from; undefined for one that is not listed any more. */
  readonly patchedFrom: readonly { readonly version: string | undefined; readonly lengthBytes: number }[]
}

const shownOf = (repository: RepositoryPart, published: PublishedRelease): Shown => {
  const { release, index, metainfo, bundleDirectory, urgentBy } = published
  const [state] = rolesNamed(repository, [release.product])
  const { keyIds = [], threshold = 0, metadataVersion = 0, expires = new Date(0) } = state ?? {}
  const versionOf = new Map(repository.releases.map((each) => [each.index.sha256, each.release.version]))
  return {
    release,
    ...(urgentBy === undefined ? {} : { urgentBy }),
    signedBy: { keyIds, threshold, metadataVersion, expires },
    index: { sha256: index.sha256, file: index.file },
    pack: join(bundleDirectory, 'pack'),
    metainfo: { sha256: metainfo.sha256, file: metainfo.file },
    magnet: magnetOf(release, repository.settings.url),
    patchedFrom: (release.patches ?? []).map(({ from, lengthBytes }) => ({
      version: versionOf.get(from),
      lengthBytes,
    })),
  }
}

/** Source: BEP 9, and BEP 19 for web seeds. */
const magnetOf = (release: Release, base: string | undefined): string => {
  const { btih, trackers, webSeeds } = release.torrent
  const absolute = (hints: readonly string[]) => hints.flatMap((hint) => URL.parse(hint, base)?.href ?? [])
  const parts = [
    ['dn', bundleNameOf(release)],
    ...absolute(trackers).map((tracker) => ['tr', tracker]),
    ...absolute(webSeeds).map((seed) => ['ws', seed]),
  ]
  return `magnet:?xt=urn:btih:${btih}&${parts.map(([key, value = '']) => `${key}=${encodeURIComponent(value)}`).join('&')}`
}

const CLAIMED = '; called urgent by its own product, which does not count: the role urgent has to say it'

const describe = (shown: Shown): string => {
  const { release, urgentBy, signedBy, index, pack, metainfo, magnet, patchedFrom } = shown
  const { sizes, torrent } = release
  const patches = patchedFrom.map(({ version, lengthBytes }) => `${formatBytes(lengthBytes)} from ${version ?? '?'}`)
  const lines = [
    [
      'offered',
      `${offerText({ ...release, urgentBy })}${release.urgent === true && urgentBy === undefined ? CLAIMED : ''}`,
    ],
    ['published', release.published],
    [
      'signed by',
      `${signedBy.threshold} of ${signedBy.keyIds.map((id) => id.slice(0, 8)).join(', ')}; expires ${signedBy.expires.toISOString()}`,
    ],
    ['installed', `${formatBytes(sizes.installedBytes)} in ${count(sizes.files, 'file')}`],
    ['pack', `${formatBytes(sizes.packBytes)}  ${pack}`],
    ['index', `${formatBytes(sizes.indexBytes)}  sha256 ${index.sha256}`],
    ['torrent', `${torrent.btih}, pieces of ${formatBytes(torrent.pieceLength)}  ${metainfo.file}`],
    ['patches', patches.join(', ') || 'none'],
    ['magnet', magnet],
    ...(release.minimumPreviousVersion === undefined ? [] : [['only from', release.minimumPreviousVersion]]),
    ...(release.minimumAgentVersion === undefined ? [] : [['agent', `at least ${release.minimumAgentVersion}`]]),
  ]
  return [
    `${release.product} ${release.version} (${release.platform})`,
    ...lines.map(([label = '', text = '']) => `  ${label.padEnd(10)} ${text}`),
    ...(release.notes === undefined ? [] : ['', release.notes.trimEnd()]),
  ].join('\n')
}
