// What the commands that change a published release have in common: how they name it, and what they say of it afterwards.
import type { Command } from 'commander'
import { type Amended, type Amendment, amend } from '../amend.ts'
import type { Context } from '../context.ts'
import { offerText } from '../release-text.ts'
import { parseWanted } from '../repository/find-release.ts'
import { addKeyOptions, type KeyOptions, keysFor } from './key-options.ts'

export interface AmendCommandOptions extends KeyOptions {
  readonly repo: string
  readonly platform?: string
  readonly json?: true
}

/** Arguments and options that name the release, and find the keys. */
export const addAmendOptions = (command: Command): Command =>
  addKeyOptions(
    command
      .requiredOption('--repo <dir>', 'the repository')
      .option('--platform <platform>', 'only the release for this platform (default: all of the version)')
      .option('--json', 'print the result as one JSON object'),
  )

/** Amends, and tells what is signed now. */
export const runAmend = async (
  product: string,
  version: string,
  options: AmendCommandOptions,
  amendment: (now: Date) => Amendment,
  context: Context,
): Promise<void> => {
  const now = context.now()
  const request = { repository: options.repo, ...parseWanted(product, version, options.platform) }
  const made = amendment(now)
  const amended = await amend(request, made, { keys: keysFor(options.repo, options, context).source, now })
  context.print(options.json ? JSON.stringify(amended) : describeAmended(amended))
}

export const describeAmended = (
  { product, version, releases, changed, metadataVersions }: Amended,
  role: string = product,
): string => {
  const versions = [role, 'snapshot', 'timestamp'].map((name) => `${name} ${metadataVersions[name]}`)
  return [
    `${product} ${version}: ${changed ? 'signed anew' : 'nothing to change'}`,
    ...releases.map((release) => `  ${release.platform.padEnd(16)} ${offerText(release)}`),
    `  metadata         ${versions.join(', ')}`,
  ].join('\n')
}
