// The rows that say whether to trust a product: who signed it, what is wrong, how fresh it is, where it comes from.
import { isFindingCode } from '@updraft/core/trust/finding'
import { l10n, ThemeIcon } from 'vscode'
import type { FindingView, ProductView, SourceView } from '../view-model.ts'
import { findingText } from './finding-texts.ts'
import { wordsIn } from './message-words.ts'
import { lines, type Row } from './row.ts'
import { signerRow } from './signer-rows.ts'
import {
  groupsOf,
  levelIcon,
  levelWord,
  pinnedWord,
  sentence,
  severityIcon,
  severityWord,
  signaturesOf,
  time,
} from './words.ts'

export const trustRow = (product: ProductView): Row => ({
  id: 'trust',
  label: levelWord(product.level),
  description: signaturesOf(product),
  icon: levelIcon(product.level),
  children: product.signers.map(signerRow),
  isOpen: true,
})

/** What happened, what the agent did, what to do: enough to know without opening anything else. */
export const findingRow = (product: string, finding: FindingView, index: number): Row => {
  const { code, severity, message, hint, since } = finding
  const { title, happened, did, todo } = findingText(code, severity)
  // What the extension cannot explain, the agent has a word about; otherwise its own is for those who use it in a terminal.
  const advice = isFindingCode(code) || hint === undefined ? todo : sentence(hint)
  const more = hint === undefined || advice !== todo ? [] : [l10n.t('The agent adds: {0}.', sentence(hint))]
  return {
    id: `finding ${index} ${code}`,
    label: title,
    tooltip: lines(title, happened, l10n.t('Since {0}', time(since))),
    icon: severityIcon(severity),
    spoken: severityWord(severity),
    isOpen: severity !== 'info',
    context: `finding ${code}`,
    about: { kind: 'finding', product, code },
    children: [
      textRow('happened', l10n.t('What happened'), happened, 'comment'),
      textRow('did', l10n.t('What the agent did'), did, 'shield'),
      textRow('todo', l10n.t('What you can do'), advice, 'lightbulb', ...more),
      textRow('message', l10n.t('Message'), sentence(message), 'output', ...wordsIn(message)),
    ],
  }
}

/** A side bar cuts the text; its whole is in the tooltip, with whatever explains it. */
const textRow = (id: string, heading: string, text: string, icon: string, ...more: readonly string[]): Row => ({
  id,
  label: heading,
  description: text,
  tooltip: lines(heading, text, ...more),
  icon: new ThemeIcon(icon),
})

/** How long the signed list of releases is still good for. */
export const freshnessRows = (source: SourceView | undefined): readonly Row[] =>
  source?.expires === undefined
    ? []
    : [
        {
          id: 'fresh',
          label: l10n.t('Signed list valid until'),
          description: time(source.expires.at),
          tooltip: lines(
            l10n.t('The part of it that expires first: {0}', source.expires.role),
            source.lastCheck === undefined
              ? l10n.t('Not checked yet')
              : l10n.t('Last checked {0}', time(source.lastCheck.at)),
          ),
          icon: new ThemeIcon('calendar'),
        },
      ]

export const sourceRow = ({ source, channel, platform }: ProductView, known: SourceView | undefined): Row => ({
  id: 'source',
  label: l10n.t('Source'),
  description: l10n.t('{0}, channel {1}, {2}', source, channel, platform),
  icon: new ThemeIcon('globe'),
  ...(known === undefined ? {} : { tooltip: lines(known.url, rootLine(known)), children: rowsOfSource(known) }),
})

/** Everything that is known of a source. */
export const rowsOfSource = (source: SourceView): readonly Row[] => {
  const { url, fingerprint, lastCheck, nextCheckAt } = source
  return [
    { id: 'url', label: url, tooltip: url, icon: new ThemeIcon('link') },
    {
      id: 'root',
      label: rootLine(source),
      tooltip: lines(l10n.t('Fingerprint of the root'), ...groupsOf(fingerprint)),
      icon: new ThemeIcon(source.pinnedBy === 'first-use' ? 'unverified' : 'verified'),
    },
    {
      id: 'checked',
      label: lastCheck === undefined ? l10n.t('Not checked yet') : l10n.t('Last checked {0}', time(lastCheck.at)),
      ...(lastCheck?.error === undefined ? {} : { description: sentence(lastCheck.error.message) }),
      icon: new ThemeIcon('history'),
    },
    ...(source.importOnly
      ? [
          {
            id: 'import',
            label: l10n.t('Updates come as files only; the server is not asked'),
            icon: new ThemeIcon('desktop-download'),
          },
        ]
      : []),
    ...(nextCheckAt === undefined
      ? []
      : [{ id: 'next', label: l10n.t('Next check {0}', time(nextCheckAt)), icon: new ThemeIcon('clock') }]),
  ]
}

const rootLine = ({ rootVersion, pinnedBy }: SourceView): string =>
  l10n.t('Publisher’s keys (root), version {0}: {1}', rootVersion, pinnedWord(pinnedBy))
