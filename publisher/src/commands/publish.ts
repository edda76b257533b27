// `publish BUILD`: makes a signed release of a build.
import { parseChannel, parsePlatform, parseProduct, parseReleaseVersion } from '@updraft/core/names'
import { formatBytes, noProgress, showProgress } from '@updraft/core/terminal/progress'
import type { Command } from 'commander'
import { parseRollout } from '../amend/rollout.ts'
import type { Context } from '../context.ts'
import { holdYoungSpace } from '../heap.ts'
import type { Published } from '../publish/result.ts'
import { publish } from '../publish.ts'
import { addKeyOptions, type KeyOptions, keysFor } from './key-options.ts'
import { readNotes } from './read-notes.ts'

interface PublishCommandOptions extends KeyOptions {
  readonly repo: string
  readonly product: string
  readonly version: string
  readonly platform: string
  readonly channel: readonly string[]
  readonly notes?: string
  readonly rollout?: readonly string[]
  readonly json?: true
}

const HELP = `
Examples:
  $ updraft-publisher publish build/ --repo r --product acme --version 1.4.0
  $ updraft-publisher publish acme.exe --repo r --product acme --version 2.0.0-rc.1 \\
      --platform win32-x64 --channel beta --notes CHANGES.md
  $ updraft-publisher publish build/ --repo r --product acme --version 1.4.1 --rollout 1% 10%@24h 100%@3d

The keys of the product, of snapshot and of timestamp have to be at hand.`

export const addPublishCommand = (program: Command, context: Context): void => {
  const command = program
    .command('publish')
    .description('make a signed release of a build')
    .argument('<build>', 'a folder, or a single file')
    .requiredOption('--repo <dir>', 'the repository')
    .requiredOption('--product <name>', 'one of the products of the repository')
    .requiredOption('--version <version>', 'semver, and newer than the newest on the same channel')
    .option('--platform <platform>', 'OS-ARCHITECTURE, such as linux-x64', 'any')
    .option('--channel <name...>', 'who gets it', ['stable'])
    .option('--notes <file|text>', 'what is new: a file, or a sentence')
    .option('--rollout <step...>', 'how many machines may have it, and from when on: see rollout (default: all)')
    .option('--json', 'print the result as one JSON object, and no progress')
    .addHelpText('after', HELP)
  addKeyOptions(command).action(async (build: string, options: PublishCommandOptions) => {
    holdYoungSpace()
    const published = await runPublish(build, options, context)
    context.print(options.json ? JSON.stringify(published) : describe(published, options.repo))
  })
}

const runPublish = async (build: string, options: PublishCommandOptions, context: Context): Promise<Published> => {
  const name = {
    product: parseProduct(options.product),
    version: parseReleaseVersion(options.version),
    platform: parsePlatform(options.platform),
  }
  const channels = [...new Set(options.channel)].map(parseChannel)
  const keys = keysFor(options.repo, options, context)
  const notes = options.notes === undefined ? undefined : await readNotes(options.notes, '--notes')
  const now = context.now()
  const rollout = options.rollout === undefined ? undefined : parseRollout(options.rollout, now)
  const request = { ...name, channels, notes, rollout, build, repository: options.repo, keysDirectory: keys.directory }
  using progress = options.json ? noProgress : showProgress()
  return await publish(request, {
    keys: keys.source,
    now,
    signal: context.signal,
    onProgress: progress.listener(name.product),
    onStep: options.json || process.stderr.isTTY ? undefined : (step) => process.stderr.write(`step ${step}\n`),
  })
}

const describe = (published: Published, repository: string): string => {
  const { product, version, platform, channels, sizes, files, previousVersion, metadataVersions } = published
  const versions = [product, 'snapshot', 'timestamp'].map((role) => `${role} ${metadataVersions[role]}`)
  const carried = `${formatBytes(published.reusedBytes)} carried over from ${previousVersion}`
  return `published ${product} ${version} (${platform}) on ${channels.join(', ')}
  installed  ${formatBytes(sizes.installedBytes)} in ${sizes.files} ${sizes.files === 1 ? 'file' : 'files'}
  bundle     index ${formatBytes(sizes.indexBytes)}, pack ${formatBytes(sizes.packBytes)}${previousVersion === undefined ? '' : `, ${carried}`}
${published.patches.map(({ fromVersion, lengthBytes }) => `  patch      ${formatBytes(lengthBytes)} from ${fromVersion}\n`).join('')}  infohash   ${published.infoHash}
  torrent    ${files.metainfo}
  metadata   ${versions.join(', ')}
next
  updraft-publisher serve ${repository}`
}
