// The rows below a product in the tree: plain values, so that what is shown can be tested without a screen.
import { l10n, ThemeIcon } from 'vscode'
import type { ProductView, SourceView, ToApprove, UpdateView } from '../view-model.ts'
import { decisionRow, rolloutRows } from './decision-rows.ts'
import { historyRow } from './history-rows.ts'
import { lines, type Row } from './row.ts'
import { findingRow, freshnessRows, sourceRow, trustRow } from './trust-rows.ts'
import { badRows, useRows } from './use-rows.ts'
import { bytes, bytesFrom, progressOf, sentence, severityIcon, time, transferOf } from './words.ts'

/** In this order: versions, what is happening, whether to trust it, what is wrong, where it comes from, what was, why. */
export const rowsOf = (product: ProductView, source: SourceView | undefined): readonly Row[] => [
  installedRow(product),
  ...useRows(product),
  ...availableRows(product),
  ...(product.update === undefined || product.update.phase === 'done'
    ? []
    : [updateRow(product.update, product.recheckAt)]),
  ...badRows(product),
  trustRow(product),
  ...product.findings.map((finding, index) => findingRow(product.key, finding, index)),
  ...freshnessRows(source),
  ...rolloutRows(product),
  ...bytesRows(product.update),
  sourceRow(product, source),
  ...sharingRows(product),
  historyRow(product),
  ...(product.decision.length === 0 ? [] : [decisionRow(product)]),
]

const installedRow = ({ key, installed, available }: ProductView): Row => {
  const icon = new ThemeIcon('package')
  if (installed === undefined) {
    return { id: 'installed', label: l10n.t('Not installed'), icon }
  }
  const isNewest = available?.version === installed.version
  return {
    id: 'installed',
    label: l10n.t('Installed'),
    description: isNewest ? l10n.t('{0}, the newest', installed.version) : installed.version,
    tooltip: lines(l10n.t('Installed {0}', time(installed.at)), installed.path),
    icon,
    context: 'installed',
    about: { kind: 'product', product: key },
  }
}

const availableRows = ({ key, installed, available, toApprove }: ProductView): readonly Row[] =>
  available === undefined || available.version === installed?.version
    ? []
    : [
        {
          id: 'available',
          label: toApprove?.version === available.version ? approvalWord(toApprove) : l10n.t('Available'),
          description: available.version,
          tooltip: l10n.t('Published {0}', time(available.published)),
          icon: new ThemeIcon('cloud-download'),
          context: [
            'available',
            ...(available.notes === undefined ? [] : ['notes']),
            ...(toApprove?.version === available.version ? ['waiting'] : []),
          ].join(' '),
          about: { kind: 'product', product: key },
        },
      ]

const approvalWord = ({ isSkipped }: ToApprove): string =>
  isSkipped ? l10n.t('Skipped') : l10n.t('Waits for your approval')

const updateRow = (update: UpdateView, recheckAt: Date | undefined): Row => {
  const { phase, version, error } = update
  if (phase === 'failed') {
    return {
      id: 'update',
      label:
        update.state === 'rolled-back'
          ? l10n.t('Rolled back from {0}', version)
          : l10n.t('Update to {0} failed', version),
      ...(error === undefined
        ? {}
        : { description: error.message, tooltip: lines(sentence(error.message), error.hint) }),
      icon: severityIcon('warning'),
      isOpen: true,
      children: error?.hint === undefined ? [] : [hintRow(error.hint)],
    }
  }
  const again = phase === 'pending' ? againText(recheckAt) : ''
  return {
    id: 'update',
    label: progressOf(update),
    description: again === '' ? transferOf(update) : again,
    tooltip: lines(l10n.t('{0}: {1}', version, progressOf(update)), again, transferOf(update)),
    icon: new ThemeIcon(phase === 'working' ? 'sync~spin' : 'clock'),
  }
}

/** When what waits is looked at again; empty if time does not decide it. */
const againText = (recheckAt: Date | undefined): string =>
  recheckAt === undefined ? '' : l10n.t('checked again {0}', time(recheckAt))

const hintRow = (hint: string): Row => ({
  id: 'hint',
  label: sentence(hint),
  tooltip: sentence(hint),
  icon: new ThemeIcon('lightbulb'),
})

/** Where the bytes of the newest update came from, once there are any. */
const bytesRows = (update: UpdateView | undefined): readonly Row[] => {
  if (update === undefined) return []
  const { peers, origin, reused } = update.bytes
  if (peers + origin + reused === 0) return []
  return [
    {
      id: 'bytes',
      label: l10n.t('Bytes of {0}', update.version),
      description: bytesFrom(update.bytes),
      tooltip: lines(
        bytesFrom(update.bytes),
        l10n.t('Peers are other machines that have the release; the rest came from the publisher’s server.'),
        l10n.t('Reused bytes were on this machine already.'),
      ),
      icon: new ThemeIcon('arrow-down'),
    },
  ]
}

const sharingRows = ({ seeding: { releases, peers, uploadedBytes } }: ProductView): readonly Row[] =>
  releases === 0
    ? []
    : [
        {
          id: 'sharing',
          label: l10n.t('Shared'),
          description: [
            releases === 1 ? l10n.t('1 release') : l10n.t('{0} releases', releases),
            peers === 1 ? l10n.t('1 peer') : l10n.t('{0} peers', peers),
            l10n.t('{0} sent', bytes(uploadedBytes)),
          ].join(', '),
          tooltip: l10n.t('Verified releases are passed on to other machines.'),
          icon: new ThemeIcon('arrow-up'),
        },
      ]
