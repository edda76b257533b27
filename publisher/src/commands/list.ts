// `list [PRODUCT]`: every release that is signed, and who is offered it.
import { compareVersions, parseChannel, parseProduct } from '@updraft/core/names'
import { table, timeText } from '@updraft/core/terminal/plain-text'
import { formatBytes } from '@updraft/core/terminal/progress'
import type { Command } from 'commander'
import type { Context } from '../context.ts'
import { shareNowText } from '../release-text.ts'
import { assertProduct } from '../repository/demands.ts'
import { openProducts, openRepository, type PublishedRelease } from '../repository.ts'

interface ListCommandOptions {
  readonly repo: string
  readonly channel?: string
  readonly json?: true
}

const HELP = `
Examples:
  $ updraft-publisher list --repo r
  $ updraft-publisher list acme --channel stable --repo r

No key is needed. The newest version of a product comes first.`

export const addListCommand = (program: Command, context: Context): void => {
  program
    .command('list')
    .description('list releases, and which machines may have them')
    .argument('[product]', 'only this one')
    .requiredOption('--repo <dir>', 'the repository')
    .option('--channel <name>', 'only what is on this channel')
    .option('--json', 'print one JSON array')
    .addHelpText('after', HELP)
    .action(async (product: string | undefined, options: ListCommandOptions) => {
      const found = await releasesFor(product, options)
      context.print(options.json ? JSON.stringify(found.map(summaryOf)) : describe(found, context.now()))
    })
}

const releasesFor = async (
  name: string | undefined,
  options: ListCommandOptions,
): Promise<readonly PublishedRelease[]> => {
  const channel = options.channel === undefined ? undefined : parseChannel(options.channel)
  const product = name === undefined ? undefined : parseProduct(name)
  const repository = await (product === undefined
    ? openRepository(options.repo)
    : openProducts(options.repo, () => [product]))
  if (product !== undefined) assertProduct(repository, product)
  return repository.releases
    .filter(
      ({ release }) =>
        (product === undefined || release.product === product) &&
        (channel === undefined || release.channels.includes(channel)),
    )
    .toSorted(
      ({ release: a }, { release: b }) =>
        compareText(a.product, b.product) ||
        compareVersions(b.version, a.version) ||
        compareText(a.platform, b.platform),
    )
}

const compareText = (a: string, b: string): number => (a === b ? 0 : a < b ? -1 : 1)

const summaryOf = ({ release, urgentBy }: PublishedRelease) => {
  const { product, version, platform, channels, published, sizes, rollout, yanked } = release
  return {
    product,
    version,
    platform,
    channels,
    published,
    sizes,
    infoHash: release.torrent.btih,
    ...(rollout === undefined ? {} : { rollout }),
    ...(urgentBy === undefined ? {} : { urgent: true, urgentBy }),
    ...(yanked === undefined ? {} : { yanked }),
  }
}

const describe = (found: readonly PublishedRelease[], now: Date): string => {
  if (found.length === 0) return 'no release'
  const rows = found.map(({ release, urgentBy }) => [
    release.product,
    release.version,
    release.platform,
    release.channels.join(', ') || 'none',
    timeText(release.published),
    `${shareNowText(release, now)}${urgentBy === undefined ? '' : ', urgent'}`,
    formatBytes(release.sizes.packBytes),
  ])
  return table(['product', 'version', 'platform', 'channels', 'published', 'offered to', 'pack'], rows)
}
