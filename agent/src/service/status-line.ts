// The agent's state in one short line, for `systemctl status` and its like. Pure.
import type { ProductStatus } from '@updraft/core/control/api'
import { count } from '@updraft/core/terminal/plain-text'

/** What needs attention comes first, then what is under way, then that all is well. */
export const lineOfStatus = (products: readonly ProductStatus[]): string => {
  if (products.length === 0) return 'subscribed to no product'
  const troubled = products.filter(({ trust }) => trust.level !== 'trusted')
  const busy = products.flatMap(({ name, update }) =>
    update !== undefined && update.endedAt === undefined ? [`${name} ${update.version} ${update.state}`] : [],
  )
  return [
    count(products.length, 'product'),
    ...(troubled.length === 0 ? [] : [`attention: ${listOf(troubled.map(({ name }) => name))}`]),
    busy.length === 0 ? 'no update under way' : listOf(busy),
  ].join('; ')
}

const listOf = (words: readonly string[]): string =>
  words.length <= LISTED ? words.join(', ') : `${words.slice(0, LISTED).join(', ')} and ${words.length - LISTED} more`

const LISTED = 3
