// The history of a product: every update that the agent remembers, and the way back to those that were good.
import { l10n, ThemeIcon } from 'vscode'
import type { PastUpdateView, ProductView } from '../view-model.ts'
import { lines, type Row } from './row.ts'
import { bytesFrom, sentence, severityIcon, stateWord, time } from './words.ts'

/** Its children are asked of the agent when it is opened. */
export const historyRow = ({ key }: ProductView): Row => ({
  id: 'history',
  label: l10n.t('History'),
  icon: new ThemeIcon('history'),
  isLazy: true,
  about: { kind: 'product', product: key },
})

export const historyRows = (
  { key, installed }: Pick<ProductView, 'key' | 'installed'>,
  updates: readonly PastUpdateView[],
): readonly Row[] =>
  updates.length === 0
    ? [{ id: 'none', label: l10n.t('No update yet'), icon: new ThemeIcon('info') }]
    : updates.map((update, index) => pastRow(key, installed?.version, update, index))

const pastRow = (product: string, current: string | undefined, update: PastUpdateView, index: number): Row => {
  const { version, state, phase, startedAt, endedAt, error, bytes } = update
  const isWayBack = phase === 'done' && version !== current
  return {
    // Counted from the oldest it would stay the same; but a list that has grown is drawn anew anyway.
    id: `past ${index}`,
    label: version,
    description: `${stateWord(state)}, ${time(endedAt ?? startedAt)}`,
    tooltip: lines(
      l10n.t('Started {0}', time(startedAt)),
      endedAt === undefined ? '' : l10n.t('Ended {0}', time(endedAt)),
      bytesFrom(bytes),
      error === undefined ? '' : sentence(error.message),
    ),
    icon:
      phase === 'done' ? new ThemeIcon('pass') : phase === 'failed' ? severityIcon('warning') : new ThemeIcon('sync'),
    ...(isWayBack ? { context: 'past' } : {}),
    about: { kind: 'version', product, version: update.key },
  }
}
