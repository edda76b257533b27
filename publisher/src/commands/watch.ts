// `watch BUILDS`: publishes each build that is dropped into a folder.
import { EXIT_CODES, UpdateError } from '@updraft/core/errors'
import { parseChannel, parsePlatform, parseProduct } from '@updraft/core/names'
import { formatBytes, noProgress, showProgress } from '@updraft/core/terminal/progress'
import type { Command } from 'commander'
import { parseRollout } from '../amend/rollout.ts'
import { buildNames } from '../builds/build-name.ts'
import { type Build, type BuildsOptions, publishBuilds, watchBuilds } from '../builds.ts'
import type { Context } from '../context.ts'
import { holdYoungSpace } from '../heap.ts'
import type { Published } from '../publish/result.ts'
import { publish } from '../publish.ts'
import { openRepository } from '../repository.ts'
import { addKeyOptions, type KeyOptions, keysFor } from './key-options.ts'

interface WatchCommandOptions extends KeyOptions {
  readonly repo: string
  readonly product: string
  readonly pattern: string
  readonly platform: string
  readonly channel: readonly string[]
  readonly rollout?: readonly string[]
  readonly stable: number
  readonly marker?: string
  readonly once?: true
  readonly json?: true
}

const HELP = `
Examples:
  $ updraft-publisher watch /srv/builds --repo r --product acme
  $ updraft-publisher watch /srv/builds --repo r --product acme --pattern 'acme-{version}-{platform}' --channel nightly
  $ updraft-publisher watch /srv/builds --repo r --product acme --marker .done --once

A build is a file or folder whose name tells its version: /srv/builds/1.4.0. It is published once nothing in it has changed for
--stable seconds. A copy that rests for longer than that looks complete: move a build in with one rename, or use --marker, which
waits for the file 1.4.0.done beside it. What cannot be published is told, and the next one is looked at; with --once the exit
code is 3 then. The folder is only read: what is released already is known from the repository.
--json prints one object a line: {"event": "published", ...} and {"event": "refused", "build", "code", "message", "hint"}.`

export const addWatchCommand = (program: Command, context: Context): void => {
  const command = program
    .command('watch')
    .description('publish each build that is dropped into a folder')
    .argument('<builds>', 'the folder')
    .requiredOption('--repo <dir>', 'the repository')
    .requiredOption('--product <name>', 'one of the products of the repository')
    .option('--pattern <pattern>', 'what names of builds look like, with {version} and perhaps {platform}', '{version}')
    .option('--platform <platform>', 'OS-ARCHITECTURE, where names do not tell', 'any')
    .option('--channel <name...>', 'who gets it', ['stable'])
    .option('--rollout <step...>', 'how many machines may have it, and from when on: see rollout (default: all)')
    .option('--stable <seconds>', 'how long nothing of a build may have changed', parseSeconds, 10)
    .option('--marker <ending>', 'wait for a file of the same name with this ending')
    .option('--once', 'publish what is there, and end')
    .option('--json', 'print one JSON object for each build, and no progress')
    .addHelpText('after', HELP)
  addKeyOptions(command).action((folder: string, options: WatchCommandOptions) => runWatch(folder, options, context))
}

const runWatch = async (folder: string, options: WatchCommandOptions, context: Context): Promise<void> => {
  holdYoungSpace()
  const { signal, now, print } = context
  const product = parseProduct(options.product)
  const channels = [...new Set(options.channel)].map(parseChannel)
  if (options.rollout !== undefined) parseRollout(options.rollout, now()) // Now, and not after a day's waiting.
  const keys = keysFor(options.repo, options, context)
  const told = options.json ? asJson : asText
  using progress = options.json ? noProgress : showProgress()
  const builds: BuildsOptions = {
    folder,
    product,
    names: buildNames(options.pattern),
    platform: parsePlatform(options.platform),
    marker: options.marker,
    stableMs: options.stable * 1_000,
    signal,
    released: () => openRepository(options.repo),
    publish: ({ path, version, platform }) => {
      const rollout = options.rollout === undefined ? undefined : parseRollout(options.rollout, now())
      const name = { product, version, platform }
      const request = {
        ...name,
        channels,
        rollout,
        build: path,
        repository: options.repo,
        keysDirectory: keys.directory,
      }
      return publish(request, { keys: keys.source, now: now(), signal, onProgress: progress.listener(product) })
    },
    onPublished: (build, published) => print(told.published(build, published)),
    onRefused: (path, error) => print(told.refused(path, error)),
  }
  if (!options.once) return await watchBuilds(builds)
  const refused = await publishBuilds(builds)
  if (refused > 0) process.exitCode = EXIT_CODES.input
}

const asJson = {
  published: ({ path }: Build, published: Published) =>
    JSON.stringify({ event: 'published', build: path, ...published }),
  refused: (path: string, { code, message, hint = '' }: UpdateError) =>
    JSON.stringify({ event: 'refused', build: path, code, message, hint }),
}

const asText = {
  published: ({ path }: Build, { product, version, platform, channels, sizes }: Published) =>
    `published ${product} ${version} (${platform}) on ${channels.join(', ')}: pack ${formatBytes(sizes.packBytes)}, from ${path}`,
  refused: (path: string, { code, message, hint }: UpdateError) =>
    `refused ${path}: ${message} (${code})${hint === undefined ? '' : `\n  hint: ${hint}`}`,
}

const STABLE_SECONDS_MAX = 86_400

const parseSeconds = (value: string): number => {
  const seconds = /^\d{1,5}$/.test(value) ? Number(value) : Number.NaN
  if (seconds <= STABLE_SECONDS_MAX) return seconds
  throw new UpdateError('USAGE', `--stable ${JSON.stringify(value)} is not a number of seconds up to a day`)
}
