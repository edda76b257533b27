// `import FILE`: installs the release that an exported file brings, through the running agent, or by itself if none runs.
import { resolve } from 'node:path'
import { openExport } from '@updraft/core/archive/export-file'
import { homeOf } from '@updraft/core/control/home'
import { parseChannel } from '@updraft/core/names'
import type { Command } from 'commander'
import { editProduct } from '../settings/edit.ts'
import type { Context } from './context.ts'
import { assertInstalled, describe, progressFor, seeThrough, sourceFor } from './install.ts'

interface ImportOptions {
  readonly source?: string
  readonly channel?: string
  readonly json?: true
}

const HELP = `
Examples:
  $ updraft-agent import acme.tar
  $ updraft-agent import /media/stick/acme.tar --source main

The file comes from: updraft-publisher export. It is trusted no more than a server is: the root has to be pinned
(updraft-agent trust add URL --root FILE needs no network), and everything in the file is verified as if it came by network,
versions that must not go back and dates included. A product that this machine is not subscribed to is subscribed to, as by
install. A running agent shares what it imported with the machines around it. The file itself is left as it is.`

export const addImportCommand = (program: Command, context: Context): void => {
  program
    .command('import')
    .description('install the release that a file from updraft-publisher export brings')
    .argument('<file>', 'the exported file')
    .option('--source <name>', 'the trusted source that the product comes from')
    .option('--channel <name>', 'the channel to follow (default: stable)')
    .option('--json', 'print the result as one JSON object')
    .addHelpText('after', HELP)
    .action((file: string, options: ImportOptions) => importFile(resolve(file), options, context))
}

const importFile = async (file: string, options: ImportOptions, context: Context): Promise<void> => {
  const home = homeOf(context.environment)
  const channel = options.channel === undefined ? undefined : parseChannel(options.channel)
  const product = await productIn(file, context)
  const source = await sourceFor(product, options.source, home, context)
  const subscribe = () => editProduct(home.configDirectory, { name: product, source, channel })

  const { status, isNew } = await seeThrough({
    product,
    file,
    home,
    context,
    subscribe,
    progress: progressFor(options),
  })
  const installed = assertInstalled(product, status)
  context.print(
    options.json
      ? JSON.stringify({ product, file, new: isNew, installed })
      : describe(product, installed, isNew, status),
  )
}

const productIn = async (file: string, { signal }: Context) => {
  await using opened = await openExport(file, { signal })
  return opened.product
}
