// The history of products as a person reads it: one line per update, and under a failed one what went wrong. Pure.
import type { History, PastUpdate } from '@updraft/core/control/api'
import { span, table, timeText } from '@updraft/core/terminal/plain-text'
import { formatBytes } from '@updraft/core/terminal/progress'

export const textOfHistory = (histories: readonly History[]): string => {
  const updates = histories.flatMap(({ product, updates }) => updates.map((update) => ({ product, update })))
  if (updates.length === 0) return 'No update has been tried yet.'
  const rows = updates
    .toSorted((a, b) => Date.parse(b.update.startedAt) - Date.parse(a.update.startedAt))
    .map(({ product, update }) => [
      timeText(update.startedAt),
      product,
      update.version,
      update.state,
      update.endedAt === undefined ? '-' : span(update.startedAt, new Date(update.endedAt)),
      formatBytes(update.bytes.peers),
      formatBytes(update.bytes.origin),
      formatBytes(update.bytes.reused),
      whyText(update),
    ])
  return table(['STARTED (UTC)', 'PRODUCT', 'VERSION', 'STATE', 'TOOK', 'PEERS', 'ORIGIN', 'REUSED', ''], rows)
}

/** Why it ended badly, and in which state that was, unless it is clear from that it was rolled back. */
const whyText = ({ state, error, steps }: PastUpdate): string => {
  if (error === undefined) return ''
  if (state === 'rolled-back') return `${error.detail} (${error.code})`
  const last = steps.at(-2)?.state
  return `${last === undefined ? '' : `while ${last}: `}${error.detail} (${error.code})`
}
