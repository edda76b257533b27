// `hold PRODUCT DURATION` and `unhold PRODUCT`: keeps a product as it is for a while, whatever is published.
import { UpdateError } from '@updraft/core/errors'
import { span, timeText } from '@updraft/core/terminal/plain-text'
import type { Command } from 'commander'
import type { Context } from './context.ts'
import { tellWish } from './wish.ts'

const HOLD_HELP = `
Examples:
  $ updraft-agent hold acme 3d
  $ updraft-agent hold acme forever

Counts from now; a new hold takes the place of the one before. Not even a yank moves a product that is held. An update that is
being fetched is not put in place either. Works with and without a running agent.`

const UNHOLD_HELP = `
Example:
  $ updraft-agent unhold acme`

interface Options {
  readonly json?: true
}

export const addHoldCommands = (program: Command, context: Context): void => {
  program
    .command('hold')
    .description('keep a product at its version for a while')
    .argument('<product>', 'name of the product, such as acme')
    .argument('<duration>', '12h, 3d, 2w or forever')
    .option('--json', 'print the result as one JSON object')
    .addHelpText('after', HOLD_HELP)
    .action(async (product: string, duration: string, { json }: Options) => {
      const now = context.now()
      const answer = await tellWish(product, { kind: 'hold', until: parseHold(duration, now) }, context)
      const { until } = answer
      const text =
        until === undefined
          ? `${product} is held until: updraft-agent unhold ${product}`
          : `${product} is held for ${span(until, now)}, until ${timeText(until)} UTC`
      context.print(json ? JSON.stringify(answer) : text)
    })
  program
    .command('unhold')
    .description('let a product be updated again')
    .argument('<product>', 'name of the product, such as acme')
    .option('--json', 'print the result as one JSON object')
    .addHelpText('after', UNHOLD_HELP)
    .action(async (product: string, { json }: Options) => {
      const answer = await tellWish(product, { kind: 'unhold' }, context)
      const text = answer.changed ? `${product} is no longer held` : `${product} was not held`
      context.print(json ? JSON.stringify(answer) : text)
    })
}

/** ISO 8601, or undefined for ever. Errors: USAGE. */
const parseHold = (text: string, now: Date): string | undefined => {
  if (text === 'forever') return undefined
  const [, number, unit = ''] = /^([1-9]\d{0,3})([hdw])$/.exec(text) ?? []
  const hours = Number(number) * (UNIT_HOURS[unit] ?? Number.NaN)
  if (!(hours <= LONGEST_HOURS)) {
    throw new UpdateError('USAGE', `${JSON.stringify(text)} is not a duration`, {
      hint: 'use hours, days or weeks, such as 12h, 3d or 2w, up to ten years; or forever',
    })
  }
  return new Date(now.getTime() + hours * 3_600_000).toISOString()
}

const UNIT_HOURS: Readonly<Record<string, number>> = { h: 1, d: 24, w: 7 * 24 }
const LONGEST_HOURS = 10 * 366 * 24
