// `why PRODUCT`: what was decided about a product, rule by rule, and when it will be looked at again.
import { EXIT_CODES } from '@updraft/core/errors'
import { parseProduct } from '@updraft/core/names'
import type { Command } from 'commander'
import { productUnknown } from '../history.ts'
import { textOfWhy, type Why } from '../why-text.ts'
import type { Context } from './context.ts'
import { readView } from './view.ts'

const HELP = `
Examples:
  $ updraft-agent why acme
  $ updraft-agent why acme --json

Without a running agent this shows what was decided last, and exits 9.`

export const addWhyCommand = (program: Command, context: Context): void => {
  program
    .command('why')
    .description('say why a product is at the version it is at, rule by rule')
    .argument('<product>', 'name of the product, such as acme')
    .option('--json', 'print one JSON object')
    .addHelpText('after', HELP)
    .action(async (name: string, { json = false }: { readonly json?: boolean }) => {
      const why = await readWhy(name, context)
      context.print(json ? JSON.stringify(why) : textOfWhy(why, context.now()))
      if (!why.running) context.setExitCode(EXIT_CODES.notRunning)
    })
}

const readWhy = async (name: string, context: Context): Promise<Why> => {
  const wanted = parseProduct(name)
  const { agent, products, sources } = await readView(context)
  const product = products.find((candidate) => candidate.name === wanted)
  if (product === undefined) throw productUnknown(wanted)
  return { running: agent !== null, product, source: sources.find((source) => source.name === product.source) }
}
