// `sign prepare init`: the file of a ceremony in which several people found a repository.
import { parseProduct } from '@updraft/core/names'
import type { Command } from 'commander'
import { prepareFounding } from '../../ceremony/founding.ts'
import type { Context } from '../../context.ts'
import { parseRepositorySettings } from '../../repository-settings.ts'
import type { RoleHolders } from '../../sign/delegations.ts'
import { parsePeople, readPublicKeys } from '../rotate-options.ts'
import { describeReview } from './review-text.ts'

type Files = readonly string[]

interface PrepareInitOptions {
  readonly out: string
  readonly product: Files
  readonly productKey: Files
  readonly productThreshold: number
  readonly rootKey: Files
  readonly rootThreshold: number
  readonly targetsKey: Files
  readonly targetsThreshold: number
  readonly snapshotKey: Files
  readonly timestampKey: Files
  readonly urgentKey?: Files
  readonly urgentThreshold: number
  readonly json?: true
}

const HELP = `
Example:
  $ updraft-publisher sign prepare init --out ceremony.json \\
      --root-key alice.pub bob.pub carol.pub --root-threshold 2 \\
      --targets-key alice.pub bob.pub carol.pub --targets-threshold 2 \\
      --product acme --product-key ci.pub \\
      --snapshot-key r.keys/snapshot-*.pub --timestamp-key r.keys/timestamp-*.pub

The keys of snapshot and timestamp are made where the repository will be: updraft-publisher keys generate snapshot --repo r
Each signer: updraft-publisher sign add ceremony.json --fingerprint sha256:… (as it is printed here, and compared with the others).
Where the keys of snapshot and timestamp are: updraft-publisher sign finish ceremony.json --repo r
Further products with other people: updraft-publisher sign prepare product, once the repository is there.`

export const addPrepareInit = (prepare: Command, context: Context): void => {
  prepare
    .command('init')
    .description(
      'a new repository whose very first root several people sign, each with a key that nobody else has seen',
    )
    .requiredOption('--out <file>', 'the ceremony file to write')
    .requiredOption('--root-key <file...>', 'public keys of those who sign changes of keys')
    .option('--root-threshold <n>', 'how many of them have to sign', parsePeople, 1)
    .requiredOption('--targets-key <file...>', 'public keys of those who sign changes of products')
    .option('--targets-threshold <n>', 'how many of them have to sign', parsePeople, 1)
    .requiredOption('--product <name...>', 'what will be published: a-z, 0-9 and -')
    .requiredOption('--product-key <file...>', 'public keys of those who sign its releases')
    .option('--product-threshold <n>', 'how many of them have to sign', parsePeople, 1)
    .requiredOption('--snapshot-key <file...>', 'public key of snapshot, which stays where releases are published')
    .requiredOption('--timestamp-key <file...>', 'public key of timestamp, likewise')
    .option('--urgent-key <file...>', 'public keys of a role that alone may call a release urgent')
    .option('--urgent-threshold <n>', 'how many of them have to sign', parsePeople, 1)
    .option('--json', 'print the result as one JSON object')
    .addHelpText('after', HELP)
    .action(async (options: PrepareInitOptions) => {
      const holders = async (files: Files, threshold = 1): Promise<RoleHolders> => ({
        keys: await readPublicKeys(files),
        threshold,
      })
      const productHolders = await holders(options.productKey, options.productThreshold)
      const founders = {
        root: await holders(options.rootKey, options.rootThreshold),
        targets: await holders(options.targetsKey, options.targetsThreshold),
        snapshot: await holders(options.snapshotKey),
        timestamp: await holders(options.timestampKey),
        products: options.product.map((name) => ({ product: parseProduct(name), holders: productHolders })),
        urgent: options.urgentKey && (await holders(options.urgentKey, options.urgentThreshold)),
      }
      const { expiryDays } = parseRepositorySettings({}, 'the settings of a new repository')
      const review = await prepareFounding(founders, options.out, { expiryDays, now: context.now() })
      context.print(
        options.json
          ? JSON.stringify({ file: options.out, ...review })
          : `${describeReview(review)}\n\nwrote ${options.out}`,
      )
    })
}
