// `sign prepare`, `review`, `add`, `finish`: a change that people sign on machines of their own.
import { UpdateError } from '@updraft/core/errors'
import type { Command } from 'commander'
import { addSignatures, type Finished, finishCeremony, reviewCeremonyFile } from '../ceremony.ts'
import { confirm } from '../confirm.ts'
import type { Context } from '../context.ts'
import { parseRepositorySettings } from '../repository-settings.ts'
import { grouped } from './fingerprint-text.ts'
import {
  addFolderOptions,
  addKeyOptions,
  type FolderOptions,
  type KeyOptions,
  keysFor,
  keysInFolder,
} from './key-options.ts'
import { addPrepareCommands } from './sign/prepare.ts'
import { describeReview } from './sign/review-text.ts'

export const addSignCommands = (program: Command, context: Context): void => {
  const sign = program
    .command('sign')
    .description('signing ceremonies: what several people sign, each where their key is')
  addPrepareCommands(sign, context)
  addReview(sign, context)
  addAdd(sign, context)
  addFinish(sign, context)
}

const addReview = (sign: Command, context: Context): void => {
  sign
    .command('review')
    .description('what a ceremony file would change, in words, and who has signed it')
    .argument('<file>', 'the ceremony file')
    .option('--json', 'print the result as one JSON object')
    .addHelpText(
      'after',
      `
Example:
  $ updraft-publisher sign review ceremony.json

Needs no key, no repository and no network. The words are computed here, from the bytes that would be signed; the file has no
description that could lie. Lines that begin with ! deserve a second look.`,
    )
    .action(async (file: string, { json }: { readonly json?: true }) => {
      const review = await reviewCeremonyFile(file, context.now())
      context.print(json ? JSON.stringify(review) : describeReview(review))
    })
}

interface AddCommandOptions extends FolderOptions {
  readonly fingerprint?: string
  readonly yes?: true
  readonly json?: true
}

const addAdd = (sign: Command, context: Context): void => {
  const command = sign
    .command('add')
    .description('sign a ceremony with the keys that are here; needs no network')
    .argument('<file>', 'the ceremony file; the signatures are added to it')
    .option(
      '--fingerprint <sha256:…>',
      'of the first root of the repository, the first time that these keys sign for it; always, to found one',
    )
    .option('--yes', 'do not ask whether it shall be signed')
    .option('--json', 'print the result as one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  $ updraft-publisher sign add ceremony.json --keys ~/updraft-keys
  $ updraft-publisher sign add ceremony.json --keys ~/updraft-keys --fingerprint sha256:…     (the first time)

It shows what sign review shows, and asks. Then the file goes back to who prepared it, or on to the next one who signs.`,
    )
  addFolderOptions(command).action(async (file: string, options: AddCommandOptions) => {
    const { directory, source } = keysInFolder(options, context)
    const { signed, review } = await addSignatures(file, {
      keys: source,
      keysDirectory: directory,
      fingerprint: parseFingerprint(options.fingerprint),
      now: context.now(),
      confirm: async (before) => {
        if (!options.json) context.print(describeReview(before))
        if (!options.yes) await confirm('Sign this?', context.terminal)
      },
    })
    const by = signed.map(({ role, keyId }) => `${role} by ${keyId.slice(0, 8)}`).join(', ')
    const said = signed.length === 0 ? 'these keys had signed it already' : `signed ${by}`
    context.print(
      options.json
        ? JSON.stringify({ signed, complete: review.complete })
        : `\n${said}\n${review.complete ? 'enough have signed: updraft-publisher sign finish publishes it' : 'others have to sign as well'}`,
    )
  })
}

interface FinishCommandOptions extends KeyOptions {
  readonly repo: string
  readonly url?: string
  readonly tracker?: readonly string[]
  readonly json?: true
}

const addFinish = (sign: Command, context: Context): void => {
  const command = sign
    .command('finish')
    .description('publish what enough people have signed')
    .argument('<file...>', 'the ceremony file, or the copies of it that people have signed apart')
    .requiredOption('--repo <dir>', 'the repository')
    .option('--url <url>', 'of a repository that is founded: its public address, for stock BitTorrent clients')
    .option('--tracker <url...>', "of a repository that is founded: trackers besides the origin's own")
    .option('--json', 'print the result as one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  $ updraft-publisher sign finish ceremony.json --repo r
  $ updraft-publisher sign finish from-alice.json from-bob.json --repo r
  $ updraft-publisher sign finish ceremony.json --repo r --url https://updates.example.com/     (one that founds r)

The keys of snapshot and timestamp have to be here. Nothing is published below a threshold, or if the repository has changed.`,
    )
  addKeyOptions(command).action(async ([first = '', ...others]: string[], options: FinishCommandOptions) => {
    const { directory, source } = keysFor(options.repo, options, context)
    const { url, tracker: trackers } = options
    const settings =
      url === undefined && trackers === undefined
        ? undefined
        : parseRepositorySettings({ url, trackers }, 'the command line')
    const finished = await finishCeremony(options.repo, [first, ...others], {
      keys: source,
      now: context.now(),
      founding: { keysDirectory: directory, settings },
    })
    context.print(options.json ? JSON.stringify(finished) : describeFinished(options.repo, finished))
  })
}

const describeFinished = (repository: string, { founded, signed, metadataVersions }: Finished): string => {
  const versions = Object.entries(metadataVersions).map(([role, version]) => `${role} ${version}`)
  const published = `published ${signed.join(', ')}\n  metadata         ${versions.join(', ')}`
  if (founded === undefined) return published
  return `made the repository ${repository}

fingerprint of its root, for the owners of machines to compare before they trust it, and for signers the next time they sign
  ${founded}
${grouped(founded)}

${published}`
}

const parseFingerprint = (value: string | undefined): string | undefined => {
  if (value === undefined || /^sha256:[0-9a-f]{64}$/.test(value)) return value
  throw new UpdateError('USAGE', `--fingerprint ${JSON.stringify(value)} is not of the form sha256: and 64 hex digits`)
}
