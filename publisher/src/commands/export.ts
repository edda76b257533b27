// `export PRODUCT [VERSION]`: one file that carries a release to where no network leads.
import { parseChannel, parsePlatform, parseProduct, parseReleaseVersion } from '@updraft/core/names'
import { formatBytes, noProgress, showProgress } from '@updraft/core/terminal/progress'
import type { Command } from 'commander'
import type { Context } from '../context.ts'
import { type Exported, exportRelease } from '../export.ts'

interface ExportCommandOptions {
  readonly repo: string
  readonly out: string
  readonly channel: string
  readonly platform?: readonly string[]
  readonly patches?: true
  readonly json?: true
}

const HELP = `
Examples:
  $ updraft-publisher export acme --repo r --out acme.tar
  $ updraft-publisher export acme 1.4.0 --repo r --out acme-1.4.0.tar --platform linux-x64 --patches

The file is a tar archive; unpacked, it is a part of the repository that any web server can serve. It needs no key, and can be
imported until its metadata expires: renew first (updraft-publisher renew) if the way is long. On the other side:
  $ updraft-agent import acme.tar`

export const addExportCommand = (program: Command, context: Context): void => {
  program
    .command('export')
    .description('write a release into one file, to be carried over an air gap')
    .argument('<product>', 'one of the products of the repository')
    .argument('[version]', 'a released version (default: the newest of the channel)')
    .requiredOption('--repo <dir>', 'the repository')
    .requiredOption('--out <file>', 'the file to write; one that is there is replaced')
    .option('--channel <name>', 'where to look for the newest version', 'stable')
    .option('--platform <platform...>', 'only these (default: every platform of the version)')
    .option('--patches', 'also the patches from older releases, for those who serve the unpacked file')
    .option('--json', 'print the result as one JSON object, and no progress')
    .addHelpText('after', HELP)
    .action(async (product: string, version: string | undefined, options: ExportCommandOptions) => {
      using progress = options.json ? noProgress : showProgress()
      const exported = await exportRelease(
        {
          repository: options.repo,
          product: parseProduct(product),
          version: version === undefined ? undefined : parseReleaseVersion(version),
          channel: parseChannel(options.channel),
          platforms: options.platform?.map(parsePlatform),
          patches: options.patches === true,
          out: options.out,
        },
        { now: context.now(), signal: context.signal, onProgress: progress.listener(product) },
      )
      context.print(options.json ? JSON.stringify(exported) : describe(exported))
    })
}

const describe = ({ product, version, platforms, file, lengthBytes, expires }: Exported): string =>
  `exported ${product} ${version} (${platforms.join(', ')}) to ${file}, ${formatBytes(lengthBytes)}
  can be imported until ${expires.at}, when its ${expires.role} expires
next, on a machine that trusts the root of this repository
  updraft-agent import ${file}`
