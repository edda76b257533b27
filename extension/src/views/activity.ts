// The view of activity: what is fetched and shared at this moment. The charts are in the dashboard.
import { l10n, ThemeIcon } from 'vscode'
import type { Model } from '../state.ts'
import type { ProductView } from '../view-model.ts'
import type { Row } from './row.ts'
import { createRowView, type RowView } from './row-tree.ts'
import { bytes, bytesFrom, progressOf, transferOf } from './words.ts'

export const createActivityView = (): RowView => createRowView('updraft.activity', activityRows)

/** What is on its way first, then what is passed on. */
export const activityRows = ({ agent, products }: Model): readonly Row[] => {
  if (agent === undefined) return []
  const all = [...products.values()].sort((a, b) => (a.key < b.key ? -1 : 1))
  const rows = [...all.flatMap(incomingRow), ...all.flatMap(outgoingRow)]
  return rows.length > 0
    ? rows
    : [{ id: 'none', label: l10n.t('Nothing is on its way'), icon: new ThemeIcon('circle-outline') }]
}

const incomingRow = ({ key, name, update }: ProductView): readonly Row[] =>
  update === undefined || (update.phase !== 'working' && update.phase !== 'pending')
    ? []
    : [
        {
          id: `in ${key}`,
          label: l10n.t('{0} {1}: {2}', name, update.version, progressOf(update)),
          description: transferOf(update),
          tooltip: bytesFrom(update.bytes),
          icon: new ThemeIcon(update.phase === 'working' ? 'sync~spin' : 'clock'),
        },
      ]

const outgoingRow = ({ key, name, seeding }: ProductView): readonly Row[] =>
  seeding.releases === 0
    ? []
    : [
        {
          id: `out ${key}`,
          label: l10n.t('{0}: shared', name),
          description: [
            seeding.peers === 1 ? l10n.t('1 peer') : l10n.t('{0} peers', seeding.peers),
            l10n.t('{0} sent', bytes(seeding.uploadedBytes)),
          ].join(', '),
          icon: new ThemeIcon('arrow-up'),
        },
      ]
