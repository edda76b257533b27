// The rows below a product in the tree: plain values, so that what is shown can be tested without a screen.
import type { TrustLevel } from '@updraft/core/trust/finding'
import { l10n, ThemeIcon } from 'vscode'
import type { FindingView, ProductView, RuleView, SignerView, SourceView, UpdateView } from '../view-model.ts'
import {
  bytes,
  findingTitle,
  levelIcon,
  levelWord,
  pinnedWord,
  progressOf,
  sentence,
  severityIcon,
  signaturesOf,
  time,
  transferOf,
} from './words.ts'

export interface Row {
  /** Unique below its parent, and the same after every change, so that the tree keeps what is open and selected. */
  readonly id: string
  readonly label: string
  readonly description?: string
  /** Plain text; VS Code does not read it as Markdown. */
  readonly tooltip?: string
  readonly icon?: ThemeIcon
  readonly children?: readonly Row[]
  readonly isOpen?: boolean
}

/** In this order: versions, what is happening, whether to trust it, what is wrong, where it comes from, why. */
export const rowsOf = (product: ProductView, source: SourceView | undefined): readonly Row[] => [
  installedRow(product),
  ...availableRows(product),
  ...(product.update === undefined || product.update.phase === 'done'
    ? []
    : [updateRow(product.update, product.recheckAt)]),
  trustRow(product),
  ...product.findings.map(findingRow),
  sourceRow(product, source),
  ...(product.decision.length === 0 ? [] : [decisionRow(product)]),
]

const installedRow = ({ installed, available, update }: ProductView): Row => {
  const icon = new ThemeIcon('package')
  if (installed === undefined) {
    return { id: 'installed', label: l10n.t('Not installed'), icon }
  }
  const isNewest = available?.version === installed.version
  return {
    id: 'installed',
    label: l10n.t('Installed'),
    description: isNewest ? l10n.t('{0}, the newest', installed.version) : installed.version,
    tooltip: lines(
      l10n.t('Installed {0}', time(installed.at)),
      installed.path,
      update?.state === 'committed' && update.version === installed.version ? originOf(update) : '',
    ),
    icon,
  }
}

const availableRows = ({ installed, available }: ProductView): readonly Row[] =>
  available === undefined || available.version === installed?.version
    ? []
    : [
        {
          id: 'available',
          label: l10n.t('Available'),
          description: available.version,
          tooltip: l10n.t('Published {0}', time(available.published)),
          icon: new ThemeIcon('cloud-download'),
        },
      ]

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
    tooltip: lines(l10n.t('{0}: {1}', version, progressOf(update)), again, transferOf(update), originOf(update)),
    icon: new ThemeIcon(phase === 'working' ? 'sync~spin' : 'clock'),
  }
}

/** When what waits is looked at again; empty if time does not decide it. */
const againText = (recheckAt: Date | undefined): string =>
  recheckAt === undefined ? '' : l10n.t('looked at again {0}', time(recheckAt))

const trustRow = (product: ProductView): Row => ({
  id: 'trust',
  label: levelWord(product.level),
  description: signaturesOf(product),
  icon: levelIcon(product.level),
  children: product.signers.map(signerRow),
  isOpen: true,
})

const signerRow = ({ keyId, name }: SignerView, index: number): Row => ({
  id: `signer ${index}`,
  label: name ?? l10n.t('Key {0}', keyId.slice(0, 8)),
  ...(name === undefined ? {} : { description: l10n.t('key {0}', keyId.slice(0, 8)) }),
  tooltip: l10n.t('Key {0}', keyId),
  icon: new ThemeIcon('key'),
})

const findingRow = ({ code, severity, message, hint, since }: FindingView, index: number): Row => ({
  id: `finding ${index} ${code}`,
  label: findingTitle(code),
  tooltip: lines(sentence(message), hint === undefined ? '' : sentence(hint), l10n.t('Since {0}', time(since))),
  icon: severityIcon(severity),
  isOpen: severity !== 'info',
  children: [
    { id: 'message', label: sentence(message), tooltip: sentence(message), icon: new ThemeIcon('comment') },
    ...(hint === undefined ? [] : [hintRow(hint)]),
  ],
})

const hintRow = (hint: string): Row => ({
  id: 'hint',
  label: sentence(hint),
  tooltip: sentence(hint),
  icon: new ThemeIcon('lightbulb'),
})

const sourceRow = ({ source, channel, platform }: ProductView, known: SourceView | undefined): Row => ({
  id: 'source',
  label: l10n.t('Source'),
  description: l10n.t('{0}, channel {1}, {2}', source, channel, platform),
  ...(known === undefined ? {} : { tooltip: describeSource(known) }),
  icon: new ThemeIcon('globe'),
})

const describeSource = ({
  url,
  rootVersion,
  fingerprint,
  pinnedBy,
  expires,
  lastCheck,
  nextCheckAt,
  importOnly,
}: SourceView): string =>
  lines(
    url,
    l10n.t('Root version {0}, {1}', rootVersion, pinnedWord(pinnedBy)),
    fingerprint,
    expires === undefined ? '' : l10n.t('Metadata is valid until {0} ({1})', time(expires.at), expires.role),
    lastCheck === undefined ? l10n.t('Not checked yet') : l10n.t('Last checked {0}', time(lastCheck.at)),
    lastCheck?.error === undefined ? '' : sentence(lastCheck.error.message),
    importOnly ? l10n.t('Updates come by import only') : '',
    nextCheckAt === undefined ? '' : l10n.t('Next check {0}', time(nextCheckAt)),
  )

const decisionRow = ({ decision, level }: ProductView): Row => ({
  id: 'decision',
  label: l10n.t('Why'),
  ...answerOf(decision, level),
  icon: new ThemeIcon('question'),
  children: decision.map(({ rule, passed, detail, recheckAt }, index) => ({
    id: `rule ${index}`,
    label: rule,
    description: detail,
    tooltip: lines(
      passed ? l10n.t('Passed: {0}', rule) : l10n.t('Not passed: {0}', rule),
      detail,
      againText(recheckAt),
    ),
    icon: new ThemeIcon(passed ? 'pass' : 'circle-slash'),
  })),
})

/** While updates are refused, the findings are the answer, and the rules are those of an earlier look. */
const answerOf = (decision: readonly RuleView[], level: TrustLevel): { readonly description?: string } => {
  const failed = decision.find(({ passed }) => !passed)
  if (failed !== undefined) return { description: failed.detail }
  return level === 'untrusted' ? {} : { description: l10n.t('every rule passed') }
}

const originOf = ({ bytes: { peers, origin, reused } }: UpdateView): string =>
  l10n.t('{0} from peers, {1} from the origin, {2} reused', bytes(peers), bytes(origin), bytes(reused))

const lines = (...parts: readonly (string | undefined)[]): string =>
  parts.filter((part) => part !== undefined && part !== '').join('\n')
