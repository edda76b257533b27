// `history [PRODUCT]`: every update that was tried, how it ended, and where its bytes came from.
import { existsSync } from 'node:fs'
import { controlAddressOf } from '@updraft/core/control/address'
import type { History } from '@updraft/core/control/api'
import { controlClient } from '@updraft/core/control/client'
import { type Home, homeOf } from '@updraft/core/control/home'
import { UpdateError } from '@updraft/core/errors'
import { parseProduct } from '@updraft/core/names'
import type { Command } from 'commander'
import { historyOf, productUnknown } from '../history.ts'
import { textOfHistory } from '../history-text.ts'
import { readSettings } from '../settings.ts'
import { databasePathOf, openStore } from '../store.ts'
import type { Context } from './context.ts'
import { readView, unlessNotRunning } from './view.ts'

interface HistoryOptions {
  readonly limit?: number
  readonly json?: true
}

const HELP = `
Examples:
  $ updraft-agent history
  $ updraft-agent history acme --limit 5
  $ updraft-agent history acme --json

Works with and without a running agent. The JSON is {"histories": [...]}, one for each product as in
GET /v1/products/PRODUCT/history, newest update first.`

export const addHistoryCommand = (program: Command, context: Context): void => {
  program
    .command('history')
    .description('list the updates of this machine, how they ended and where their bytes came from')
    .argument('[product]', 'only of this product, such as acme')
    .option('--limit <count>', 'only the newest so many of each product', parseLimit)
    .option('--json', 'print one JSON object')
    .addHelpText('after', HELP)
    .action(async (name: string | undefined, { limit, json }: HistoryOptions) => {
      const histories = await readHistories(name, limit, context)
      context.print(json ? JSON.stringify({ histories }) : textOfHistory(histories))
    })
}

/** Errors: USAGE. */
const parseLimit = (text: string): number => {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text)
  throw new UpdateError('USAGE', `limit ${JSON.stringify(text)} is not a count`, { hint: 'use one such as 10' })
}

const readHistories = async (
  name: string | undefined,
  limit: number | undefined,
  context: Context,
): Promise<readonly History[]> => {
  const { environment, signal } = context
  const home = homeOf(environment)
  const names =
    name === undefined ? (await readView(context)).products.map((product) => product.name) : [parseProduct(name)]
  const client = controlClient(controlAddressOf(environment))
  const asking = askForEach(names, (product) => client.history(product, { limit, signal }))
  const asked = await unlessNotRunning(asking, context)
  return asked ?? readFromStore(names, limit, home)
}

/** One question after the other: an agent takes only so many at once. */
const askForEach = async (names: readonly string[], ask: (product: string) => Promise<History>) => {
  const histories: History[] = []
  for (const name of names) histories.push(await ask(name))
  return histories
}

/** The journal itself, while no agent writes it. */
const readFromStore = async (
  names: readonly string[],
  limit: number | undefined,
  { configDirectory, stateDirectory }: Home,
): Promise<readonly History[]> => {
  const settings = await readSettings(configDirectory)
  if (!existsSync(databasePathOf(stateDirectory))) {
    return names.map((product) => {
      if (settings.products.some((subscribed) => subscribed.name === product)) return { product, updates: [] }
      throw productUnknown(product)
    })
  }
  using store = openStore(stateDirectory, { readOnly: true })
  return names.map((product) => historyOf(product, { store, settings, limit }))
}
